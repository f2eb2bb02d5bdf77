import { demoAddress } from '../../src/demo/demo.js';
import { followed } from '../support/imports.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** Rows that are pushed by a script, and the mappings that a clinic keeps. */

let service: Service;
let clinicId: string;
let admin: string;

beforeAll(async () => {
  service = await startService({ withWorker: true });
  admin = await as('clinic_admin');
  clinicId = (await service.call('GET', '/clinics', { token: admin })).body.data[0].id;
});
afterAll(() => service.stop());
beforeEach(() => service.database.sql('DELETE FROM financial_metrics'));

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const mapping = {
  columns: [
    { column: 'Day', field: 'date' },
    { column: 'Fee', field: 'amount' },
    { column: 'Key', field: 'sourceReference' },
  ],
  constants: { metricType: 'collection' },
};
const columns = ['Day', 'Fee', 'Key'];
const push = async (rows: unknown[][], more: object = {}, token = admin) =>
  service.call('POST', `/clinics/${clinicId}/imports/rows`, {
    token,
    body: { table: 'financial_metrics', mapping, columns, rows, ...more },
  });
const countFacts = async () =>
  (await service.database.sql('SELECT FROM financial_metrics WHERE clinic_id = $1', [clinicId])).length;

describe('Pushed rows', () => {
  it('are each answered; sent twice, nothing changes', async () => {
    const rows = [
      ['2025-03-01', 12.5, 'a'],
      [45718, '7', 'b'],
      ['2025-03-03', 'much', 'c'],
    ];
    const first = await push(rows);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ status: 'done', rowsRead: 3, inserted: 2, rejected: 1 });
    expect(first.body.rows).toEqual([
      { outcome: 'inserted' },
      { outcome: 'inserted' },
      {
        outcome: 'refused',
        errors: [expect.objectContaining({ column: 'Fee', field: 'amount', code: 'not-a-number' })],
      },
    ]);
    const second = await push(rows);
    expect(second.body).toMatchObject({ inserted: 0, updated: 0, unchanged: 2, rejected: 1 });
    expect((await push([['2025-03-01', 13, 'a'], rows[1] ?? []])).body.rows).toEqual([
      { outcome: 'updated' },
      { outcome: 'unchanged' },
    ]);
  });

  it('leave an import that can be read and undone', async () => {
    const { body } = await push([['2025-03-01', 1, 'a']]);
    const path = `/clinics/${clinicId}/imports/${body.id}`;
    expect((await service.call('GET', path, { token: admin })).body).toMatchObject({
      source: 'rows',
      status: 'done',
      inserted: 1,
    });
    const undone = await followed(service, admin, await service.call('POST', `${path}/undo`, { token: admin }));
    expect(undone.status).toBe('undone');
    expect(await countFacts()).toBe(0);
  });

  it('by several at once are there once', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => ['2025-03-01', index, `k${index}`]);
    const answers = await Promise.all([push(rows), push(rows), push(rows, {}, await as('staff'))]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers.reduce((sum, { body }) => sum + body.inserted, 0)).toBe(300);
    expect(await countFacts()).toBe(300);
  });

  it('are 5,000 at most, in time for one request', async () => {
    const rows = Array.from({ length: 5_001 }, (_, index) => ['2025-03-01', index % 100, `k${index}`]);
    expect(outcome(await push(rows))).toEqual([413, 'too-many-rows']);
    const most = await push(rows.slice(1));
    expect(most.body).toMatchObject({ inserted: 5_000 });
  });

  it('do not choose their clinic, nor who wrote them', async () => {
    for (const field of ['clinicId', 'clinic_id', 'createdBy', 'importId', 'id', 'nonsense']) {
      const refused = await push([['2025-03-01', 1, 'a']], {
        mapping: { ...mapping, columns: [...mapping.columns, { column: 'X', field }] },
      });
      expect(outcome(refused)).toEqual([422, 'mapping-refused']);
      expect(refused.body.errors).toMatchObject([{ path: 'columns.3.field', code: 'unknown-field' }]);
    }
    expect(outcome(await push([['2025-03-01', 1, 'a']], { clinicId }))).toEqual([400, 'invalid-request']);
  });

  it('under other columns than the mapping needs are refused whole', async () => {
    expect(outcome(await push([['2025-03-01', 1]], { columns: ['Day', 'Fee'] }))).toEqual([422, 'columns-missing']);
    expect(outcome(await push([['2025-03-01', 1, 'a', 1]], { columns: [...columns, 'FEE'] }))).toEqual([
      422,
      'columns-missing',
    ]);
  });

  it('that are all refused, or one of them in a strict push, write nothing and say so', async () => {
    expect((await push([['x', 1, 'a']])).body).toMatchObject({ status: 'failed', rejected: 1 });
    const strict = await push(
      [
        ['2025-03-01', 1, 'a'],
        ['x', 1, 'b'],
      ],
      { strict: true },
    );
    expect(strict.body).toMatchObject({ status: 'failed', inserted: 0, rejected: 1 });
    expect((await push([['2025-03-01', 1, 'a']], { dryRun: true })).body).toMatchObject({
      status: 'done',
      inserted: 1,
    });
    expect(await countFacts()).toBe(0);
  });

  it('are taken from staff and above, of the clinic', async () => {
    const rows = [['2025-03-01', 1, 'a']];
    expect(outcome(await push(rows, {}, await as('viewer')))).toEqual([403, 'role-too-low']);
    expect(outcome(await push(rows, {}, await as('clinic_admin', 'southbank')))).toEqual([404, 'not-found']);
    const calls = {
      table: 'call_metrics',
      columns: ['Day', 'N'],
      mapping: {
        columns: [
          { column: 'Day', field: 'date' },
          { column: 'N', field: 'totalCalls' },
        ],
      },
    };
    expect(outcome(await push([['2025-03-01', 1]], calls, await as('provider')))).toEqual([403, 'forbidden']);
  });

  it('hold no text that the database cannot: a NUL is refused as its row', async () => {
    const noted = {
      columns: [...columns, 'Note'],
      mapping: { ...mapping, columns: [...mapping.columns, { column: 'Note', field: 'notes' }] },
    };
    const { body } = await push(
      [
        ['2025-03-01', 1, 'a', 'x\u0000y'],
        ['2025-03-01', 1, 'b', 'tab\tand\\N'],
      ],
      noted,
    );
    expect(body.rows.map((row: { outcome: string }) => row.outcome)).toEqual(['refused', 'inserted']);
    const [kept] = await service.database.sql('SELECT notes FROM financial_metrics');
    expect(kept).toEqual({ notes: 'tab\tand\\N' });
  });
});

