import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { type Meta, startMeta } from '../support/meta.js';
import { launch } from '../support/process.js';
import { type Connected, connect, due } from '../support/publishing.js';
import { type Service, startService } from '../support/service.js';

/** Workers are processes of their own here, killed as a machine kills them: without a word, at any moment. */

const posts = 500;
const workersAtOnce = 4;
const patienceMs = 150_000;

let meta: Meta;
let service: Service;
let account: Connected;
let ended = false;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  account = await connect(meta, service, 'Northside');
  await meta.control('limit', { instagramId: account.instagramId, used: 0, total: 10_000 });
  await meta.control('latency', { ms: 20 });
}, 60_000);
afterAll(async () => {
  ended = true;
  for (const worker of workers) worker.kill('SIGKILL');
  await service.stop();
  await meta.stop();
});

function startWorker(): ChildProcess {
  const variables = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    JOBS_CONCURRENCY: '4',
    DATA_DIR: service.config.dataDir,
    DATABASE_URL: service.database.apiUrl,
    MIGRATION_DATABASE_URL: service.database.adminUrl,
    ...meta.variables,
  };
  const { child } = launch(variables, 'worker.js');
  workers.push(child);
  return child;
}

/** Kills one worker after the other at random moments, and starts another in its place. */
async function killAtRandom(living: ChildProcess[], isOver: () => boolean): Promise<number> {
  let killed = 0;
  while (!isOver()) {
    await pause(500 + Math.random() * 1_500);
    const [victim] = living.splice(Math.floor(Math.random() * living.length), 1);
    victim?.kill('SIGKILL');
    killed += 1;
    living.push(startWorker());
  }
  return killed;
}

async function counts(): Promise<Record<string, number>> {
  const rows = await service.database.sql<{ status: string; posts: string }>(
    `SELECT coalesce(error_code, status) AS status, count(*) AS posts FROM social_media_posts
      WHERE social_account_id = ANY ($1) GROUP BY 1`,
    [[account.page, account.instagram]],
  );
  return Object.fromEntries(rows.map(({ status, posts: number }) => [status, Number(number)]));
}

/** The minute after which the scan, which ticks at the full minute, finds what killed workers held: not waited for. */
async function findDue(): Promise<void> {
  await service.database.sql(`SELECT graphile_worker.add_job('social.find-due', '{}')`);
}

async function untilAllEnded(): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let round = 0; ; round += 1) {
    const { published = 0, 'outcome-unknown': unknown = 0 } = await counts();
    if (published + unknown === posts) return;
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${JSON.stringify(await counts())}`);
    if (round % 10 === 0) await findDue();
    await pause(500);
  }
}

describe('Five hundred posts that are due at once', () => {
  it('are each on the page once, whatever becomes of their four workers', async () => {
    for (let number = 0; number < posts; number += 1) {
      const accountId = number % 5 === 0 ? account.page : account.instagram;
      await due(meta, service.database, accountId, { caption: `Post number ${number}` });
    }
    const living = Array.from({ length: workersAtOnce }, startWorker);
    const killing = killAtRandom(living, () => ended || workers.length > 16);
    await untilAllEnded();
    const killed = await killing;
    expect(killed).toBeGreaterThan(8);
    await expectEachOnce();
  }, 240_000);
});

async function expectEachOnce(): Promise<void> {
  const rows = await service.database.sql<{ caption: string; status: string; platform: string; error_code: string }>(
    'SELECT caption, status, platform, error_code FROM social_media_posts WHERE social_account_id = ANY ($1)',
    [[account.page, account.instagram]],
  );
  const standing = new Map<string, number>();
  for (const { caption } of await meta.published()) standing.set(caption, (standing.get(caption) ?? 0) + 1);
  const twice = rows.filter(({ caption }) => (standing.get(caption) ?? 0) > 1);
  expect(twice).toEqual([]);
  const absent = rows.filter(({ caption, status }) => status === 'published' && !standing.has(caption));
  expect(absent).toEqual([]);
  // Of Instagram everything can be known. Of a page it cannot, where a worker was killed between writing and sending.
  const unknown = rows.filter(({ status }) => status !== 'published');
  expect(unknown.every(({ platform, error_code }) => platform === 'facebook' && error_code === 'outcome-unknown')).toBe(
    true,
  );
  expect(unknown.length).toBeLessThan(10);
}
