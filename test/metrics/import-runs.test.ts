import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import { demoAddress } from '../../src/demo/demo.js';
import { ImportIntake } from '../../src/modules/metrics/imports/import-intake.js';
import { ImportRuns } from '../../src/modules/metrics/imports/import-runs.js';
import { importStatuses, importTransitions } from '../../src/modules/metrics/imports/import-states.js';
import { ImportJobs } from '../../src/modules/metrics/imports/imports.jobs.js';
import type { SourceRow } from '../../src/modules/metrics/imports/rows.js';
import { UndoRuns } from '../../src/modules/metrics/imports/undo-runs.js';
import { followed, upload } from '../support/imports.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** Imports on their way: their states, crashes in the middle, and what is left behind. The service has no worker here. */

let service: Service;
let clinicId: string;
let admin: string;

beforeAll(async () => {
  service = await startService();
  admin = await as('clinic_admin');
  clinicId = (await service.call('GET', '/clinics', { token: admin })).body.data[0].id;
});
afterAll(() => service.stop());
beforeEach(() => service.database.sql('DELETE FROM financial_metrics'));

const as = (role: string) => service.tokenOf(demoAddress(role, 'northside'));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const mapping = {
  columns: [
    { column: 'Date', field: 'date' },
    { column: 'Amount', field: 'amount' },
  ],
  constants: { metricType: 'production' },
};
const fileOf = (rows: number) =>
  `Date,Amount\n${Array.from({ length: rows }, (_, row) => `2025-03-0${1 + (row % 9)},${row}\n`).join('')}`;
async function send(content: string, token = admin): Promise<Answer> {
  const fields = { table: 'financial_metrics', mapping };
  return upload(service, `/clinics/${clinicId}/imports`, token, { fields, content });
}
const runs = () => service.application.get(ImportRuns, { strict: false });
const jobs = () => service.application.get(ImportJobs, { strict: false });
const undoing = () => service.application.get(UndoRuns, { strict: false });
const countOf = async (table: string) =>
  (await service.database.sql(`SELECT FROM ${table} WHERE clinic_id = $1`, [clinicId])).length;

describe('The states of an import', () => {
  const pairs = importStatuses.flatMap((from) =>
    importStatuses.filter((to) => to !== from).map((to) => [from, to] as const),
  );

  it.each(pairs)('from %s to %s: the service and the database agree on it', async (from, to) => {
    const [{ id } = { id: '' }] = await service.database.sql<{ id: string }>(
      `INSERT INTO imports (clinic_id, source, name, format, target_table, mode, mapping, status)
       VALUES ($1, 'rows', 'state', 'rows', 'financial_metrics', 'upsert', '{}', $2) RETURNING id`,
      [clinicId, from],
    );
    const moved = service.database.sql('UPDATE imports SET status = $2 WHERE id = $1', [id, to]);
    if (importTransitions[from].includes(to)) await moved;
    else await expect(moved).rejects.toMatchObject({ code: 'PC409', message: 'import-state' });
    await service.database.sql(`DELETE FROM imports WHERE id = $1`, [id]);
  });
});

describe('Cancelling', () => {
  it('takes an import that waits out of the queue: nothing of it is written or kept', async () => {
    const { body } = await send(fileOf(3), await as('staff'));
    expect(body.status).toBe('queued');
    const path = `/clinics/${clinicId}/imports/${body.id}`;
    expect(outcome(await service.call('POST', `${path}/cancel`, { token: await as('provider') }))).toEqual([
      403,
      'forbidden',
    ]);
    expect(outcome(await service.call('POST', `${path}/cancel`, { token: await as('viewer') }))).toEqual([
      403,
      'role-too-low',
    ]);
    const both = await Promise.all([1, 2].map(() => service.call('POST', `${path}/cancel`, { token: admin })));
    expect(both.map(outcome).sort()).toEqual([
      [200, undefined],
      [409, 'import-state'],
    ]);
    expect(await runs().run(clinicId, body.id)).toMatchObject({ status: 'cancelled', inserted: 0 });
    expect([await countOf('financial_metrics'), await countOf('import_files')]).toEqual([0, 0]);
    expect(outcome(await service.call('POST', `${path}/undo`, { token: admin }))).toEqual([409, 'import-state']);
  });

  it('is too late for one that runs or is over', async () => {
    const { body } = await send(fileOf(3));
    await runs().run(clinicId, body.id);
    const late = await service.call('POST', `/clinics/${clinicId}/imports/${body.id}/cancel`, { token: admin });
    expect(outcome(late)).toEqual([409, 'import-state']);
    expect(await runs().run(clinicId, body.id)).toMatchObject({ status: 'done', inserted: 3 });
    expect(await countOf('financial_metrics')).toBe(3);
  });
});

