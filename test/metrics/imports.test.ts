import { demoAddress } from '../../src/demo/demo.js';
import { followed, type Upload, upload } from '../support/imports.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let providers: { id: string; name: string; npi_number: string | null }[];

beforeAll(async () => {
  service = await startService({ withWorker: true });
  const viewer = await as('viewer');
  const [clinic] = (await service.call('GET', '/clinics', { token: viewer })).body.data;
  clinicId = clinic.id;
  providers = await service.database.sql(
    'SELECT id, name, npi_number FROM providers WHERE clinic_id = $1 ORDER BY name',
    [clinicId],
  );
});
afterAll(() => service.stop());
beforeEach(() => service.database.sql('DELETE FROM financial_metrics'));

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];

const mapping = {
  columns: [
    { column: 'Date', field: 'date' },
    { column: 'Amount', field: 'amount' },
    { column: 'Ref', field: 'sourceReference' },
  ],
  constants: { metricType: 'production' },
};
const fields = { table: 'financial_metrics', mapping };

async function send(parts: Partial<Upload> & { content: Upload['content'] }, role = 'clinic_admin'): Promise<Answer> {
  return upload(service, `/clinics/${clinicId}/imports`, await as(role), { fields, ...parts });
}
async function imported(parts: Partial<Upload> & { content: Upload['content'] }, role = 'clinic_admin') {
  return followed(service, await as(role), await send(parts, role));
}
const facts = (columns = 'date::text, amount, source_reference') =>
  service.database.sql(`SELECT ${columns} FROM financial_metrics WHERE clinic_id = $1 ORDER BY date, amount`, [
    clinicId,
  ]);
const counts = ({ status, rowsRead, inserted, updated, unchanged, rejected }: Record<string, unknown>) => ({
  status,
  rowsRead,
  inserted,
  updated,
  unchanged,
  rejected,
});

const file = 'Date,Amount,Ref\n2025-03-01,100.00,a\n2025-03-02,-20.5,b\n';

