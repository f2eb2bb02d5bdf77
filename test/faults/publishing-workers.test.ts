import { setTimeout as pause } from 'node:timers/promises';
import { type Meta, startMeta } from '../support/meta.js';
import type { ServiceProcess } from '../support/process.js';
import { type Connected, connect, due } from '../support/publishing.js';
import { expectEachOnce, startWorker, untilAllEnded } from '../support/publishing-workers.js';
import { type Service, startService } from '../support/service.js';
import { expectNoTrace } from '../support/traces.js';

/** Workers are processes of their own here, killed as a machine kills them: without a word, at any moment. */

const posts = 500;
const captions = Array.from({ length: posts }, (_, number) => `Post number ${number} of many`);
const workersAtOnce = 4;
const patienceMs = 150_000;

let meta: Meta;
let service: Service;
let account: Connected;
let ended = false;
const workers: ServiceProcess[] = [];

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  account = await connect(meta, service, 'Northside');
  await meta.control('limit', { instagramId: account.instagramId, used: 0, total: 10_000 });
  await meta.control('latency', { ms: 20 });
}, 60_000);
afterAll(async () => {
  ended = true;
  for (const { child } of workers) child.kill('SIGKILL');
  await service.stop();
  await meta.stop();
});

function addWorker(): ServiceProcess {
  const worker = startWorker(service, meta);
  workers.push(worker);
  return worker;
}

/** Kills one worker after the other at random moments, and starts another in its place. */
async function killAtRandom(living: ServiceProcess[], isOver: () => boolean): Promise<number> {
  let killed = 0;
  while (!isOver()) {
    await pause(500 + Math.random() * 1_500);
    const [victim] = living.splice(Math.floor(Math.random() * living.length), 1);
    victim?.child.kill('SIGKILL');
    killed += 1;
    living.push(addWorker());
  }
  return killed;
}

describe('Five hundred posts that are due at once', () => {
  it('are each on the page once, whatever becomes of their four workers', async () => {
    for (const [number, caption] of captions.entries())
      await due(meta, service.database, number % 5 === 0 ? account.page : account.instagram, { caption });
    const living = Array.from({ length: workersAtOnce }, addWorker);
    const killing = killAtRandom(living, () => ended || workers.length > 16);
    await untilAllEnded(service, account, { posts, patienceMs });
    const killed = await killing;
    expect(killed).toBeGreaterThan(8);
    expect(await expectEachOnce(service, meta, account)).toBeLessThan(10);
  }, 240_000);

  it('leave no token and no caption behind', async () => {
    await expectNoTrace({
      database: service.database,
      processes: workers,
      folders: [service.config.dataDir],
      secrets: [...(await meta.tokens()), 'emulator-secret'],
      captions,
    });
  }, 30_000);
});