describe('A saved mapping', () => {
  const path = () => `/clinics/${clinicId}/mappings`;
  const body = { name: 'Journal', table: 'financial_metrics', mapping };
  const save = (more: object = {}, token = admin) =>
    service.call('POST', path(), { token, body: { ...body, ...more } });

  it('is kept by clinic_admins, read by members, used by imports, and its version grows with it', async () => {
    expect(outcome(await save({}, await as('staff')))).toEqual([403, 'role-too-low']);
    const saved = await save();
    expect([saved.status, saved.body.version]).toEqual([201, 1]);
    expect(outcome(await save())).toEqual([409, 'already-exists']);
    const at = `${path()}/${saved.body.id}`;
    expect((await service.call('GET', at, { token: await as('viewer') })).body).toMatchObject({
      name: 'Journal',
      mapping,
    });
    expect((await service.call('GET', at, { token: await as('owner', 'southbank') })).status).toBe(404);
    const used = { mapping: undefined, mappingId: saved.body.id };
    expect((await push([['2025-03-01', 1, 'a']], used)).body).toMatchObject({ inserted: 1 });
    const headers = { 'if-match': saved.headers.get('etag') ?? '' };
    const change = { mapping: { ...mapping, constants: { metricType: 'refund' } } };
    const changed = await service.call('PATCH', at, { token: admin, body: change, headers });
    expect([changed.status, changed.body.version]).toEqual([200, 2]);
    expect((await service.call('PATCH', at, { token: admin, body: change, headers })).status).toBe(412);
    expect((await service.call('PATCH', at, { token: admin, body: { isActive: false } })).body).toMatchObject({
      version: 2,
      isActive: false,
    });
    expect(outcome(await push([['2025-03-01', 1, 'a']], used))).toEqual([404, 'not-found']);
    expect((await service.call('DELETE', at, { token: admin })).status).toBe(204);
    expect((await service.call('GET', at, { token: admin })).status).toBe(404);
  });

  const column = { column: 'Fee', field: 'amount' };
  it.each([
    [
      'an unknown field',
      { columns: [...mapping.columns, { column: 'X', field: 'revenue' }] },
      'columns.3.field',
      'unknown-field',
    ],
    [
      'a field twice',
      { columns: [...mapping.columns, { column: 'X', field: 'amount' }] },
      'columns.3.field',
      'field-twice',
    ],
    [
      'a column twice',
      { columns: [...mapping.columns, { column: 'fee', field: 'notes' }] },
      'columns.3.column',
      'column-twice',
    ],
    [
      'a field that is constant too',
      { constants: { metricType: 'refund', amount: '1' } },
      'constants.amount',
      'field-twice',
    ],
    ['no date', { columns: [column] }, 'date', 'field-missing'],
    [
      'a constant that no row could have',
      { constants: { metricType: 'profit' } },
      'constants.metricType',
      'not-a-choice',
    ],
    [
      'one reference for all',
      { columns: mapping.columns.slice(0, 2), constants: { ...mapping.constants, sourceReference: 'x' } },
      'constants.sourceReference',
      'not-constant',
    ],
    [
      'a date format without a year',
      { columns: [{ column: 'D', field: 'date', transformation: { kind: 'date', format: 'DD.MM' } }, column] },
      'columns.0.transformation.format',
      'unknown-format',
    ],
    [
      'a date made of an amount',
      {
        columns: [
          { column: 'D', field: 'date' },
          { ...column, transformation: { kind: 'date', format: 'DD.MM.YYYY' } },
        ],
      },
      'columns.1.transformation.kind',
      'wrong-transformation',
    ],
  ])('with %s is refused, and says where', async (_name, change, at, code) => {
    const refused = await save({ name: 'Bad', mapping: { ...mapping, ...change } });
    expect(outcome(refused)).toEqual([422, 'mapping-refused']);
    expect(refused.body.errors).toContainEqual(expect.objectContaining({ path: at, code }));
  });

  it('of a table that is none is refused', async () => {
    expect(outcome(await save({ table: 'users' }))).toEqual([400, 'invalid-request']);
  });
});
