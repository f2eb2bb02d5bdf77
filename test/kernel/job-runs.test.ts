import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { z } from 'zod';
import { demoAdmin } from '../../src/demo/demo.js';
import { JobHandler, Scheduled } from '../../src/kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../src/kernel/jobs/jobs.js';
import { Schedules } from '../../src/kernel/jobs/schedules.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { type Service, startService } from '../support/service.js';

const secret = 'what-a-provider-said-of-her';
let fails = false;
let ran = 0;

@Injectable()
class TestJobs {
  @Scheduled('30 4 1 1 *')
  @JobHandler('test.yearly', { payload: z.object({}), maxAttempts: 1 })
  async yearly(): Promise<void> {
    ran += 1;
    if (fails) throw new TypeError(secret);
  }

  @JobHandler('test.on-demand', { payload: z.object({}) })
  async onDemand(): Promise<void> {
    ran += 1;
  }
}

let service: Service;
beforeAll(async () => {
  service = await startService({ withWorker: true, providers: [TestJobs] });
});
afterAll(() => service.stop());
beforeEach(() => {
  ran = 0;
  fails = false;
});

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(`It did not come to that: ${what}`);
    await delay(25);
  }
}

interface Listed {
  name: string;
  schedule: string | null;
  nextRunAt: string | null;
  runs: { outcome: string; startedAt: string; finishedAt: string | null; durationMs: number; failure: string | null }[];
}

async function listed(name: string, on = service): Promise<Listed> {
  const { body, status } = await on.call('GET', '/instance/jobs', { token: await on.tokenOf(demoAdmin) });
  expect(status).toBe(200);
  return body.data.find((job: Listed) => job.name === name);
}

let minute = Math.ceil(Date.now() / 60_000) * 60_000;

async function runOnce(on = service): Promise<void> {
  minute += 60_000;
  expect(await on.application.get(Schedules).tick('test.yearly', new Date(minute))).toBe(true);
}

describe('The list of jobs', () => {
  it('holds every job of the service by its name, when it is due, and nothing that has not been', async () => {
    const { body } = await service.call('GET', '/instance/jobs', { token: await service.tokenOf(demoAdmin) });
    const names = body.data.map(({ name }: Listed) => name);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(['auth.send-mail', 'kernel.sweep', 'test.yearly']));
    const next = new Date().getUTCFullYear() + 1;
    expect(await listed('test.yearly')).toEqual({
      name: 'test.yearly',
      schedule: '30 4 1 1 *',
      nextRunAt: `${next}-01-01T04:30:00.000Z`,
      runs: [],
    });
    expect(await listed('test.on-demand')).toMatchObject({ schedule: null, nextRunAt: null });
  });

  it('tells how the last five runs ended, the newest first, and of a failure its kind alone', async () => {
    for (let run = 1; run <= 6; run += 1) {
      fails = run === 6;
      await runOnce();
      await until(async () => (await listed('test.yearly')).runs.length === Math.min(run, 5) && ran === run);
      await until(async () => (await listed('test.yearly')).runs[0]?.finishedAt !== null);
    }
    const { runs } = await listed('test.yearly');
    expect(runs.map(({ outcome, failure }) => [outcome, failure])).toEqual([
      ['failed', 'TypeError'],
      ...Array(4).fill(['done', null]),
    ]);
    expect(runs.map(({ startedAt }) => startedAt)).toEqual(
      runs
        .map(({ startedAt }) => startedAt)
        .sort()
        .reverse(),
    );
    for (const run of runs) expect(run.durationMs).toBeGreaterThanOrEqual(0);
    expect(JSON.stringify(await service.database.sql('SELECT * FROM jobs.runs'))).not.toContain(secret);
    await service.database.sql('DELETE FROM graphile_worker._private_jobs');
  });

  it('keeps fifty of a name, and those of no other', async () => {
    await service.database.sql(`SELECT jobs.begin_run('test.other', 7, 'x')`);
    await service.database.sql(`SELECT jobs.begin_run('test.yearly', n, 'x') FROM generate_series(1000, 1100) AS n`);
    const kept = await service.database.sql(
      `SELECT min(job_id)::int AS oldest, count(*)::int FROM jobs.runs WHERE name = 'test.yearly'`,
    );
    expect(kept).toEqual([{ oldest: 1051, count: 50 }]);
    expect(await service.database.sql(`SELECT FROM jobs.runs WHERE name = 'test.other'`)).toHaveLength(1);
    await service.database.sql('DELETE FROM jobs.runs');
  });

  it('leaves out what a request has added, which may come by the thousand', async () => {
    const { application } = service;
    await application
      .get(Transactions)
      .runAs({ service: 'sweep expired keys' }, () => application.get(Jobs).enqueue('test.on-demand', {}));
    await until(() => ran === 1);
    expect((await listed('test.on-demand')).runs).toEqual([]);
  });

  it('is the same from every instance, with a worker or without', async () => {
    const other = await startService({ database: service.database, providers: [TestJobs] });
    await runOnce();
    await until(async () => (await listed('test.yearly')).runs[0]?.outcome === 'done');
    expect(await listed('test.yearly', other)).toEqual(await listed('test.yearly'));
    await other.stop();
  });

  it('that cannot be kept stops no job', async () => {
    await service.database.sql('ALTER TABLE jobs.runs RENAME TO runs_away');
    await runOnce();
    await until(() => ran === 1);
    await until(async () => {
      const left = await service.database.sql(`SELECT FROM graphile_worker.jobs WHERE task_identifier = 'test.yearly'`);
      return left.length === 0;
    });
    await service.database.sql('ALTER TABLE jobs.runs_away RENAME TO runs');
  });
});

