import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { z } from 'zod';
import { demoAddress } from '../../src/demo/demo.js';
import { JobHandler } from '../../src/kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../src/kernel/jobs/jobs.js';
import { Schedules } from '../../src/kernel/jobs/schedules.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { testServer } from '../support/database.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Service, startService } from '../support/service.js';

const secret = 'what-a-provider-said-of-her';
const serviceActor = { service: 'sweep expired keys' } as const;

/** What the jobs of this file did, and how the next ones shall behave. */
const done: string[] = [];
const runs = new Map<string, number>();
let failures = 0;
let release: () => void = () => undefined;
let held = Promise.resolve();

@Injectable()
class TestJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  @JobHandler('test.note', { payload: z.object({ note: z.string() }) })
  async note({ note }: { note: string }): Promise<void> {
    runs.set(note, (runs.get(note) ?? 0) + 1);
    await delay(5);
    done.push(note);
  }

  @JobHandler('test.fail', { payload: z.object({}), maxAttempts: 3 })
  async fail(): Promise<void> {
    if (failures > 0) {
      failures -= 1;
      throw new Error(secret);
    }
    done.push('failed at first');
  }

  @JobHandler('test.hold', { payload: z.object({ name: z.string() }) })
  async hold({ name }: { name: string }): Promise<void> {
    runs.set(name, (runs.get(name) ?? 0) + 1);
    await held;
    done.push(name);
  }

  @JobHandler('test.slow', { payload: z.object({}) })
  async slow(): Promise<void> {
    runs.set('slow', 1);
    for (let step = 0; step < 3; step += 1) {
      await delay(200);
      await this.transactions.runAs(serviceActor, () => this.database.query('SELECT 1'));
    }
    done.push('slow');
  }
}

let service: Service;
let mailbox: Mailbox;
beforeAll(async () => {
  mailbox = await openMailbox();
  service = await startService({
    withWorker: true,
    providers: [TestJobs],
    variables: { SMTP_URL: mailbox.smtpUrl },
  });
});
afterAll(async () => {
  release();
  await service.stop();
  await mailbox.stop();
});
beforeEach(() => {
  done.length = 0;
  runs.clear();
});

/** Until it is so, or the patience of a test is at its end. */
async function until(what: () => boolean | Promise<boolean>, patienceMs = 15_000): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(`It did not come to that: ${what}`);
    await delay(25);
  }
}

function enqueue(name: string, payload: object, options: { key?: string; runAt?: Date } = {}, on = service) {
  const { application } = on;
  return application.get(Transactions).runAs(serviceActor, () => application.get(Jobs).enqueue(name, payload, options));
}

interface QueuedJob {
  id: string;
  attempts: number;
  last_error: string | null;
  waits: number;
  locked_by: string | null;
}

const queued = (name: string, on = service) =>
  on.database.sql<QueuedJob>(
    `SELECT id, attempts, last_error, locked_by, extract(epoch FROM run_at - now())::float AS waits
       FROM graphile_worker.jobs WHERE task_identifier = $1 ORDER BY id`,
    [name],
  );
const hurry = () => service.database.sql(`UPDATE graphile_worker._private_jobs SET run_at = now()`);

function holdJobs(): void {
  held = new Promise((resolve) => {
    release = resolve;
  });
}