describe('A file', () => {
  it('is taken at once and followed to its end; what it brought are facts of the clinic', async () => {
    const answer = await send({ content: file });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/v1/clinics/${clinicId}/imports/${answer.body.id}`);
    const done = await followed(service, await as('clinic_admin'), answer);
    expect(counts(done)).toEqual({ status: 'done', rowsRead: 2, inserted: 2, updated: 0, unchanged: 0, rejected: 0 });
    expect(await facts('date::text, amount, source_reference, import_id')).toEqual([
      { date: '2025-03-01', amount: '100.00', source_reference: 'a', import_id: done.id },
      { date: '2025-03-02', amount: '-20.50', source_reference: 'b', import_id: done.id },
    ]);
  });
});

describe('The same file', () => {
  it('twice changes nothing, with references and without', async () => {
    const again = async (content: string, own = mapping) => {
      const results = [];
      for (let time = 0; time < 2; time += 1)
        results.push(counts(await imported({ content, fields: { ...fields, mapping: own } })));
      return results;
    };
    const nothing = { inserted: 0, updated: 0, rejected: 0, status: 'done' };
    expect((await again(file))[1]).toEqual({ ...nothing, rowsRead: 2, unchanged: 2 });
    const bare = { ...mapping, columns: mapping.columns.slice(0, 2) };
    const twins = 'Date,Amount\n2025-03-01,1\n2025-03-01,1\n2025-03-01,1.00\n2025-03-02,1\n';
    const [first, second] = await again(twins, bare);
    expect(first).toMatchObject({ inserted: 4 });
    expect(second).toEqual({ ...nothing, rowsRead: 4, unchanged: 4 });
    // Longer by a row, it adds that row.
    expect(
      counts(await imported({ content: `${twins}2025-03-01,1\n`, fields: { ...fields, mapping: bare } })),
    ).toMatchObject({ inserted: 1, unchanged: 4 });
  });

  it('by two people at once is there once', async () => {
    const both = await Promise.all([send({ content: file }), send({ content: file }, 'staff')]);
    const [one, other] = await Promise.all(
      both.map(async (answer, index) => followed(service, await as(index === 0 ? 'clinic_admin' : 'staff'), answer)),
    );
    expect([one.inserted + other.inserted, one.unchanged + other.unchanged]).toEqual([2, 2]);
    expect(await facts()).toHaveLength(2);
  });

  it('with other values changes the facts of the same reference, also to another day; columns that it lacks stay', async () => {
    await imported({ content: file });
    await service.database.sql(`UPDATE financial_metrics SET notes = 'kept'`);
    const changed = await imported({ content: 'Date,Amount,Ref\n2024-12-31,7,a\n2025-03-02,-20.50,b\n' });
    expect(counts(changed)).toMatchObject({ updated: 1, unchanged: 1, inserted: 0 });
    expect(await facts('date::text, amount, source_reference, notes')).toEqual([
      { date: '2024-12-31', amount: '7.00', source_reference: 'a', notes: 'kept' },
      { date: '2025-03-02', amount: '-20.50', source_reference: 'b', notes: 'kept' },
    ]);
    const [source] = await service.database.sql(
      `SELECT date::text FROM fact_sources WHERE clinic_id = $1 AND source_reference = 'a'`,
      [clinicId],
    );
    expect(source).toEqual({ date: '2024-12-31' });
  });

  it('in mode insert refuses rows that would change a fact, and takes those that are there as they are', async () => {
    await imported({ content: file });
    const result = await imported({
      content: 'Date,Amount,Ref\n2025-03-01,100,a\n2025-03-02,99,b\n2025-03-03,1,c\n',
      fields: { ...fields, mode: 'insert' },
    });
    expect(counts(result)).toMatchObject({ inserted: 1, unchanged: 1, updated: 0, rejected: 1 });
    expect(result.firstErrors).toMatchObject([{ line: 3, column: 'Ref', code: 'already-there' }]);
  });
});

describe('Rows that are refused', () => {
  const bad = [
    'Date,Amount,Ref',
    '2025-13-01,1,a',
    '1989-12-31,1,b',
    '2999-01-01,1,c',
    '2025-03-01,abc,d',
    '2025-03-01,1.234,e',
    ',1,f',
    '2025-03-01,99999999999,g',
    '2025-03-01,1,h',
    '2025-03-01,2,h',
    '2025-03-01,1,234,i',
  ].join('\n');

  it('are listed with line, column and reason, and the others come in', async () => {
    const done = await imported({ content: bad });
    expect(counts(done)).toEqual({ status: 'done', rowsRead: 10, inserted: 1, updated: 0, unchanged: 0, rejected: 9 });
    const reasons = done.firstErrors.map(({ line, column, code }: Record<string, unknown>) => [line, column, code]);
    expect(reasons).toEqual([
      [2, 'Date', 'not-a-date'],
      [3, 'Date', 'date-out-of-range'],
      [4, 'Date', 'date-out-of-range'],
      [5, 'Amount', 'not-a-number'],
      [6, 'Amount', 'too-precise'],
      [7, 'Date', 'missing'],
      [8, 'Amount', 'out-of-range'],
      [10, 'Ref', 'reference-twice'],
      [11, null, 'too-many-cells'],
    ]);
    expect(await facts()).toHaveLength(1);
    const csv = await service.call('GET', `/clinics/${clinicId}/imports/${done.id}/errors.csv`, {
      token: await as('viewer'),
    });
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.text.split('\r\n').slice(0, 2)).toEqual([
      'line,column,field,code,message',
      '2,Date,date,not-a-date,A date as YYYY-MM-DD is expected.',
    ]);
    expect(csv.text.trimEnd().split('\r\n')).toHaveLength(10);
  });

  it('stop a strict import: nothing is written, and it has failed', async () => {
    const failed = await imported({ content: bad, fields: { ...fields, strict: 'true' } });
    expect(counts(failed)).toEqual({
      status: 'failed',
      rowsRead: 10,
      inserted: 0,
      updated: 0,
      unchanged: 0,
      rejected: 9,
    });
    expect(failed.problem).toMatchObject({ code: 'nothing-imported' });
    expect(await facts()).toEqual([]);
  });

  it('all of them, or no rows at all, are no success', async () => {
    const failed = await imported({ content: 'Date,Amount,Ref\nx,y,z\n' });
    expect([failed.status, failed.problem.detail]).toEqual(['failed', 'Every row was refused.']);
    const empty = await imported({ content: 'Date,Amount,Ref\n' });
    expect([empty.status, empty.problem.code]).toEqual(['failed', 'nothing-imported']);
  });
});

describe('A dry run', () => {
  it('says what would happen, writes no fact, and cannot be undone', async () => {
    await imported({ content: file });
    const dry = await imported({
      content: 'Date,Amount,Ref\n2025-03-01,5,a\n2025-03-03,5,c\nx,1,d\n',
      fields: { ...fields, dryRun: 'true' },
    });
    expect(counts(dry)).toEqual({ status: 'done', rowsRead: 3, inserted: 1, updated: 1, unchanged: 0, rejected: 1 });
    expect(await facts()).toEqual([
      { date: '2025-03-01', amount: '100.00', source_reference: 'a' },
      { date: '2025-03-02', amount: '-20.50', source_reference: 'b' },
    ]);
    expect(outcome(await undo(dry.id))).toEqual([409, 'import-state']);
  });
});

const undo = async (id: string, role = 'clinic_admin') =>
  service.call('POST', `/clinics/${clinicId}/imports/${id}/undo`, { token: await as(role) });
const undone = async (id: string) => followed(service, await as('clinic_admin'), await undo(id));

describe('Undoing', () => {
  it('puts back exactly what the import changed, and only once', async () => {
    await imported({ content: file });
    await service.database.sql(
      `UPDATE financial_metrics SET notes = 'mine', category = 'x' WHERE source_reference = 'a'`,
    );
    const before = await facts('id, date::text, amount, category, notes, source_reference, import_id, created_by');
    const changing = { ...mapping, columns: [...mapping.columns, { column: 'Note', field: 'notes' }] };
    const second = await imported({
      content: 'Date,Amount,Ref,Note\n2024-03-01,5,a,other\n2025-03-03,5,c,\n',
      fields: { ...fields, mapping: changing },
    });
    expect(counts(second)).toMatchObject({ inserted: 1, updated: 1 });
    const answer = await undo(second.id);
    expect([answer.status, answer.body.status]).toEqual([202, 'undoing']);
    expect(answer.headers.get('location')).toBe(`/api/v1/clinics/${clinicId}/imports/${second.id}`);
    const followedUp = await followed(service, await as('clinic_admin'), answer);
    expect(followedUp).toMatchObject({ status: 'undone', problem: null, undoneBy: followedUp.createdBy });
    expect(await facts('id, date::text, amount, category, notes, source_reference, import_id, created_by')).toEqual(
      before,
    );
    const again = await undo(second.id);
    expect(outcome(again)).toEqual([409, 'import-state']);
  });

  it('goes back through several imports, the last first', async () => {
    const first = await imported({ content: file });
    const second = await imported({ content: file.replace('100.00', '101') });
    const third = await imported({ content: file.replace('100.00', '102') });
    expect(outcome(await undo(first.id))).toEqual([409, 'changed-since-import']);
    expect(outcome(await undo(second.id))).toEqual([409, 'changed-since-import']);
    for (const { id } of [third, second, first]) expect((await undone(id)).status).toBe('undone');
    expect(await facts()).toEqual([]);
    const sources = await service.database.sql('SELECT FROM fact_sources WHERE clinic_id = $1', [clinicId]);
    expect(sources).toEqual([]);
  });

  it('is refused when somebody has changed rows since, says how many, and undoes nothing', async () => {
    const done = await imported({ content: file });
    await service.database.sql(`UPDATE financial_metrics SET amount = 3 WHERE source_reference = 'a'`);
    const refused = await undo(done.id);
    expect(outcome(refused)).toEqual([409, 'changed-since-import']);
    expect(refused.body.detail).toContain('1 row was changed');
    expect(await facts()).toHaveLength(2);
  });

  it('is for 30 days, for clinic_admins, and by two at once done once', async () => {
    const done = await imported({ content: file });
    expect(outcome(await undo(done.id, 'staff'))).toEqual([403, 'role-too-low']);
    const both = await Promise.all([undo(done.id), undo(done.id)]);
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
    const accepted = both.find(({ status }) => status === 202) as Answer;
    expect((await followed(service, await as('clinic_admin'), accepted)).status).toBe('undone');
    const old = await imported({ content: file });
    await service.database.sql(`UPDATE imports SET finished_at = now() - interval '31 days' WHERE id = $1`, [old.id]);
    expect(outcome(await undo(old.id))).toEqual([409, 'import-state']);
  });
});

describe('The apostrophe that an export puts before = + - @', () => {
  it('is taken off texts again; any other apostrophe stays', async () => {
    const withNotes = { ...mapping, columns: [...mapping.columns, { column: 'Note', field: 'notes' }] };
    const notes = [`'=1+1`, `'+49 30`, `'-`, `'@home`, `'s Graven`, `''=x`, `'`, `=1+1`];
    const done = await imported({
      content: `Date,Amount,Ref,Note\n${notes.map((note, at) => `2025-03-0${at + 1},1,'=r${at},${note}`).join('\n')}\n`,
      fields: { ...fields, mapping: withNotes },
    });
    expect(counts(done)).toMatchObject({ inserted: 8, rejected: 0 });
    const kept = await facts('source_reference, notes, date, amount');
    expect(kept.map(({ notes: note }) => note)).toEqual([
      '=1+1',
      '+49 30',
      '-',
      '@home',
      `'s Graven`,
      `''=x`,
      `'`,
      '=1+1',
    ]);
    expect(kept[0]).toMatchObject({ source_reference: '=r0' });
  });
});

