import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { type Google, startGoogle } from '../support/google.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** A worker is a process of its own here, so that it can be killed. */

let google: Google;
let service: Service;
let clinicId: string;
let token: string;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  google = await startGoogle();
  service = await startService({ variables: { ...google.variables, GOOGLE_TIMEOUT_MS: '20000' } });
  token = await service.tokenOf(demoAddress('clinic_admin', 'northside'));
  const viewer = await service.tokenOf(demoAddress('viewer', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token: viewer })).body.data[0].id;
});
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await service.stop();
  await google.stop();
});

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  return service.call(method, `/clinics/${clinicId}/${path}`, { token, ...(body !== undefined && { body }) });
}

function startWorker(): ChildProcess {
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    DATA_DIR: service.config.dataDir,
    DATABASE_URL: service.database.apiUrl,
    MIGRATION_DATABASE_URL: service.database.adminUrl,
    ...google.variables,
    GOOGLE_TIMEOUT_MS: '20000',
  };
  const worker = spawn(process.execPath, ['dist/src/worker.js'], { env, stdio: 'inherit' });
  workers.push(worker);
  return worker;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
    await pause(50);
  }
}

/** As the minute that passes until a dead worker's jobs are given back. */
async function passAMinute(): Promise<void> {
  await service.database.sql(`UPDATE graphile_worker._private_jobs SET locked_at = now() - interval '2 minutes'`);
  await service.database.sql(`UPDATE jobs.workers SET seen_at = now() - interval '2 minutes'`);
  await service.database.sql(`INSERT INTO jobs.workers VALUES ('another that lives', now())`);
}

async function connectSpreadsheet(rows: number): Promise<string> {
  const email = 'admin@practice.example';
  await google.person(email);
  const cells = Array.from({ length: rows }, (_, number) => [46083, 100 + number, `R-${number}`]);
  const sheets = [{ title: 'Production', rows: [['Date', 'Amount', 'Reference'], ...cells] }];
  await google.spreadsheet({ id: 'production-of-2026', name: 'Production 2026', owner: email, sheets });
  const begun = await call('POST', 'google/connect', {});
  const { state, code } = Object.fromEntries(await google.consent(begun.body.authorizationUrl, { email }));
  await call('POST', 'google/callback', { state, code });
  const made = { spreadsheetId: 'production-of-2026', sheetNames: ['Production'] };
  const { id } = (await call('POST', 'spreadsheet-connections', made)).body;
  const columns = [
    { column: 'Date', field: 'date' },
    { column: 'Amount', field: 'amount' },
    { column: 'Reference', field: 'sourceReference' },
  ];
  const mapping = { columns, constants: { metricType: 'production' } };
  const saved = { name: 'Production', table: 'financial_metrics', sheet: 'Production', spreadsheetConnectionId: id };
  expect((await call('POST', 'mappings', { ...saved, mapping })).status).toBe(201);
  return id;
}

describe('A worker that is killed in the middle of a synchronisation', () => {
  it('loses nothing and doubles nothing: another goes on with the same run and the same import', async () => {
    const id = await connectSpreadsheet(4_500);
    await google.fault({ on: 'values.get', kind: 'slow', delayMs: 15_000, after: 2 });
    const first = startWorker();
    const run = (await call('POST', `spreadsheet-connections/${id}/sync`)).body;
    await until(async () => (await google.count('values.get')) === 3);
    first.kill('SIGKILL');
    const path = `spreadsheet-connections/${id}/runs/${run.id}`;
    const interrupted = (await call('GET', path)).body;
    expect(interrupted).toMatchObject({ status: 'running', rowsInserted: 0 });
    expect(interrupted.imports).toHaveLength(1);
    const brought = `SELECT FROM financial_metrics WHERE source_reference LIKE 'R-%'`;
    expect(await service.database.sql(brought)).toHaveLength(0);

    await passAMinute();
    startWorker();
    await until(async () => ['done', 'failed'].includes((await call('GET', path)).body.status));
    const { body } = await call('GET', path);
    expect(body).toMatchObject({ status: 'done', attempts: 2, rowsRead: 4_500, rowsInserted: 4_500 });
    expect(body.imports).toEqual(interrupted.imports);
    expect(await service.database.sql(brought)).toHaveLength(4_500);
    expect(await service.database.sql(`SELECT FROM imports WHERE source = 'sheet'`)).toHaveLength(1);
  }, 60_000);
});