describe('A job', () => {
  it('exists exactly if the transaction that added it was committed', async () => {
    const { application } = service;
    const aborted = application.get(Transactions).runAs(serviceActor, async () => {
      await application.get(Jobs).enqueue('test.note', { note: 'rolled back' });
      throw new Error('after all not');
    });
    await expect(aborted).rejects.toThrow('after all not');
    await enqueue('test.note', { note: 'committed' });

    await until(() => done.includes('committed'));
    expect(done).toEqual(['committed']);
    expect(await queued('test.note')).toEqual([]);
  });

  it('cannot be added under a name that nobody handles', async () => {
    await expect(enqueue('test.nobody', {})).rejects.toThrow(/no handler/);
  });

  it('waits for its time, and a later one of the same key takes its place', async () => {
    const runAt = new Date(Date.now() + 3_600_000);
    await enqueue('test.note', { note: 'first' }, { key: 'the-key', runAt });
    await enqueue('test.note', { note: 'second' }, { key: 'the-key', runAt });
    const waiting = await queued('test.note');
    expect(waiting).toHaveLength(1);
    expect(waiting[0]?.waits).toBeGreaterThan(3_500);

    await enqueue('test.note', { note: 'third' }, { key: 'the-key' });
    await until(() => done.length > 0);
    expect(done).toEqual(['third']);
  });

  it('that fails runs again, later each time, and keeps no word of what went wrong but its kind', async () => {
    failures = 2;
    await enqueue('test.fail', {});
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await until(async () => (await queued('test.fail'))[0]?.last_error !== null && failures === 2 - attempt);
      const [job] = await queued('test.fail');
      expect(job).toMatchObject({ attempts: attempt, last_error: 'Error' });
      waits.push(job?.waits ?? 0);
      await service.database.sql('UPDATE graphile_worker._private_jobs SET last_error = NULL');
      await hurry();
    }
    await until(() => done.includes('failed at first'));
    expect(waits[0]).toBeGreaterThan(1);
    expect(waits[1]).toBeGreaterThan((waits[0] ?? 0) * 2);
  });

  it('with a payload that its handler does not take fails without showing it', async () => {
    await enqueue('test.note', { note: { secret } });
    await until(async () => (await queued('test.note'))[0]?.last_error !== null);
    expect((await queued('test.note'))[0]?.last_error).toBe('ZodError');
    await service.database.sql('DELETE FROM graphile_worker._private_jobs');
  });
});

describe('A job that was given up', () => {
  async function giveUp(): Promise<string> {
    failures = 3;
    await enqueue('test.fail', {});
    const [{ id } = { id: '' }] = await queued('test.fail');
    await until(async () => {
      await hurry();
      const [job] = await queued('test.fail');
      return job?.attempts === 3 && job.locked_by === null && failures === 0;
    }, 25_000);
    return id;
  }

  it('is listed for an admin without its payload, and runs again when told to', async () => {
    const id = await giveUp();
    const token = await service.tokenOf('admin@polyclinic.example');
    const list = await service.call('GET', '/instance/jobs/dead', { token });
    expect(list.body).toEqual({
      data: [expect.objectContaining({ id, name: 'test.fail', attempts: 3, lastError: 'Error', key: null })],
      nextCursor: null,
    });
    expect(list.text).not.toContain('payload');

    expect((await service.call('POST', `/instance/jobs/${id}/retry`, { token })).status).toBe(204);
    await until(() => done.includes('failed at first'));
    expect((await service.call('GET', '/instance/jobs/dead', { token })).body.data).toEqual([]);
    const again = await service.call('POST', `/instance/jobs/${id}/retry`, { token });
    expect([again.status, again.body.code]).toEqual([404, 'not-found']);
  });

  it('is listed page by page, newest first', async () => {
    await service.database.sql(
      `SELECT graphile_worker.add_job('test.fail', '{}', run_at => now() + interval '1 day', max_attempts => 1) FROM generate_series(1, 5)`,
    );
    await service.database.sql('UPDATE graphile_worker._private_jobs SET attempts = max_attempts');
    const token = await service.tokenOf('admin@polyclinic.example');
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const at: string = cursor === null ? '' : `&cursor=${cursor}`;
      const { body } = await service.call('GET', `/instance/jobs/dead?limit=2${at}`, { token });
      seen.push(...body.data.map((job: { id: string }) => job.id));
      cursor = body.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(5);
    expect(seen).toEqual([...seen].sort((one, other) => Number(other) - Number(one)));
    await service.database.sql('DELETE FROM graphile_worker._private_jobs');
  });

  it.each([
    ['owner', 403],
    ['clinic_admin', 403],
    [undefined, 401],
  ] as const)('is nothing to %s', async (role, status) => {
    const options = role ? { token: await service.tokenOf(demoAddress(role, 'northside')) } : {};
    for (const path of ['/instance/jobs', '/instance/jobs/dead'])
      expect((await service.call('GET', path, options)).status).toBe(status);
    expect((await service.call('POST', '/instance/jobs/1/retry', options)).status).toBe(status);
  });

  it('is one that waits for no attempt: a living job cannot be pushed', async () => {
    await enqueue('test.note', { note: 'later' }, { runAt: new Date(Date.now() + 3_600_000) });
    const [job] = await queued('test.note');
    const token = await service.tokenOf('admin@polyclinic.example');
    expect((await service.call('POST', `/instance/jobs/${job?.id}/retry`, { token })).status).toBe(404);
    await service.database.sql('DELETE FROM graphile_worker._private_jobs');
  });
});

