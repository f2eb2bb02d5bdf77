import { setTimeout as pause } from 'node:timers/promises';
import { type Meta, startMeta } from '../support/meta.js';
import { type OwnServer, startOwnServer } from '../support/own-server.js';
import type { ServiceProcess } from '../support/process.js';
import { type Connected, connect, due } from '../support/publishing.js';
import { countPosts, expectEachOnce, startWorker, untilAllEnded } from '../support/publishing-workers.js';
import { type Service, startService } from '../support/service.js';
import { expectNoTrace } from '../support/traces.js';

/** The database falls over while workers publish: what they have at Meta they cannot write down, nor ask what comes next. */

const posts = 120;
const patienceMs = 75_000;
const captions = Array.from({ length: posts }, (_, number) => `Post number ${number} of many`);

let server: OwnServer;
let meta: Meta;
let service: Service;
let account: Connected;
const workers: ServiceProcess[] = [];

beforeAll(async () => {
  [server, meta] = await Promise.all([startOwnServer(), startMeta()]);
  service = await startService({ database: server.database, variables: meta.variables });
  account = await connect(meta, service, 'Northside');
  await meta.control('limit', { instagramId: account.instagramId, used: 0, total: 10_000 });
  await meta.control('latency', { ms: 60 });
}, 90_000);
afterAll(async () => {
  for (const { child } of workers) child.kill('SIGKILL');
  await service.stop();
  await meta.stop();
  await server.stop();
});

async function untilStanding(count: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while ((await meta.published()).length < count) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${JSON.stringify(await countPosts(service, account))}`);
    await pause(50);
  }
}

describe('Posts that are due while the database falls over twice', () => {
  it('are each on the page once, or of Facebook unknown, and all of it is known here', async () => {
    for (const [number, caption] of captions.entries())
      await due(meta, service.database, number % 3 === 0 ? account.page : account.instagram, { caption });
    // The lease follows from it, and with it how long this takes.
    const variables = { META_TIMEOUT_MS: '1000' };
    workers.push(startWorker(service, meta, variables), startWorker(service, meta, variables));
    for (const standing of [15, 60]) {
      await untilStanding(standing);
      await server.crash();
    }
    await untilAllEnded(service, account, { posts, patienceMs });
    const inFlight = 2 * workers.length * 4;
    expect(await expectEachOnce(service, meta, account)).toBeLessThanOrEqual(inFlight);
    expect(workers.map(({ child }) => child.exitCode)).toEqual([null, null]);
  }, 150_000);

  it('leave no token and no caption behind', async () => {
    await expectNoTrace({
      database: server.database,
      processes: workers,
      folders: [service.config.dataDir, server.folder],
      secrets: [...(await meta.tokens()), 'emulator-secret'],
      captions,
    });
  }, 30_000);
});