describe('The runs', () => {
  it.each(['anon', 'authenticated', 'service_role'])('are nothing to %s, and to an admin no table', async (role) => {
    const client = new pg.Client(service.database.apiUrl);
    await client.connect();
    const codeOf = (text: string) =>
      client.query(text).then(
        () => 'done',
        ({ code }: pg.DatabaseError) => code,
      );
    await client.query(`SET ROLE ${role}`);
    for (const text of [
      `SELECT * FROM jobs.recent_runs('{test.yearly}', 5)`,
      'SELECT * FROM jobs.runs',
      `SELECT jobs.begin_run('forged', 1, 'x')`,
      `SELECT jobs.end_run(1, 1, NULL)`,
      'SELECT jobs.lose_runs()',
    ])
      expect([text, await codeOf(text)]).toEqual([text, '42501']);
    await client.query('SET ROLE super_admin');
    expect(await codeOf('SELECT * FROM jobs.runs')).toBe('42501');
    await client.end();
  });
});

describe('A worker that is killed in the middle of a run', () => {
  it('leaves one that says so: with the next heartbeat that misses it, and at the latest when the job runs again', async () => {
    const lonely = await startService();
    const blocker = new pg.Client(lonely.database.adminUrl);
    await blocker.connect();
    await blocker.query('BEGIN; LOCK TABLE app.idempotency_keys');
    await lonely.database.sql(`SELECT graphile_worker.add_job('kernel.sweep', '{}', max_attempts => 5)`);
    const worker = startWorker(lonely);
    const outcomes = async () => (await listed('kernel.sweep', lonely)).runs.map(({ outcome }) => outcome);
    await until(async () => (await outcomes())[0] === 'running');
    worker.kill('SIGKILL');
    expect((await listed('kernel.sweep', lonely)).runs).toMatchObject([{ finishedAt: null, failure: null }]);

    await age(lonely);
    await lonely.database.sql(`SELECT jobs.heartbeat('{another}')`);
    expect(await outcomes()).toEqual(['lost']);

    await lonely.database.sql(`UPDATE jobs.runs SET outcome = 'running'`);
    await blocker.query('ROLLBACK');
    await blocker.end();
    const heir = startWorker(lonely);
    await until(async () => (await outcomes())[0] === 'done');
    expect(await outcomes()).toEqual(['done', 'lost']);
    heir.kill('SIGTERM');
    await lonely.stop();
  });

  /** As if two minutes had passed in which only another worker was heard of. */
  async function age({ database }: Service): Promise<void> {
    await database.sql(`UPDATE graphile_worker._private_jobs SET locked_at = now() - interval '2 minutes'`);
    await database.sql(`UPDATE jobs.runs SET started_at = now() - interval '2 minutes'`);
    await database.sql(`UPDATE jobs.workers SET seen_at = now() - interval '2 minutes'`);
    await database.sql(`INSERT INTO jobs.workers VALUES ('another', now())`);
  }

  function startWorker({ database, config }: Service) {
    const env = {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      DATA_DIR: config.dataDir,
      DATABASE_URL: database.apiUrl,
      MIGRATION_DATABASE_URL: database.adminUrl,
    };
    return spawn(process.execPath, ['dist/src/worker.js'], { env, stdio: 'ignore' });
  }
});
