import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { loadConfig } from '../../dist/src/kernel/config/config.js';
import { parseKeyRing } from '../../dist/src/kernel/secrets/key-ring.js';
import { Vault } from '../../dist/src/kernel/secrets/vault.js';
import { payloadPlace } from '../../dist/src/modules/messenger/inbox/webhook-event.js';
import { laneOf } from '../../dist/src/modules/messenger/webhooks/event-keys.js';
import { answers, databasesOf, median, start, stopAll, wide } from './processes.js';

/**
 * An inbox that has filled up, worked off by one and by two processes of workers: people who write twice, are answered in
 * Meta's own inbox, get the answer and read it. Each batch meets as many conversations as it has events, which is the
 * most work that one can make. Writes test/bench/messenger-backlog-result.json.
 *
 * Usage: npm run bench:messenger-backlog [-- events [rounds]]
 */
const events = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 3);
const pages = 200;
const steps = 5;
const people = Math.ceil(events / steps);
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-backlog-'));
const ours = {
  ...{ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', PUBLIC_URL: 'http://bench.example', NODE_ENV: 'test', ...wide },
};

/** Statements are counted by the server, which has to be started with what counts them. */
async function startCounting() {
  const first = await start('dist/src/main.js', ours, answers);
  const client = new pg.Client(databasesOf(folder).adminUrl);
  await client.connect();
  await client.query(`ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`);
  await client.end();
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
}

await startCounting();
await start('dist/src/main.js', ours, answers, '--without-worker');
const { adminUrl, apiUrl } = databasesOf(folder);
const admin = new pg.Client(adminUrl);
await admin.connect();
await admin.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public');
const vault = new Vault(parseKeyRing(loadConfig(ours).secrets.vaultKeys));

const pageOf = (person) => String(100_000_000_000_000 + (person % pages));
const idOf = (person) => String(200_000_000_000_000 + person);

/** Two hundred people with a page each; none of them has a token that opens, so that nobody's name is asked for. */
async function connectPages() {
  await admin.query(
    `WITH made AS (
       INSERT INTO auth.users (email, email_verified_at)
       SELECT 'bench-' || n || '@bench.example', now() FROM generate_series(0, $1::integer - 1) n RETURNING id, email)
     INSERT INTO messenger_connections (owner_id, page_id, page_name, page_access_token_sealed)
     SELECT id, (100000000000000 + split_part(split_part(email, '@', 1), '-', 2)::bigint)::text, 'Bench', 'v1.none.AA.AA.AA'
       FROM made`,
    [pages],
  );
}

/** What a person does in the given step. */
function happening(person, step, at) {
  const party = { sender: { id: idOf(person) }, recipient: { id: pageOf(person) }, timestamp: at };
  const echo = { sender: { id: pageOf(person) }, recipient: { id: idOf(person) }, timestamp: at };
  const answer = `m_answer_${person}_${'x'.repeat(60)}`;
  switch (step) {
    case 0:
      return {
        ...party,
        message: { mid: `m_${randomUUID()}${randomUUID()}`, text: 'Guten Morgen! Haben Sie am Donnerstag Zeit?' },
      };
    case 1:
      return { ...party, message: { mid: `m_${randomUUID()}${randomUUID()}`, text: 'Gern auch um 10 Uhr.' } };
    case 2:
      return {
        ...echo,
        message: { mid: answer, text: 'Um 10 Uhr passt es, bis Donnerstag!', is_echo: true, app_id: 26 },
      };
    case 3:
      return { ...party, delivery: { mids: [answer], watermark: at } };
    default:
      return { ...party, read: { watermark: at } };
  }
}

/** The inbox as the intake would have filled it, there all at once. */
async function fill() {
  await admin.query('TRUNCATE messages, conversations, webhook_events');
  const began = Date.now() - 60_000;
  const rows = [];
  for (let index = 0; index < events; index += 1) {
    const [step, person] = [Math.floor(index / people), index % people];
    const event = happening(person, step, began + step * 1_000);
    const id = uuidv7();
    const sealed = vault.seal(JSON.stringify({ field: 'messaging', event }), payloadPlace(id));
    rows.push([id, pageOf(person), laneOf({ pageId: pageOf(person), field: 'messaging', event }), `key ${id}`, sealed]);
  }
  await admin.query('BEGIN');
  for (let from = 0; from < rows.length; from += 5_000) {
    const part = rows.slice(from, from + 5_000);
    await admin.query(
      `INSERT INTO webhook_events (id, object, page_id, lane, event_key, payload_sealed)
       SELECT g.id, 'page', g.page_id, g.lane, g.event_key, g.sealed
         FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[]) AS g (id, page_id, lane, event_key, sealed)`,
      [0, 1, 2, 3, 4].map((column) => part.map((row) => row[column])),
    );
  }
  await admin.query('COMMIT');
}

const left = `SELECT FROM webhook_events WHERE state = 'received' LIMIT 1`;
const wrong = `SELECT state, error_code, count(*)::integer FROM webhook_events WHERE state <> 'processed' GROUP BY 1, 2`;

/** What was made of it must be what it says. */
async function expectDone() {
  const { rows: odd } = await admin.query(wrong);
  if (odd.length > 0) throw new Error(`Not processed: ${JSON.stringify(odd)}`);
  const { rows } = await admin.query(
    `SELECT direction, status, count(*)::integer FROM messages GROUP BY 1, 2 ORDER BY 1`,
  );
  const found = rows.map(({ direction, status, count }) => `${count} ${direction} ${status}`).join();
  const expected = `${2 * people} in delivered,${people} out read`;
  if (events % steps === 0 && found !== expected) throw new Error(`${found} are there, not ${expected}.`);
}

/** Of the service's role alone; and with what begins and ends each transaction. */
const statementCounts = `
  SELECT sum(calls) FILTER (WHERE r.rolname = 'service_role' AND s.query !~* '^(begin|commit|savepoint|release)'
                              AND s.query !~ 'begin_work')::float AS own,
         sum(calls) FILTER (WHERE r.rolname IN ('service_role', 'polyclinic_api'))::float AS all
    FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid`;

const slowest = `
  SELECT calls::integer, round(total_exec_time::numeric) AS ms, rows::integer,
         left(regexp_replace(query, '\\s+', ' ', 'g'), 90) AS statement
    FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 12`;

async function workOff(workerCount) {
  const env = { ...ours, DATABASE_URL: apiUrl, MIGRATION_DATABASE_URL: adminUrl };
  const workers = [];
  for (let n = 0; n < workerCount; n += 1) workers.push(await start('dist/src/worker.js', env, /(works) on its jobs/));
  await fill();
  await admin.query('VACUUM ANALYZE webhook_events');
  await admin.query('SELECT pg_stat_statements_reset()');
  const began = performance.now();
  await admin.query(
    `SELECT graphile_worker.add_job('messenger.process-events', json_build_object('shard', shard),
              job_key => 'messenger.process-events:' || shard) FROM generate_series(0, 3) shard`,
  );
  while ((await admin.query(left)).rows.length > 0) await pause(50);
  const seconds = (performance.now() - began) / 1_000;
  const { rows } = await admin.query(statementCounts);
  if (process.env.SHOW_STATEMENTS) console.table((await admin.query(slowest)).rows);
  for (const { child } of workers) child.kill('SIGTERM');
  await Promise.all(workers.map(({ child }) => once(child, 'exit')));
  await expectDone();
  return { rate: events / seconds, own: rows[0].own / events, all: rows[0].all / events };
}

await connectPages();
const samples = { 1: [], 2: [] };
for (let round = 0; round < rounds; round += 1)
  for (const workers of [1, 2]) samples[workers].push(await workOff(workers));

const table = [1, 2].map((workers) => {
  const of = (name) => median(samples[workers].map((sample) => sample[name]));
  return {
    workers,
    'events/s': Math.round(of('rate')),
    'of one worker': Number(median(samples[workers].map((s, n) => s.rate / samples[1][n].rate)).toFixed(2)),
    'statements per event': Number(of('own').toFixed(3)),
    'with those of transactions': Number(of('all').toFixed(3)),
  };
});
console.table(table);
const report = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  conditions: `${events} events of ${people} conversations, ${rounds} rounds, workers and database on the same cores`,
  backlog: table,
};
writeFileSync('test/bench/messenger-backlog-result.json', `${JSON.stringify(report, null, 2)}\n`);

await admin.end();
await stopAll();
rmSync(folder, { recursive: true, force: true });