describe('The queue', () => {
  it.each(['anon', 'authenticated'])('gives %s one door, and that only within a request', async (role) => {
    const client = new pg.Client(service.database.apiUrl);
    await client.connect();
    await client.query(`SET ROLE ${role}`);
    const codeOf = (text: string) =>
      client.query(text).then(
        () => 'done',
        ({ code }: pg.DatabaseError) => code,
      );
    expect(await codeOf(`SELECT jobs.enqueue('test.note', '{}', NULL, NULL, 1)`)).toBe('PC403');
    for (const text of [
      'SELECT jobs.retry(1)',
      'SELECT * FROM jobs.dead(NULL, 10)',
      `SELECT jobs.tick('kernel.sweep', now(), 1)`,
      `SELECT jobs.heartbeat(ARRAY['x'])`,
      'SELECT * FROM graphile_worker.jobs',
      `SELECT graphile_worker.add_job('test.note', '{}')`,
      `SELECT graphile_worker.complete_jobs(ARRAY[1])`,
      `SELECT graphile_worker.permanently_fail_jobs(ARRAY[1])`,
    ])
      expect([text, await codeOf(text)]).toEqual([text, '42501']);
    await client.end();
  });

  it('runs each job once, whichever of two instances takes it', async () => {
    const other = await startService({ database: service.database, withWorker: true, providers: [TestJobs] });
    const notes = Array.from({ length: 60 }, (_, index) => `note ${index}`);
    await Promise.all(notes.map((note) => enqueue('test.note', { note })));
    await until(() => done.length >= 60);
    await other.stop();
    expect([...done].sort()).toEqual([...notes].sort());
    expect([...runs.values()]).toEqual(Array(60).fill(1));
  });

  it('is given the run of a period once, however many instances tick', async () => {
    const schedules = service.application.get(Schedules);
    const minute = Math.ceil(Date.now() / 60_000) * 60_000;
    const at = new Date(minute + 31_000);
    const ticks = await Promise.all(Array.from({ length: 20 }, () => schedules.tick('test.note', at)));
    expect(ticks.filter(Boolean)).toHaveLength(1);
    expect(await schedules.tick('test.note', new Date(minute + 59_000))).toBe(false);
    expect(await schedules.tick('test.note', new Date(minute + 60_000))).toBe(true);
    await service.database.sql('DELETE FROM graphile_worker._private_jobs');
  });
});

describe('A worker that was killed', () => {
  it('loses no job: another takes it when the dead one has not been heard of for a minute', async () => {
    await service.call('GET', '/auth/me');
    const lonely = await startService({ variables: { SMTP_URL: mailbox.smtpUrl } });
    mailbox.hanging = true;
    const worker = startWorker(lonely);
    await lonely.call('POST', '/auth/password/forgot', { body: { email: demoAddress('owner', 'northside') } });
    await until(() => mailbox.hung > 0);
    worker.kill('SIGKILL');
    mailbox.hanging = false;
    const [job] = await queued('auth.send-mail', lonely);
    expect(job?.locked_by).toMatch(/^pool-/);

    await lonely.database.sql(`UPDATE graphile_worker._private_jobs SET locked_at = now() - interval '2 minutes'`);
    await lonely.database.sql(`UPDATE jobs.workers SET seen_at = now() - interval '2 minutes'`);
    await lonely.database.sql(`INSERT INTO jobs.workers VALUES ('another that lives', now())`);
    const heir = startWorker(lonely);
    await mailbox.next(demoAddress('owner', 'northside'));
    await until(async () => (await queued('auth.send-mail', lonely)).length === 0);
    heir.kill('SIGTERM');
    await lonely.stop();
  });

  function startWorker({ database, config }: Service): ChildProcess {
    const env = {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      DATA_DIR: config.dataDir,
      DATABASE_URL: database.apiUrl,
      MIGRATION_DATABASE_URL: database.adminUrl,
      SMTP_URL: mailbox.smtpUrl,
    };
    return spawn(process.execPath, ['dist/src/worker.js'], { env, stdio: 'inherit' });
  }
});