describe('Providers', () => {
  const withProvider = { ...mapping, columns: [...mapping.columns, { column: 'Doctor', field: 'provider' }] };
  const send3 = (names: string[]) =>
    imported({
      content: `Date,Amount,Ref,Doctor\n${names.map((name, index) => `2025-03-0${index + 1},1,r${index},"${name}"`).join('\n')}\n`,
      fields: { ...fields, mapping: withProvider },
    });

  it('are found by id, exact name or NPI within the clinic, and by nothing else', async () => {
    const [one] = providers;
    await service.database.sql(`UPDATE providers SET npi_number = '1234567893' WHERE id = $1`, [one?.id]);
    const [foreign] = await service.database.sql<{ id: string; name: string }>(
      `SELECT p.id, p.name FROM providers p JOIN clinics c ON c.id = p.clinic_id WHERE c.name = 'Southbank Dental' LIMIT 1`,
    );
    const done = await send3([one?.id ?? '', one?.name ?? '', '1234567893', 'Nobody', foreign?.id ?? '']);
    expect(counts(done)).toMatchObject({ inserted: 3, rejected: 2 });
    expect(done.firstErrors).toMatchObject([
      { line: 5, column: 'Doctor', code: 'unknown-provider' },
      { line: 6, column: 'Doctor', code: 'unknown-provider' },
    ]);
    expect(new Set((await facts('provider_id')).map(({ provider_id }) => provider_id))).toEqual(new Set([one?.id]));
  });

  it('of one name are not guessed between', async () => {
    await service.database.sql(`INSERT INTO providers (clinic_id, name) VALUES ($1, 'Dr. Twin'), ($1, 'Dr. Twin')`, [
      clinicId,
    ]);
    const done = await send3(['Dr. Twin']);
    expect(done.firstErrors).toMatchObject([{ line: 2, code: 'ambiguous-provider' }]);
  });
});