describe('A worker that is killed in the middle of the merge', () => {
  it('leaves nothing half-written; the next one brings every row in, once', async () => {
    await dawdleAfter('INSERT');
    const answer = await send(fileOf(2_000));
    const worker = startWorker();
    await until(isDawdling);
    worker.kill('SIGKILL');
    const [claimed] = await service.database.sql('SELECT status, attempts FROM imports WHERE id = $1', [
      answer.body.id,
    ]);
    expect([claimed, await countOf('financial_metrics')]).toEqual([{ status: 'running', attempts: 1 }, 0]);
    await passAMinute();
    await service.database.sql('DROP TRIGGER zz_dawdle ON financial_metrics');
    const heir = startWorker();
    const done = await followed(service, admin, answer);
    heir.kill('SIGTERM');
    expect(done).toMatchObject({ status: 'done', rowsRead: 2_000, inserted: 2_000, rejected: 0 });
    expect(await countOf('financial_metrics')).toBe(2_000);
  });
});

describe('Undoing', () => {
  const done = async (rows: number) => (await runs().run(clinicId, (await send(fileOf(rows))).body.id)).id;
  const undo = (id: string) => service.call('POST', `/clinics/${clinicId}/imports/${id}/undo`, { token: admin });
  const read = async (id: string) =>
    (await service.call('GET', `/clinics/${clinicId}/imports/${id}`, { token: admin })).body;

  it('of 50,000 rows, changed ones among them, is quick although no statistics know them yet', async () => {
    const columns = [...mapping.columns, { column: 'Ref', field: 'sourceReference' }];
    const referenced = (amount: number) =>
      `Date,Amount,Ref\n${Array.from({ length: 50_000 }, (_, row) => `2024-0${1 + (row % 9)}-01,${row + amount},r${row}\n`).join('')}`;
    const bring = async (amount: number) => {
      const fields = { table: 'financial_metrics', mapping: { ...mapping, columns } };
      const { body } = await upload(service, `/clinics/${clinicId}/imports`, admin, {
        fields,
        content: referenced(amount),
      });
      return runs().run(clinicId, body.id);
    };
    const sum = async () =>
      (await service.database.sql('SELECT count(*)::integer, sum(amount)::text FROM financial_metrics'))[0];
    const first = await bring(0);
    const before = await sum();
    expect(await bring(0)).toMatchObject({ unchanged: 50_000 });
    const second = await bring(0.5);
    expect([first.inserted, second.updated]).toEqual([50_000, 50_000]);
    for (const [{ id }, left] of [
      [second, before],
      [first, { count: 0, sum: null }],
    ] as const) {
      const asked = performance.now();
      expect((await undo(id)).status).toBe(202);
      await undoing().run(clinicId, id);
      // Each row compared with every other one takes minutes.
      expect(performance.now() - asked).toBeLessThan(30_000);
      expect([(await read(id)).status, await sum()]).toEqual(['undone', left]);
    }
  }, 120_000);

  it('waits as a job; when rows were changed meanwhile nothing is undone, and the import says why', async () => {
    const id = await done(5);
    expect((await undo(id)).body).toMatchObject({ status: 'undoing' });
    expect(outcome(await undo(id))).toEqual([409, 'import-state']);
    await service.database.sql(`UPDATE financial_metrics SET amount = 99 WHERE amount = 3`);
    await undoing().run(clinicId, id);
    expect(await read(id)).toMatchObject({
      status: 'done',
      problem: {
        code: 'changed-since-import',
        detail: '1 row was changed or deleted after the import. Nothing was undone.',
      },
      undoneAt: null,
      undoneBy: null,
    });
    expect(await countOf('financial_metrics')).toBe(5);
    expect(outcome(await undo(id))).toEqual([409, 'changed-since-import']);
  });

  it('is done with the rights that whoever asked has then: a former admin undoes nothing, also no half', async () => {
    const id = await done(5);
    const becomes = (role: string) =>
      service.database.sql(
        `UPDATE user_clinic_roles SET role = $1 WHERE clinic_id = $2 AND user_id = (SELECT id FROM auth.users WHERE email = $3)`,
        [role, clinicId, demoAddress('staff', 'northside')],
      );
    await becomes('clinic_admin');
    const token = await as('staff');
    expect((await service.call('POST', `/clinics/${clinicId}/imports/${id}/undo`, { token })).status).toBe(202);
    await becomes('staff');
    await undoing().run(clinicId, id);
    expect(await read(id)).toMatchObject({ status: 'done', problem: { code: 'forbidden' } });
    expect(await countOf('financial_metrics')).toBe(5);
  });

  it('whose worker is killed in the middle leaves all as it was; the next one undoes it', async () => {
    const id = await done(2_000);
    await dawdleAfter('DELETE');
    const answer = await undo(id);
    const worker = startWorker();
    await until(isDawdling);
    worker.kill('SIGKILL');
    expect([(await read(id)).status, await countOf('financial_metrics')]).toEqual(['undoing', 2_000]);
    await passAMinute();
    await service.database.sql('DROP TRIGGER zz_dawdle ON financial_metrics');
    const heir = startWorker();
    const undone = await followed(service, admin, answer);
    heir.kill('SIGTERM');
    expect([undone.status, await countOf('financial_metrics')]).toEqual(['undone', 0]);
  });

  it('that was given up leaves the import done', async () => {
    const id = await done(1);
    await undo(id);
    await service.database.sql('ALTER TABLE imports DISABLE TRIGGER touch_updated_at');
    await service.database.sql(`UPDATE imports SET updated_at = now() - interval '25 hours' WHERE id = $1`, [id]);
    await service.database.sql('ALTER TABLE imports ENABLE TRIGGER touch_updated_at');
    await jobs().sweep();
    expect(await read(id)).toMatchObject({ status: 'done', problem: { code: 'interrupted' } });
    expect((await undo(id)).status).toBe(202);
    await undoing().run(clinicId, id);
    expect((await read(id)).status).toBe('undone');
  });
});