describe('Workers that could not be heard for more than a minute', () => {
  it('keep their jobs: the first who is back waits for the others', async () => {
    const { database } = service;
    await database.sql(`DELETE FROM jobs.workers`);
    await database.sql(`INSERT INTO jobs.workers VALUES ('other', now() - interval '2 minutes')`);
    await database.sql(`SELECT graphile_worker.add_job('test.note', '{}', run_at => now() + interval '1 day')`);
    await database.sql(
      `UPDATE graphile_worker._private_jobs SET locked_by = 'other', locked_at = now() - interval '5 minutes'`,
    );
    const holder = async () => (await queued('test.note'))[0]?.locked_by;
    await database.sql(`SELECT jobs.heartbeat('{first}')`);
    expect(await holder()).toBe('other');
    await database.sql(`SELECT jobs.heartbeat('{other}')`);
    await database.sql(`SELECT jobs.heartbeat('{first}')`);
    expect(await holder()).toBe('other');
    await database.sql(`UPDATE jobs.workers SET seen_at = now() - interval '2 minutes' WHERE id = 'other'`);
    await database.sql(`SELECT jobs.heartbeat('{first}')`);
    expect(await holder()).toBeNull();
    await database.sql('DELETE FROM graphile_worker._private_jobs');
  });
});

describe('A database that is away at the moment when a job ends', () => {
  it('leaves the service alive: the job runs again, and so do the others', async () => {
    holdJobs();
    await enqueue('test.hold', { name: 'caught' });
    await until(() => runs.has('caught'));
    await setReachable(false);
    release();
    await until(() => done.includes('caught'));
    await delay(1_500);
    await setReachable(true);

    await until(async () => (await service.call('GET', '//health/ready')).status === 200);
    await enqueue('test.note', { note: 'afterwards' });
    await until(() => done.includes('afterwards'));
    const [left] = await queued('test.hold');
    expect(left?.locked_by).toMatch(/^pool-/);

    await service.database.sql(`UPDATE graphile_worker._private_jobs SET locked_at = now() - interval '2 minutes'`);
    await service.database.sql(`UPDATE jobs.workers SET seen_at = now() - interval '2 minutes' WHERE id = $1`, [
      left?.locked_by,
    ]);
    await service.database.sql(`INSERT INTO jobs.workers VALUES ('another', now()) ON CONFLICT DO NOTHING`);
    await service.database.sql(`SELECT jobs.heartbeat('{}')`);
    await until(async () => (await queued('test.hold')).length === 0);
    expect(runs.get('caught')).toBe(2);
  });

  async function setReachable(reachable: boolean): Promise<void> {
    const name = new URL(service.database.adminUrl).pathname.slice(1);
    const admin = new pg.Client(testServer().adminUrl);
    await admin.connect();
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${reachable}`);
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await admin.end();
  }
});

describe('A stop', () => {
  it('lets the jobs that run come to their end, with all that they need', async () => {
    const short = await startService({ withWorker: true, providers: [TestJobs] });
    await enqueue('test.slow', {}, {}, short);
    await until(() => runs.has('slow'));
    await short.application.close();
    expect(done).toEqual(['slow']);
    expect(await queued('test.slow', short)).toEqual([]);
    await short.database.drop();
  });

  it('waits for no job that does not end: it is given back', async () => {
    const short = await startService({ withWorker: true, providers: [TestJobs] });
    holdJobs();
    await enqueue('test.hold', { name: 'endless' }, {}, short);
    await until(() => runs.has('endless'));
    const begun = Date.now();
    await short.application.close();
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(await queued('test.hold', short)).toEqual([
      expect.objectContaining({ attempts: 1, locked_by: null, last_error: 'JobInterrupted' }),
    ]);
    release();
    await short.database.drop();
  });
});
