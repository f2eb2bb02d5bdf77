import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { SheetsJobs } from '../../src/modules/metrics/sheets/sheets.jobs.js';
import type { Cell, Spreadsheet } from '../emulators/google/spreadsheets.js';
import { type Google, startGoogle } from '../support/google.js';
import { type Answer, type Service, startService } from '../support/service.js';

let google: Google;
let service: Service;
let clinicId: string;
let admin: string;

beforeAll(async () => {
  google = await startGoogle();
  service = await startService({ withWorker: true, variables: google.variables });
  admin = await as('clinic_admin');
  clinicId = (await service.call('GET', '/clinics', { token: await as('viewer') })).body.data[0].id;
});
afterAll(async () => {
  await service.stop();
  await google.stop();
});
beforeEach(async () => {
  await google.control('reset');
  await google.person('admin@practice.example');
  await service.database.sql(`DELETE FROM column_mappings; DELETE FROM spreadsheet_connections;
    DELETE FROM google_credentials; DELETE FROM financial_metrics`);
  const begun = await call('POST', 'google/connect', {});
  const { state, code } = Object.fromEntries(
    await google.consent(begun.body.authorizationUrl, { email: 'admin@practice.example' }),
  );
  expect((await call('POST', 'google/callback', { state, code })).status).toBe(200);
});

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
async function call(method: string, path: string, body?: unknown, token = admin): Promise<Answer> {
  return service.call(method, `/clinics/${clinicId}/${path}`, { token, ...(body !== undefined && { body }) });
}

/** 2026-03-02 as a spreadsheet holds it. */
const aDay = 46083;
const header: Cell[] = ['Date', 'Provider', 'Amount', 'Reference'];
const row = (number: number, amount: Cell = 100 + number): Cell[] => [
  { value: aDay, formatted: '3/2/2026', isDate: true },
  null,
  amount,
  `R-${number}`,
];
const someRows = (count: number) => Array.from({ length: count }, (_, number) => row(number));
const mappingConfig = {
  columns: [
    { column: 'Date', field: 'date', transformation: { kind: 'date', format: 'M/D/YYYY' } },
    { column: 'Amount', field: 'amount', transformation: { kind: 'currency' } },
    { column: 'Reference', field: 'sourceReference' },
  ],
  constants: { metricType: 'production' },
};

async function put(rows: Cell[][], more: Partial<Spreadsheet> = {}): Promise<void> {
  const sheets = [{ title: 'Production', rows }];
  await google.spreadsheet({
    ...{ id: 'production-of-2026', name: 'Production 2026', owner: 'admin@practice.example', sheets },
    ...more,
  });
}
async function connectSheet(more = {}): Promise<string> {
  const body = { spreadsheetId: 'production-of-2026', sheetNames: ['Production'], ...more };
  const made = await call('POST', 'spreadsheet-connections', body);
  expect(outcome(made)).toEqual([201, undefined]);
  return made.body.id;
}
async function mapSheet(connectionId: string, mapping: object = mappingConfig, sheet = 'Production'): Promise<string> {
  const body = { name: `Mapping of ${sheet}`, table: 'financial_metrics', sheet, mapping };
  const made = await call('POST', 'mappings', { ...body, spreadsheetConnectionId: connectionId });
  expect(outcome(made)).toEqual([201, undefined]);
  return made.body.id;
}
async function connected(rows: Cell[][], mapping = mappingConfig): Promise<string> {
  await put(rows);
  const id = await connectSheet();
  await mapSheet(id, mapping);
  return id;
}
async function start(connectionId: string): Promise<string> {
  const begun = await call('POST', `spreadsheet-connections/${connectionId}/sync`);
  expect(outcome(begun)).toEqual([202, undefined]);
  expect(begun.headers.get('location')).toBe(
    `/api/v1/clinics/${clinicId}/spreadsheet-connections/${connectionId}/runs/${begun.body.id}`,
  );
  return begun.body.id;
}
async function runIn(connectionId: string, runId: string, ...states: string[]): Promise<Answer['body']> {
  for (let tries = 0; tries < 400; tries += 1) {
    const { body } = await call('GET', `spreadsheet-connections/${connectionId}/runs/${runId}`);
    if (states.includes(body.status)) return body;
    await pause(50);
  }
  throw new Error(`The run did not become ${states.join(' or ')}.`);
}
async function sync(connectionId: string): Promise<Answer['body']> {
  return runIn(connectionId, await start(connectionId), 'done', 'failed');
}
const connection = async (id: string) => (await call('GET', `spreadsheet-connections/${id}`)).body;
const facts = () =>
  service.database.sql<{ amount: string; reference: string; date: string }>(
    `SELECT amount, source_reference AS reference, date::text FROM financial_metrics WHERE clinic_id = $1 ORDER BY 2`,
    [clinicId],
  );
