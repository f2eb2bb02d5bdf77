import { setTimeout as pause } from 'node:timers/promises';
import type { TestDatabase } from './database.js';
import type { Meta } from './meta.js';
import { type MessageRow, standing, type Talk } from './sending.js';

/** What is to be said, where, and what it says: each text is one of its kind. */
export interface Said {
  id: string;
  talk: Talk;
  text: string;
}

const isEnded = `status <> 'pending' OR doubted_at IS NOT NULL`;

/**
 * The scan, which ticks at the full minute, finds what lost workers held half a minute after its time; and what is in doubt
 * holds the next message back for some seconds. Neither is waited for; a lease that runs is left alone.
 */
async function findLost(database: TestDatabase): Promise<void> {
  await database.sql(
    `UPDATE messages SET next_attempt_at = now() - interval '31 seconds'
      WHERE status = 'pending' AND doubted_at IS NULL
        AND coalesce(next_attempt_at, created_at) BETWEEN now() - interval '30 seconds' AND now() - interval '2 seconds'`,
  );
  await database.sql(
    `UPDATE messages SET doubted_at = now() - interval '10 seconds'
      WHERE status = 'pending' AND doubted_at BETWEEN now() - interval '10 seconds' AND now() - interval '2 seconds'`,
  );
  await database.sql(`SELECT graphile_worker.add_job('messenger.find-unsent', '{}', job_key => 'find-unsent')`);
}

/** Until each is sent, refused or in doubt: what has been lost is looked for by and by, as by the minute's scan. */
export async function untilAllEnded(database: TestDatabase, said: readonly Said[], patienceMs: number): Promise<void> {
  const ids = said.map(({ id }) => id);
  const deadline = Date.now() + patienceMs;
  for (let round = 0; ; round += 1) {
    const [row] = await database.sql<{ open: string }>(
      `SELECT count(*) FILTER (WHERE NOT (${isEnded})) AS open FROM messages WHERE id = ANY ($1)`,
      [ids],
    );
    if (row?.open === '0') return;
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${row?.open} messages.`);
    if (round % 2 === 0) await findLost(database);
    await pause(500);
  }
}

/** Until everything that Meta has told is worked off. */
export async function untilInboxIsEmpty(database: TestDatabase, patienceMs = 20_000): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const [row] = await database.sql<{ open: string }>(
      `SELECT count(*) AS open FROM webhook_events WHERE state = 'received'`,
    );
    if (row?.open === '0') return;
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${row?.open} events.`);
    await database.sql(
      `SELECT graphile_worker.add_job('messenger.process-events', json_build_object('shard', s)) FROM generate_series(0, 3) s`,
    );
    await pause(500);
  }
}

/** Ten minutes without an echo have gone by for what is still in doubt. */
export async function giveUpAll(database: TestDatabase): Promise<void> {
  await database.sql(`UPDATE messages SET doubted_at = now() - interval '11 minutes' WHERE doubted_at IS NOT NULL`);
  await database.sql(`SELECT graphile_worker.add_job('messenger.find-unsent', '{}')`);
  const deadline = Date.now() + 20_000;
  for (;;) {
    const [row] = await database.sql<{ open: string }>(
      `SELECT count(*) AS open FROM messages WHERE status = 'pending'`,
    );
    if (row?.open === '0') return;
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${row?.open} messages.`);
    await pause(200);
  }
}

/**
 * Nothing stands twice; what is called sent stands there under the id that is known here; what is not, does not. In each
 * conversation what stands, stands in the order in which it was queued.
 *
 * @returns how many have ended how
 */
export async function expectEachOnce(
  database: TestDatabase,
  meta: Meta,
  said: readonly Said[],
): Promise<Record<string, number>> {
  const rows = await database.sql<MessageRow>('SELECT * FROM messages WHERE id = ANY ($1)', [said.map(({ id }) => id)]);
  const rowOf = new Map(rows.map((row) => [row.id, row]));
  const stands = await meta.sent();
  const wrong: object[] = [];
  const counts: Record<string, number> = {};
  for (const { id, text } of said) {
    const row = rowOf.get(id);
    const mids = stands.filter((each) => each.text === text).map(({ mid }) => mid);
    const outcome = row?.error_code ?? (row?.platform_message_id ? 'sent' : (row?.status ?? 'gone'));
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    const expected = outcome === 'sent' ? [row?.platform_message_id] : [];
    if (JSON.stringify(mids) !== JSON.stringify(expected)) wrong.push({ text, outcome, mids, expected });
  }
  expect(wrong).toEqual([]);
  await expectInOrder(meta, said);
  return counts;
}

async function expectInOrder(meta: Meta, said: readonly Said[]): Promise<void> {
  for (const talk of new Set(said.map((each) => each.talk))) {
    const queued = said.filter((each) => each.talk === talk).map(({ text }) => text);
    const there = await standing(meta, talk);
    expect(there).toEqual(queued.filter((text) => there.includes(text)));
  }
}