describe('Two runs of one import at once', () => {
  it('bring its rows once: the second is told to come back', async () => {
    const { body } = await send(fileOf(500));
    const both = await Promise.allSettled([runs().run(clinicId, body.id), runs().run(clinicId, body.id)]);
    expect(both.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await runs().run(clinicId, body.id)).toMatchObject({ status: 'done', inserted: 500 });
    expect(await countOf('financial_metrics')).toBe(500);
  });
});

describe('Rows that another module hands over', () => {
  const columns = ['Date', 'Amount'];
  const intake = async (id: string) => {
    const [person] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [
      demoAddress('clinic_admin', 'northside'),
    ]);
    return {
      id,
      clinicId,
      userId: person?.id ?? '',
      table: 'financial_metrics',
      mode: 'upsert',
      source: 'sheet',
      name: 'Sheet',
      columns,
      mapping,
    } as const;
  };
  async function* pages(count: number, failure?: Error): AsyncGenerator<SourceRow[]> {
    for (let page = 0; page < count; page += 1)
      yield [
        { line: page * 2 + 2, cells: [45717, page] },
        { line: page * 2 + 3, cells: ['2025-03-02', `${page}.5`] },
      ];
    if (failure) throw failure;
  }
  const door = () => service.application.get(ImportIntake, { strict: false });

  it('are received page by page and merged; the second time nothing changes, and a retry reads nothing', async () => {
    const first = await intake(uuidv7());
    await door().receive(first, pages(50));
    await door().receive(first, pages(1, new Error('must not be read')));
    expect(await door().run(clinicId, first.id)).toMatchObject({ status: 'done', rowsRead: 100, inserted: 100 });
    const second = await intake(uuidv7());
    await door().receive(second, pages(50));
    expect(await door().run(clinicId, second.id)).toMatchObject({ status: 'done', inserted: 0, unchanged: 100 });
    const empty = await intake(uuidv7());
    await door().receive(empty, pages(0));
    expect(await door().run(clinicId, empty.id)).toMatchObject({ status: 'done', rowsRead: 0 });
  });

  it('that end in an error leave nothing, and may be handed over again', async () => {
    const broken = await intake(uuidv7());
    await expect(door().receive(broken, pages(3, new Error('Google went away')))).rejects.toThrow('Google went away');
    expect(await countOf('import_files')).toBe(0);
    await door().receive(broken, pages(3));
    expect(await door().run(clinicId, broken.id)).toMatchObject({ status: 'done', inserted: 6 });
  });
});

describe('Rows that were handed over and are given up', () => {
  it('fail their import, and nothing is kept of them; one that is over stays as it is', async () => {
    const { id } = (await send(fileOf(3))).body;
    await service.application.get(ImportIntake, { strict: false }).discard(clinicId, id);
    expect(await runs().run(clinicId, id)).toMatchObject({ status: 'failed', problem: { code: 'interrupted' } });
    expect([await countOf('import_files'), await countOf('financial_metrics')]).toEqual([0, 0]);
    const done = await runs().run(clinicId, (await send(fileOf(3))).body.id);
    await service.application.get(ImportIntake, { strict: false }).discard(clinicId, done.id);
    expect(await runs().run(clinicId, done.id)).toMatchObject({ status: 'done', inserted: 3 });
  });
});