/** Imports that nobody would ever bring to their end, and what is stored of them. */
const leftOvers = async () => [
  await service.database.sql(`SELECT id, status FROM imports WHERE status IN ('receiving', 'queued', 'running')`),
  await service.database.sql('SELECT import_id FROM import_files'),
];
/** What waits is due now. */
const hurry = () =>
  service.database.sql(`UPDATE graphile_worker._private_jobs SET run_at = now() WHERE locked_at IS NULL`);

describe('A connected spreadsheet', () => {
  it('is read by the caller’s own account, once per clinic, and only with sheets that it has', async () => {
    await put([header]);
    const missing = await call('POST', 'spreadsheet-connections', {
      ...{ spreadsheetId: 'production-of-2026', sheetNames: ['Production', 'Producton'] },
    });
    expect([...outcome(missing), missing.body.errors]).toMatchObject([
      422,
      'sheet-missing',
      [{ path: 'sheetNames.1' }],
    ]);
    const body = { spreadsheetId: 'production-of-2026', sheetNames: ['Production'] };
    const made = await call('POST', 'spreadsheet-connections', body);
    expect(made.body).toMatchObject({ name: 'Production 2026', syncStatus: 'idle', syncFrequency: 'manual' });
    expect(outcome(await call('POST', 'spreadsheet-connections', body))).toEqual([409, 'already-exists']);
    const unknown = { ...body, spreadsheetId: 'there-is-no-such-file' };
    expect(outcome(await call('POST', 'spreadsheet-connections', unknown))).toEqual([422, 'spreadsheet-not-readable']);
    expect(outcome(await call('POST', 'spreadsheet-connections', body, await as('owner')))).toEqual([
      409,
      'google-not-connected',
    ]);
  });

  it('is seen by any member, and changed and synchronised by a clinic_admin', async () => {
    await put([header]);
    const id = await connectSheet();
    const path = `spreadsheet-connections/${id}`;
    const viewer = await as('viewer');
    expect((await call('GET', path, undefined, viewer)).body.id).toBe(id);
    expect((await call('GET', 'spreadsheet-connections', undefined, viewer)).body.data).toHaveLength(1);
    expect((await call('GET', `${path}/runs`, undefined, viewer)).body.data).toEqual([]);
    for (const [method, rest, body] of [
      ['PATCH', '', { name: 'Other' }],
      ['DELETE', '', undefined],
      ['POST', '/sync', undefined],
      ['POST', '/preview', { sheet: 'Production', table: 'financial_metrics' }],
    ] as const)
      expect(outcome(await call(method, `${path}${rest}`, body, await as('provider')))).toEqual([403, 'role-too-low']);
    const stranger = await as('clinic_admin', 'southbank');
    expect(outcome(await call('GET', path, undefined, stranger))).toEqual([404, 'not-found']);
  });

  it('is changed against the version that was seen, and cannot be moved to an account that is not one’s own', async () => {
    await put([header]);
    const id = await connectSheet();
    const changed = await call('PATCH', `spreadsheet-connections/${id}`, { syncFrequency: 'daily', name: 'Daily' });
    expect(changed.body).toMatchObject({ syncFrequency: 'daily', name: 'Daily' });
    const inHours = (Date.parse(changed.body.nextSyncAt) - Date.now()) / 3_600_000;
    expect(inHours).toBeCloseTo(24, 1);
    const stale = await service.call('PATCH', `/clinics/${clinicId}/spreadsheet-connections/${id}`, {
      ...{ token: admin, body: { name: 'Late' }, headers: { 'if-match': '"0"' } },
    });
    expect(outcome(stale)).toEqual([412, 'precondition-failed']);
    const { googleCredentialId } = changed.body;
    const taken = await call('PATCH', `spreadsheet-connections/${id}`, { googleCredentialId }, await as('owner'));
    expect(outcome(taken)).toEqual([422, 'unknown-reference']);
    const back = await call('PATCH', `spreadsheet-connections/${id}`, { syncFrequency: 'manual' });
    expect(back.body.nextSyncAt).toBeNull();
  });

  it('shows the header below a title, proposes a mapping, and what the first 20 rows would become', async () => {
    await put([['Production of Northside'], [], header, ...someRows(30)]);
    const id = await connectSheet();
    const found = await call('GET', `spreadsheet-connections/${id}/header?sheet=Production&table=financial_metrics`);
    expect(found.body).toMatchObject({ headerLine: 3, columns: ['Date', 'Provider', 'Amount', 'Reference'] });
    expect(found.body.proposal.mapping.columns).toContainEqual(
      expect.objectContaining({ column: 'Amount', field: 'amount' }),
    );
    expect(found.body.proposal.missing).toEqual(['metricType']);
    const request = { sheet: 'Production', table: 'financial_metrics', mapping: mappingConfig };
    const { body } = await call('POST', `spreadsheet-connections/${id}/preview`, request);
    expect(body.rows).toHaveLength(20);
    expect(body.rows[0]).toMatchObject({ line: 4, errors: [] });
    expect(body.rows[0].values).toMatchObject({ date: '2026-03-02', sourceReference: 'R-0' });
    expect(await facts()).toEqual([]);
  });

  it('refuses a mapping in which the rows choose their clinic', async () => {
    await put([[...header, 'Clinic']]);
    const id = await connectSheet();
    for (const field of ['clinicId', 'clinic_id', 'createdBy']) {
      const columns = [...mappingConfig.columns, { column: 'Clinic', field }];
      const request = { sheet: 'Production', table: 'financial_metrics', mapping: { ...mappingConfig, columns } };
      expect(outcome(await call('POST', `spreadsheet-connections/${id}/preview`, request))).toEqual([
        422,
        'mapping-refused',
      ]);
    }
  });
});

