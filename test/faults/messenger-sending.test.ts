import { setTimeout as pause } from 'node:timers/promises';
import type { FaultKind } from '../emulators/meta/faults.ts';
import { type Meta, startMeta } from '../support/meta.js';
import { GraphClientOfTests } from '../support/meta-graph.js';
import type { ServiceProcess } from '../support/process.js';
import { startWorker } from '../support/publishing-workers.js';
import { hearFrom, openPractice, type Practice, queued, type Talk } from '../support/sending.js';
import { expectEachOnce, giveUpAll, type Said, untilAllEnded, untilInboxIsEmpty } from '../support/sending-workers.js';
import { type Service, startService } from '../support/service.js';
import { expectNoTrace } from '../support/traces.js';

/**
 * Workers are processes of their own here, killed as a machine kills them, while Meta's answers get lost in every way.
 * Meta tells of what it was sent, and what it tells is worked off by the same workers.
 */

const verifyToken = 'a-token-of-this-test';
const talks = 24;
const messagesEach = 6;
const workersAtOnce = 3;
const kills = 8;

/** The answer is lost, whether or not it was sent; and what is refused, for a while or for good. */
const faults: FaultKind[] = [
  ...(['cut-before', 'timeout', 'internal', 'transient'] as const),
  ...(['cut-after', 'slow', 'truncated', 'malformed', 'html', 'internal-after', 'late'] as const),
  ...(['rate-limited', 'page-rate-limited', 'refused'] as const),
];

let meta: Meta;
let service: Service;
let practice: Practice;
let hasEnded = false;
const workers: ServiceProcess[] = [];
const said: Said[] = [];

beforeAll(async () => {
  meta = await startMeta();
  const variables = { ...meta.variables, META_WEBHOOK_VERIFY_TOKEN: verifyToken, META_TIMEOUT_MS: '1000' };
  service = await startService({ variables });
  practice = await openPractice(meta, service);
  await listen();
}, 60_000);
afterAll(async () => {
  hasEnded = true;
  for (const { child } of workers) child.kill('SIGKILL');
  await service.stop();
  await meta.stop();
});

/** Meta tells the service of what is sent, as of a page that somebody has connected. */
async function listen(): Promise<void> {
  const subscribed_fields = 'messages,messaging_postbacks,message_deliveries,message_reads,message_echoes';
  const [token] = (await meta.tokens()).slice(-1);
  const { status } = await new GraphClientOfTests(meta).post(`${practice.pageId}/subscribed_apps`, token ?? '', {
    subscribed_fields,
  });
  if (status !== 200) throw new Error('The page cannot be subscribed.');
  await meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, verifyToken);
  await meta.webhooks({ echoes: true, duplicate: 0.2, shuffle: true });
  await meta.control('latency', { ms: 20 });
}

function addWorker(): ServiceProcess {
  const worker = startWorker(service, meta, { META_TIMEOUT_MS: '1000' });
  workers.push(worker);
  return worker;
}

/** Kills one worker after the other at random moments, and starts another in its place. */
async function killAtRandom(): Promise<void> {
  const living = Array.from({ length: workersAtOnce }, addWorker);
  for (let killed = 0; killed < kills && !hasEnded; killed += 1) {
    await pause(700 + Math.random() * 1_000);
    const [victim] = living.splice(Math.floor(Math.random() * living.length), 1);
    victim?.child.kill('SIGKILL');
    living.push(addWorker());
  }
}

async function sayEverything(): Promise<void> {
  const all: Talk[] = [];
  for (let number = 0; number < talks; number += 1) {
    const channel = number % 3 === 0 ? 'instagram' : 'messenger';
    all.push(await hearFrom(meta, service, practice, `Patient ${number}`, { channel }));
  }
  for (let number = 0; number < messagesEach; number += 1)
    for (const [index, talk] of all.entries()) {
      const text = `Answer ${number} to patient ${index}`;
      said.push({ id: await queued(service, talk, text), talk, text });
    }
}

describe('Answers whose workers are killed and whose calls go wrong in every way', () => {
  it('each stand in their conversation once, or are known not to', async () => {
    for (const [index, kind] of faults.entries())
      for (const after of [index * 2, 30 + index * 3])
        await meta.fault({ on: 'page.message', kind, after, retryAfter: 1, delayMs: 1_500 });
    await sayEverything();
    const killing = killAtRandom();
    await untilAllEnded(service.database, said, 90_000);
    await killing;
    await meta.settled();
    await untilInboxIsEmpty(service.database);
    await giveUpAll(service.database);
    const counts = await expectEachOnce(service.database, meta, said);
    expect(counts.sent).toBeGreaterThan(said.length * 0.7);
    expect(
      Object.keys(counts).filter((outcome) => !['sent', 'outcome-unknown', 'meta-refused'].includes(outcome)),
    ).toEqual([]);
  }, 150_000);

  it('are in their conversations here once each, too', async () => {
    const [row] = await service.database.sql<{ messages: string }>(
      `SELECT count(*) AS messages FROM messages WHERE direction = 'out'`,
    );
    expect(Number(row?.messages)).toBe(said.length);
  });

  it('leave no token and no text behind', async () => {
    await expectNoTrace({
      database: service.database,
      processes: workers,
      folders: [service.config.dataDir],
      secrets: [...(await meta.tokens()), 'emulator-secret', verifyToken, ...said.map(({ text }) => text)],
    });
  }, 30_000);
});