describe('What is left behind', () => {
  it.each([
    ['uploads that never ended', 'file', 'receiving', 7],
    ['sheets that nobody merges any more', 'sheet', 'queued', 7],
    ['runs that were given up', 'file', 'running', 25],
  ])('by %s is swept: they have failed, and their pieces go', async (_, source, status, hours) => {
    const [{ id } = { id: '' }] = await service.database.sql<{ id: string }>(
      `INSERT INTO imports (clinic_id, source, name, format, target_table, mode, mapping, status, updated_at)
       VALUES ($1, $2, 'cut off', 'csv', 'financial_metrics', 'upsert', '{}', $3, now() - make_interval(hours => $4)) RETURNING id`,
      [clinicId, source, status, hours],
    );
    await service.database.sql(`INSERT INTO import_files VALUES ($1, $2, 0, 'x')`, [clinicId, id]);
    await jobs().sweep();
    const [swept] = await service.database.sql(`SELECT status, problem ->> 'code' AS code FROM imports WHERE id = $1`, [
      id,
    ]);
    expect([swept, await countOf('import_files')]).toEqual([{ status: 'failed', code: 'interrupted' }, 0]);
  });

  it('by nobody yet is left alone: a file that waits in the queue, and what came lately', async () => {
    const waiting = [
      ['file', 'queued', 30],
      ['sheet', 'queued', 5],
      ['file', 'running', 23],
    ] as const;
    for (const [source, status, hours] of waiting)
      await service.database.sql(
        `INSERT INTO imports (clinic_id, source, name, format, target_table, mode, mapping, status, updated_at)
         VALUES ($1, $2, 'waits', 'csv', 'financial_metrics', 'upsert', '{}', $3, now() - make_interval(hours => $4))`,
        [clinicId, source, status, hours],
      );
    await jobs().sweep();
    const states = await service.database.sql(`SELECT status FROM imports WHERE name = 'waits' ORDER BY status`);
    expect(states.map(({ status }) => status)).toEqual(['queued', 'queued', 'running']);
    await service.database.sql(`DELETE FROM imports WHERE name = 'waits'`);
  });

  it('by imports is cleaned after 90 days; what they brought stays for ever', async () => {
    const send2 = async (content: string) => runs().run(clinicId, (await send(content)).body.id);
    const { id } = await send2(`${fileOf(2)}x,1\n`);
    await send2(fileOf(2));
    expect([await countOf('import_errors'), await countOf('financial_metrics')]).toEqual([1, 2]);
    await jobs().clean();
    expect(await countOf('import_errors')).toBe(1);
    await service.database.sql(`UPDATE imports SET finished_at = now() - interval '91 days' WHERE id = $1`, [id]);
    await service.database.sql(`UPDATE financial_metrics SET date = '2020-01-01'`);
    await jobs().clean();
    expect([await countOf('import_errors'), await countOf('financial_metrics')]).toEqual([0, 2]);
  });
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
    await pause(20);
  }
}

function startWorker(): ChildProcess {
  const { config, database } = service;
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    DATA_DIR: config.dataDir,
    DATABASE_URL: database.apiUrl,
    MIGRATION_DATABASE_URL: database.adminUrl,
  };
  return spawn(process.execPath, ['dist/src/worker.js'], { env, stdio: 'inherit' });
}

/** Makes statements on the facts last long enough to be killed in their middle. */
async function dawdleAfter(event: 'INSERT' | 'DELETE'): Promise<void> {
  await service.database.sql(`
    CREATE OR REPLACE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$`);
  await service.database.sql(
    `CREATE TRIGGER zz_dawdle AFTER ${event} ON financial_metrics FOR EACH STATEMENT EXECUTE FUNCTION public.dawdle()`,
  );
}

async function isDawdling(): Promise<boolean> {
  const sleeping = await service.database.sql(
    `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`,
  );
  return sleeping.length > 0;
}

/** As the minute that passes until a dead worker's jobs are given back. */
async function passAMinute(): Promise<void> {
  await service.database.sql(`UPDATE graphile_worker._private_jobs SET locked_at = now() - interval '2 minutes'`);
  await service.database.sql(`UPDATE jobs.workers SET seen_at = now() - interval '2 minutes'`);
  await service.database.sql(`INSERT INTO jobs.workers VALUES ('another that lives', now()) ON CONFLICT DO NOTHING`);
}