describe('A synchronisation', () => {
  it('brings the rows in, and a second one of an unchanged sheet writes nothing', async () => {
    const id = await connected([header, ...someRows(3)]);
    expect(await sync(id)).toMatchObject({
      ...{
        status: 'done',
        cause: 'person',
        rowsRead: 3,
        rowsInserted: 3,
        rowsUpdated: 0,
        rowsRejected: 0,
        problem: null,
      },
      imports: [{ sheet: 'Production', table: 'financial_metrics', mappingVersion: 1 }],
    });
    expect(await facts()).toEqual(
      [0, 1, 2].map((number) => ({
        ...{ amount: `${100 + number}.00`, reference: `R-${number}`, date: '2026-03-02' },
      })),
    );
    expect(await connection(id)).toMatchObject({ syncStatus: 'ok', lastProblem: null });
    const versions = () => service.database.sql('SELECT id, xmin::text, updated_at FROM financial_metrics ORDER BY id');
    const before = await versions();
    expect(await sync(id)).toMatchObject({ status: 'done', rowsInserted: 0, rowsUpdated: 0, rowsUnchanged: 3 });
    expect(await versions()).toEqual(before);
  });

  it('follows a changed and an added row by their reference', async () => {
    const id = await connected([header, ...someRows(2)]);
    await sync(id);
    await put([header, row(0), row(1, 999.5), row(2)]);
    expect(await sync(id)).toMatchObject({ rowsInserted: 1, rowsUpdated: 1, rowsUnchanged: 1 });
    expect((await facts()).map(({ amount }) => amount)).toEqual(['100.00', '999.50', '102.00']);
  });

  it('reads a long sheet page by page, to its last row', async () => {
    const id = await connected([header, ...someRows(4_500)]);
    expect(await sync(id)).toMatchObject({ status: 'done', rowsInserted: 4_500 });
    const ranges = (await google.calls()).filter(({ name }) => name === 'values.get').map(({ url }) => url);
    expect(ranges).toHaveLength(4);
  });

  it('lists refused rows by line, column and reason, and brings in the others', async () => {
    const id = await connected([header, row(0), row(1, 'a lot'), row(2)]);
    const run = await sync(id);
    expect(run).toMatchObject({ status: 'done', rowsRead: 3, rowsInserted: 2, rowsRejected: 1 });
    expect(run.errors).toMatchObject([{ sheet: 'Production', line: 3, column: 'Amount', field: 'amount' }]);
  });

  it('is no success when it imported nothing although the sheet has rows; a sheet without rows is one', async () => {
    const id = await connected([header, row(0, 'a lot'), row(1, 'more')]);
    expect(await sync(id)).toMatchObject({ status: 'failed', rowsRead: 2, problem: { code: 'nothing-imported' } });
    expect(await connection(id)).toMatchObject({ syncStatus: 'failed', lastProblem: 'nothing-imported' });
    await put([header]);
    expect(await sync(id)).toMatchObject({ status: 'done', rowsRead: 0 });
  });

  it('stops at a header that changed, names the columns, and imports nothing, not even from other sheets', async () => {
    await put([], { sheets: ['Production', 'Second'].map((title) => ({ title, rows: [header, ...someRows(2)] })) });
    const id = await connectSheet({ sheetNames: ['Production', 'Second'] });
    await mapSheet(id);
    await mapSheet(id, mappingConfig, 'Second');
    const changed = { title: 'Second', rows: [['Date', 'Provider', 'Net amount', 'Reference'], ...someRows(2)] };
    await put([], { sheets: [{ title: 'Production', rows: [header, ...someRows(2)] }, changed] });
    const run = await sync(id);
    expect(run).toMatchObject({ status: 'failed', problem: { code: 'sheet-header-changed' } });
    expect(run.problem.detail).toMatch(/'Amount'.*'Second'.*'Net amount'/);
    expect(await facts()).toEqual([]);
  });

  it('stops at a column that is there twice', async () => {
    const id = await connected([[...header, 'amount'], ...someRows(1).map((cells) => [...cells, 7])]);
    expect((await sync(id)).problem).toMatchObject({ code: 'sheet-header-changed' });
    expect(await facts()).toEqual([]);
  });

  it('finds moved columns by their names', async () => {
    const id = await connected([header, row(0)]);
    await put([
      ['Reference', 'Amount', 'Date'],
      ['R-0', 7, aDay],
    ]);
    expect(await sync(id)).toMatchObject({ status: 'done', rowsInserted: 1 });
    expect(await facts()).toEqual([{ amount: '7.00', reference: 'R-0', date: '2026-03-02' }]);
  });

  it('fails where a sheet is gone or has no mapping', async () => {
    await put([header]);
    const id = await connectSheet();
    expect((await sync(id)).problem.code).toBe('sheet-not-mapped');
    await mapSheet(id);
    await put([], { sheets: [{ title: 'Renamed', rows: [header] }] });
    expect((await sync(id)).problem).toMatchObject({ code: 'sheet-missing' });
  });

  it('is the only one of its connection: of several that begin at once one does', async () => {
    const id = await connected([header, ...someRows(2)]);
    await google.fault({ on: 'spreadsheets.get', kind: 'slow', delayMs: 700 });
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => call('POST', `spreadsheet-connections/${id}/sync`)),
    );
    expect(answers.map(outcome).sort()).toEqual([[202, undefined], ...Array(3).fill([409, 'sync-under-way'])]);
    const begun = answers.find(({ status }) => status === 202);
    expect(await runIn(id, begun?.body.id, 'done', 'failed')).toMatchObject({ status: 'done', rowsInserted: 2 });
  });

  it('brings nothing in once its connection is deleted', async () => {
    const id = await connected([header, ...someRows(2)]);
    await google.fault({ on: 'values.get', kind: 'slow', delayMs: 1_000, after: 1 });
    await start(id);
    while ((await google.count('values.get')) < 2) await pause(20);
    expect((await call('DELETE', `spreadsheet-connections/${id}`)).status).toBe(204);
    const jobs = () => service.database.sql('SELECT FROM graphile_worker._private_jobs WHERE locked_at IS NOT NULL');
    while ((await jobs()).length > 0) await pause(20);
    expect(await facts()).toEqual([]);
    expect(await leftOvers()).toEqual([[], []]);
  });

  it('brings rows in with the rights of whoever asked for it: when those are gone, nothing comes', async () => {
    const id = await connected([header, ...someRows(2)]);
    await google.fault({ on: 'spreadsheets.get', kind: 'slow', delayMs: 1_000 });
    const manager = demoAddress('manager', 'northside');
    const begun = await call('POST', `spreadsheet-connections/${id}/sync`, undefined, await as('manager'));
    expect(begun.status).toBe(202);
    const become = (role: string) =>
      service.database.sql(
        `UPDATE organisation_members SET role = $1 WHERE user_id = (SELECT id FROM profiles WHERE email = $2)`,
        [role, manager],
      );
    await become('member');
    const run = await runIn(id, begun.body.id, 'done', 'failed');
    await become('manager');
    expect(run).toMatchObject({ status: 'failed', problem: { code: 'forbidden' }, rowsInserted: 0 });
    expect(await facts()).toEqual([]);
  });

  it('is no success when those rights go while its rows are read', async () => {
    const id = await connected([header, ...someRows(2)]);
    await google.fault({ on: 'values.get', kind: 'slow', delayMs: 1_000, after: 1 });
    const begun = await call('POST', `spreadsheet-connections/${id}/sync`, undefined, await as('manager'));
    while ((await google.count('values.get')) < 2) await pause(20);
    const become = (role: string) =>
      service.database.sql(
        `UPDATE organisation_members SET role = $1 WHERE user_id = (SELECT id FROM profiles WHERE email = $2)`,
        [role, demoAddress('manager', 'northside')],
      );
    await become('member');
    const run = await runIn(id, begun.body.id, 'done', 'failed');
    await become('manager');
    expect(run).toMatchObject({ status: 'failed', problem: { code: 'nothing-imported' } });
    expect(await connection(id)).toMatchObject({ syncStatus: 'failed' });
    expect(await facts()).toEqual([]);
  });
});