describe('Who may', () => {
  const calls = {
    table: 'call_metrics',
    mapping: {
      columns: [
        { column: 'Date', field: 'date' },
        { column: 'Calls', field: 'totalCalls' },
      ],
    },
  };

  it('import: staff and above; calls: not providers; nobody of another clinic', async () => {
    const content = 'Date,Calls\n2025-03-01,4\n';
    expect(outcome(await send({ content: file }, 'viewer'))).toEqual([403, 'role-too-low']);
    expect(outcome(await send({ content, fields: calls }, 'provider'))).toEqual([403, 'forbidden']);
    expect(counts(await imported({ content, fields: calls }, 'staff'))).toMatchObject({ inserted: 1 });
    const foreign = await upload(service, `/clinics/${clinicId}/imports`, await as('clinic_admin', 'southbank'), {
      fields,
      content: file,
    });
    expect(outcome(foreign)).toEqual([404, 'not-found']);
    expect(await upload(service, `/clinics/${clinicId}/imports`, undefined, { fields, content: file })).toMatchObject({
      status: 401,
    });
  });

  it('change: a provider own entries, those of others are refused row by row', async () => {
    await imported({ content: file }, 'staff');
    const theirs = await imported({ content: 'Date,Amount,Ref\n2025-03-01,1,a\n2025-03-05,2,p\n' }, 'provider');
    expect(counts(theirs)).toMatchObject({ inserted: 1, updated: 0, rejected: 1 });
    expect(theirs.firstErrors).toMatchObject([{ line: 2, code: 'not-yours-to-change' }]);
    expect(counts(await imported({ content: 'Date,Amount,Ref\n2025-03-05,3,p\n' }, 'provider'))).toMatchObject({
      updated: 1,
    });
  });

  it('read: any member; not those of other clinics', async () => {
    const { id } = await imported({ content: file });
    const path = `/clinics/${clinicId}/imports`;
    for (const each of [path, `${path}/${id}`, `${path}/${id}/errors.csv`]) {
      expect((await service.call('GET', each, { token: await as('viewer') })).status).toBe(200);
      expect((await service.call('GET', each, { token: await as('owner', 'southbank') })).status).toBe(404);
    }
  });

  it('is asked again when the job runs: whoever has lost their role brings nothing in', async () => {
    const [row] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [
      demoAddress('staff', 'northside'),
    ]);
    await service.database.sql(`
      CREATE FUNCTION pg_temp_fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE public.user_clinic_roles SET is_active = false WHERE user_id = '${row?.id}'; RETURN NULL; END $$`);
    await service.database.sql('ALTER FUNCTION pg_temp_fire() SECURITY DEFINER');
    await service.database.sql(
      `CREATE TRIGGER lose AFTER UPDATE ON imports FOR EACH ROW WHEN (NEW.status = 'queued') EXECUTE FUNCTION pg_temp_fire()`,
    );
    const answer = await send({ content: file }, 'staff');
    await service.database.sql('DROP TRIGGER lose ON imports');
    const { id } = (
      await service.database.sql<{ id: string }>('SELECT id FROM imports ORDER BY id DESC LIMIT 1')
    )[0] ?? { id: '' };
    expect([202, 403, 404]).toContain(answer.status);
    const done = await followedById(id);
    expect(done.status).toBe('failed');
    expect(await facts()).toEqual([]);
    await service.database.sql('UPDATE user_clinic_roles SET is_active = true WHERE user_id = $1', [row?.id]);
  });
});

async function followedById(id: string): Promise<Answer['body']> {
  const headers = new Headers({ location: `/api/v1/clinics/${clinicId}/imports/${id}` });
  return followed(service, await as('clinic_admin'), { status: 202, headers, body: undefined, text: '' });
}