describe('A synchronisation while Google', () => {
  const refused = ['permission-denied', 'insufficient-scope'] as const;
  it.each(refused)('says %s asks for another consent, and imports nothing', async (kind) => {
    const id = await connected([header, ...someRows(2)]);
    await google.fault({ on: 'values.get', kind });
    expect((await sync(id)).status).toBe('failed');
    expect(await connection(id)).toMatchObject({ syncStatus: 'reauthorize' });
    expect(await facts()).toEqual([]);
    expect(await sync(id)).toMatchObject({ status: 'done', rowsInserted: 2 });
  });

  it('withdraws the consent in the middle of reading asks for another one; then it goes on', async () => {
    const id = await connected([header, ...someRows(4_500)]);
    await google.fault({ on: 'values.get', kind: 'token-revoked', after: 2 });
    expect(await sync(id)).toMatchObject({ status: 'failed', problem: { code: 'google-reauthorize' } });
    expect(await connection(id)).toMatchObject({ syncStatus: 'reauthorize', lastProblem: 'google-reauthorize' });
    expect(await facts()).toEqual([]);
    while ((await leftOvers()).flat().length > 0) await pause(20);
    const begun = await call('POST', 'google/connect', {});
    const given = await google.consent(begun.body.authorizationUrl, { email: 'admin@practice.example' });
    await call('POST', 'google/callback', { state: given.get('state'), code: given.get('code') });
    expect(await connection(id)).toMatchObject({ syncStatus: 'idle' });
    expect(await sync(id)).toMatchObject({ status: 'done', rowsInserted: 4_500 });
  });

  it('lets a token expire before its time renews it and goes on', async () => {
    const id = await connected([header, ...someRows(2)]);
    await google.control('tokens/expire');
    expect(await sync(id)).toMatchObject({ status: 'done', rowsInserted: 2 });
  });

  it('limits us waits as long as it says, and goes on', async () => {
    const id = await connected([header, ...someRows(2)]);
    await google.fault({ on: 'values.get', kind: 'rate-limited', retryAfter: 120 });
    const runId = await start(id);
    const waiting = await runIn(id, runId, 'waiting');
    expect(waiting.problem).toMatchObject({ code: 'google-rate-limited' });
    const [job] = await service.database.sql<{ seconds: number }>(
      `SELECT max(extract(epoch FROM run_at - now()))::float AS seconds FROM graphile_worker.jobs
        WHERE task_identifier = 'metrics.synchronise-sheet'`,
    );
    expect(job?.seconds).toBeGreaterThan(110);
    expect(outcome(await call('POST', `spreadsheet-connections/${id}/sync`))).toEqual([409, 'sync-under-way']);
    await hurry();
    expect(await runIn(id, runId, 'done', 'failed')).toMatchObject({ status: 'done', rowsInserted: 2, attempts: 2 });
  });

  it('limits the renewal of tokens waits and goes on', async () => {
    const id = await connected([header, ...someRows(2)]);
    await service.database.sql('UPDATE google_credentials SET expires_at = now()');
    await google.fault({ on: 'token', kind: 'token-limited' });
    const runId = await start(id);
    expect((await runIn(id, runId, 'waiting', 'failed')).problem).toMatchObject({ code: 'google-rate-limited' });
    await hurry();
    expect(await runIn(id, runId, 'done', 'failed')).toMatchObject({ status: 'done', rowsInserted: 2 });
  });

  it.each(['unavailable', 'internal', 'slow', 'cut', 'truncated', 'malformed', 'html'] as const)(
    'is %s in the middle waits and goes on, and doubles nothing',
    async (kind) => {
      const id = await connected([header, ...someRows(4_500)]);
      await google.fault({ on: 'values.get', kind, after: 2, delayMs: 5_000 });
      const runId = await start(id);
      expect((await runIn(id, runId, 'waiting')).problem.code).toBe('google-unavailable');
      expect(await facts()).toEqual([]);
      await hurry();
      expect(await runIn(id, runId, 'done', 'failed')).toMatchObject({ status: 'done', rowsInserted: 4_500 });
    },
  );

  it('stays away gives up after eight attempts, and says why', async () => {
    const id = await connected([header, ...someRows(1)]);
    await google.fault({ on: 'spreadsheets.get', kind: 'unavailable', times: 100 });
    const runId = await start(id);
    await runIn(id, runId, 'waiting');
    await service.database.sql('UPDATE sync_runs SET attempts = 7 WHERE id = $1', [runId]);
    await hurry();
    expect(await runIn(id, runId, 'failed')).toMatchObject({ problem: { code: 'google-unavailable' }, attempts: 8 });
  });
});

describe('The schedule', () => {
  const jobs = () => service.application.get(SheetsJobs);
  const makeDue = (id: string) =>
    service.database.sql(
      `UPDATE spreadsheet_connections SET next_sync_at = now() - interval '1 minute' WHERE id = $1`,
      [id],
    );
  const runs = async (id: string) => (await call('GET', `spreadsheet-connections/${id}/runs`)).body.data;

  it('lets those begin whose time has come, once, and sets their next time', async () => {
    const id = await connected([header, ...someRows(2)]);
    await call('PATCH', `spreadsheet-connections/${id}`, { syncFrequency: 'hourly' });
    await jobs().beginDue();
    expect(await runs(id)).toEqual([]);
    await makeDue(id);
    await Promise.all([jobs().beginDue(), jobs().beginDue()]);
    const [run, ...others] = await runs(id);
    expect(others).toEqual([]);
    expect(await runIn(id, run.id, 'done', 'failed')).toMatchObject({
      status: 'done',
      cause: 'schedule',
      requestedBy: null,
    });
    const inMinutes = (Date.parse((await connection(id)).nextSyncAt) - Date.now()) / 60_000;
    expect(inMinutes).toBeCloseTo(60, -1);
  });

  it('passes over connections that need a consent, and clinics that are inactive', async () => {
    const id = await connected([header]);
    await call('PATCH', `spreadsheet-connections/${id}`, { syncFrequency: 'weekly' });
    await makeDue(id);
    await service.database.sql(`UPDATE clinics SET status = 'inactive' WHERE id = $1`, [clinicId]);
    await jobs().beginDue();
    await service.database.sql(`UPDATE clinics SET status = 'active' WHERE id = $1`, [clinicId]);
    expect(await runs(id)).toEqual([]);
    const [credential] = (await call('GET', 'google/credentials')).body.data;
    await call('DELETE', `google/credentials/${credential.id}`);
    expect(await connection(id)).toMatchObject({ syncStatus: 'reauthorize', googleCredentialId: null });
    await jobs().beginDue();
    expect(await runs(id)).toEqual([]);
    expect(outcome(await call('POST', `spreadsheet-connections/${id}/sync`))).toEqual([409, 'google-reauthorize']);
  });

  it('closes a run that was not heard of for hours, and what it had taken in', async () => {
    const id = await connected([header, ...someRows(4_500)]);
    await google.fault({ on: 'values.get', kind: 'unavailable', after: 2 });
    const runId = await start(id);
    await runIn(id, runId, 'waiting');
    expect((await leftOvers())[0]).toMatchObject([{ status: 'receiving' }]);
    await service.database.sql('ALTER TABLE sync_runs DISABLE TRIGGER touch_updated_at');
    await service.database.sql(`UPDATE sync_runs SET updated_at = now() - interval '3 hours' WHERE id = $1`, [runId]);
    await service.database.sql('ALTER TABLE sync_runs ENABLE TRIGGER touch_updated_at');
    await jobs().beginDue();
    expect(await runIn(id, runId, 'failed')).toMatchObject({ problem: { code: 'sync-lost' } });
    expect(await connection(id)).toMatchObject({ syncStatus: 'failed' });
    expect(await leftOvers()).toEqual([[], []]);
  });

  it('forgets refused rows after 90 days, and keeps the run and its counts', async () => {
    const id = await connected([header, row(0), row(1, 'a lot')]);
    const run = await sync(id);
    await service.database.sql(`UPDATE sync_runs SET finished_at = now() - interval '91 days' WHERE id = $1`, [run.id]);
    await jobs().clean();
    const [kept] = await runs(id);
    expect(kept).toMatchObject({ rowsRejected: 1, errors: [] });
  });
});
