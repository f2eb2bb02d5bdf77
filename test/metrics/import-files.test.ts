import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { followed, upload } from '../support/imports.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { workbook, zip } from '../support/workbook.js';

/** Files as practices export them, and as nobody should send them. */

let service: Service;
let clinicId: string;
let token: string;

beforeAll(async () => {
  service = await startService({ withWorker: true, variables: { UPLOAD_LIMIT_BYTES: '8000000' } });
  token = await service.tokenOf(demoAddress('clinic_admin', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token })).body.data[0].id;
});
afterAll(() => service.stop());
beforeEach(() => service.database.sql('DELETE FROM financial_metrics'));

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const mapping = {
  columns: [
    { column: 'Date', field: 'date' },
    { column: 'Amount', field: 'amount' },
    { column: 'Note', field: 'notes' },
  ],
  constants: { metricType: 'production' },
};

async function imported(content: string | Uint8Array, fileName = 'export.csv', fields: Record<string, unknown> = {}) {
  const all = { table: 'financial_metrics', mapping, ...fields };
  return followed(
    service,
    token,
    await upload(service, `/clinics/${clinicId}/imports`, token, { fields: all, content, fileName }),
  );
}
const facts = (columns = 'date::text, amount, notes') =>
  service.database.sql(`SELECT ${columns} FROM financial_metrics WHERE clinic_id = $1 ORDER BY date, amount`, [
    clinicId,
  ]);
const noFact = async () => expect(await facts()).toEqual([]);
/** An import is over before what was stored for it is gone. */
async function kept(): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    const rows = await service.database.sql('SELECT FROM import_files');
    if (rows.length === 0 || attempt > 40) return rows.length;
    await pause(50);
  }
}

describe('The journal of a German practice', () => {
  const german = {
    columns: [
      { column: 'Datum', field: 'date', transformation: { kind: 'date', format: 'DD.MM.YYYY' } },
      { column: 'Behandler', field: 'provider' },
      {
        column: 'Buchungsart',
        field: 'metricType',
        transformation: {
          kind: 'map',
          values: { Produktion: 'production', Zahlung: 'collection', Korrektur: 'adjustment' },
        },
      },
      { column: 'Leistungsart', field: 'category' },
      { column: 'Ziffer', field: 'procedureCode' },
      { column: 'Kasse', field: 'insuranceCarrier' },
      { column: 'Betrag', field: 'amount', transformation: { kind: 'currency', decimalSeparator: ',' } },
      { column: 'Vorgang', field: 'sourceReference' },
      { column: 'Bemerkung', field: 'notes' },
    ],
  };

  it('comes in whole: Windows-1252, semicolons, titles above the header, 1.234,56 and day-first dates', async () => {
    const done = await imported(fixture('production-by-provider.csv'), 'journal.csv', { mapping: german });
    expect(done).toMatchObject({ status: 'done', rowsRead: 450, inserted: 450, rejected: 0 });
    const [first] = await service.database.sql(
      `SELECT date::text, metric_type, category, amount, insurance_carrier FROM financial_metrics WHERE source_reference = 'L-000001'`,
    );
    expect(first).toEqual({
      date: '2026-01-05',
      metric_type: 'production',
      category: 'Zahnersatz',
      amount: '1583.19',
      insurance_carrier: 'AOK Nordost',
    });
    const [sums] = await service.database.sql(
      `SELECT count(*) FILTER (WHERE category = 'Füllungen')::int > 10 AS umlauts, count(*) FILTER (WHERE notes = 'Müller & Söhne; Gutachten')::int > 10 AS quoted,
              count(*) FILTER (WHERE amount < 0)::int > 5 AS negative FROM financial_metrics`,
    );
    expect(sums).toEqual({ umlauts: true, quoted: true, negative: true });
    // The minute's job may have rolled them up by now.
    const [dirty] = await service.database.sql(
      `SELECT count(*) > 30 AS noted FROM (
         SELECT date FROM metric_dirty_days WHERE clinic_id = $1
         UNION SELECT period_start FROM metric_aggregations WHERE clinic_id = $1 AND aggregation_type = 'daily') days`,
      [clinicId],
    );
    expect(dirty).toEqual({ noted: true });
  });

  it('is proposed a mapping that needs only what the words of its types mean', async () => {
    const lines = new TextDecoder('windows-1252')
      .decode(fixture('production-by-provider.csv'))
      .split('\r\n')
      .slice(0, 12);
    const rows = lines.map((line) => line.split(';').slice(0, 9));
    const answer = await service.call('POST', `/clinics/${clinicId}/mappings/proposal`, {
      token,
      body: { table: 'financial_metrics', rows },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ headerRow: 4, missing: [], unmapped: [] });
    expect(answer.body.mapping.columns).toContainEqual(german.columns[0]);
    expect(answer.body.mapping.columns).toContainEqual(german.columns[6]);
    expect(answer.body.preview[0].errors).toMatchObject([{ field: 'metricType', code: 'not-a-choice' }]);
    const tried = await service.call('POST', `/clinics/${clinicId}/mappings/proposal`, {
      token,
      body: { table: 'financial_metrics', rows, mapping: german },
    });
    expect(tried.body.preview[0]).toMatchObject({
      line: 5,
      errors: [],
      values: { amount: '1583.19', date: '2026-01-05', metricType: 'production' },
    });
  });
});

describe('The file of', () => {
  it('a telephone system: a byte-order mark, commas, month-first dates', async () => {
    const calls = {
      columns: [
        { column: 'Date', field: 'date', transformation: { kind: 'date', format: 'M/D/YYYY' } },
        { column: 'Call Type', field: 'callType' },
        { column: 'Total Calls', field: 'totalCalls' },
        { column: 'Answered', field: 'connectedCalls' },
        { column: 'Voicemails', field: 'voicemails' },
        { column: 'Appointments', field: 'appointmentsScheduled' },
        { column: 'Average Seconds', field: 'averageCallDuration' },
      ],
    };
    const done = await imported(fixture('calls.csv'), 'calls.csv', { table: 'call_metrics', mapping: calls });
    expect(done).toMatchObject({ status: 'done', inserted: 132, rejected: 0 });
    const wrong = await imported(
      'Date,Call Type,Total Calls,Answered,Voicemails,Appointments,Average Seconds\n1/5/2026,x,3,2,2,1,\n1/6/2026,y,3,2,1,1,\n',
      'calls.csv',
      { table: 'call_metrics', mapping: calls },
    );
    expect(wrong).toMatchObject({
      inserted: 1,
      rejected: 1,
      firstErrors: [{ line: 2, column: 'Total Calls', code: 'counts-do-not-add-up' }],
    });
  });

  it('recalls: a workbook with a hidden sheet, a title, serial dates and percentages', async () => {
    const recalls = {
      columns: [
        { column: 'Date', field: 'date' },
        { column: 'Active Patients', field: 'activePatients' },
        { column: 'New Patients', field: 'newPatients' },
        { column: 'Reactivated', field: 'reactivatedPatients' },
        { column: 'Lost', field: 'lostPatients' },
        { column: 'Retention', field: 'patientRetentionRate' },
        { column: 'Recall Rate', field: 'recareComplianceRate' },
        { column: 'Treatment Acceptance', field: 'treatmentAcceptanceRate' },
        { column: 'Patient Value', field: 'averagePatientValue' },
      ],
    };
    const fields = { table: 'patient_metrics', mapping: recalls };
    const done = await imported(fixture('recalls.xlsx'), 'recalls.xlsx', fields);
    expect(done).toMatchObject({ status: 'done', rowsRead: 13, inserted: 13, rejected: 0 });
    const [span] = await service.database.sql(
      'SELECT min(date)::text, max(date)::text FROM patient_metrics WHERE clinic_id = $1',
      [clinicId],
    );
    expect(span).toEqual({ min: '2026-01-05', max: '2026-03-30' });
    expect(await imported(fixture('recalls.xlsx'), 'recalls.xlsx', fields)).toMatchObject({ unchanged: 13 });
    const lookup = await imported(fixture('recalls.xlsx'), 'recalls.xlsx', { ...fields, sheet: 'Lookup' });
    expect(lookup.problem.code).toBe('columns-missing');
  });
});

describe('Text', () => {
  const text = 'Date;Amount;Note\r\n2025-03-01;1;Grüße – 20 €\r\n';
  const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16();
  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a byte-order mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16 little-endian', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16 big-endian', swapped(Buffer.from(`\ufeff${text}`, 'utf16le'))],
    ['Windows-1252', Buffer.from(text.replace('–', '\x96').replace('€', '\x80'), 'latin1')],
  ])('in %s is read', async (_name, content) => {
    expect(await imported(content)).toMatchObject({ inserted: 1, rejected: 0 });
    expect(await facts()).toEqual([{ date: '2025-03-01', amount: '1.00', notes: 'Grüße – 20 €' }]);
  });

  it.each([
    ['commas', 'Date,Amount,Note\n2025-03-01,1,"a, b"\n'],
    ['tabs', 'Date\tAmount\tNote\n2025-03-01\t1\ta, b\n'],
    ['semicolons', 'Date;Amount;Note\r2025-03-01;1;a, b\r'],
    ['what its first line says', 'sep=;\nDate;Amount;Note\n2025-03-01;1;a, b\n'],
    ['commas, the last line unended', 'Amount,Note,Date\n1,"a, b",2025-03-01'],
  ])('separated by %s is read', async (_name, content) => {
    expect(await imported(content)).toMatchObject({ inserted: 1, rejected: 0 });
    expect(await facts('date::text, notes')).toEqual([{ date: '2025-03-01', notes: 'a, b' }]);
  });

  it('that is not of the declared encoding is refused', async () => {
    const failed = await imported(Buffer.from(text, 'latin1'), 'x.csv', { encoding: 'utf-8' });
    expect([failed.status, failed.problem.code]).toEqual(['failed', 'unreadable-file']);
  });

  it('with quotes over several lines keeps them, and counts its lines as an editor does', async () => {
    const done = await imported('Date,Amount,Note\n2025-03-01,1,"two\nlines ""quoted"""\n2025-03-02,x,\n');
    expect(done).toMatchObject({ inserted: 1, rejected: 1, firstErrors: [{ line: 4, column: 'Amount' }] });
    expect(await facts('notes')).toEqual([{ notes: 'two\nlines "quoted"' }]);
  });
});

describe('NDJSON', () => {
  it('brings objects, numbers as numbers, a missing key as an empty cell', async () => {
    const content = '{"Date":"2025-03-01","Amount":12.5,"Note":"x"}\n\n{"Amount":"7","Date":"2025-03-02"}\n';
    expect(await imported(content, 'rows.ndjson')).toMatchObject({ inserted: 2 });
    const broken = await imported('{"Date":"2025-03-03","Amount":1}\n{"Date":\n', 'rows.ndjson');
    expect(broken.problem).toMatchObject({ code: 'unreadable-file', line: 2 });
    const nested = await imported('{"Date":"2025-03-03","Amount":{"a":1}}\n', 'rows.ndjson');
    expect(nested.problem).toMatchObject({ line: 1, column: 'Amount' });
    expect(await facts()).toHaveLength(2);
  });
});

describe('A workbook', () => {
  const header =
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="s"><v>2</v></c></row>';
  const strings = ['Date', 'Amount', 'Note'];
  const sheet = (cells: string, more: object = {}) =>
    workbook({ rows: `${header}<row r="2">${cells}</row>`, strings, formats: [0, 14], ...more });

  it('counts days from 1900, or from 1904 where it says so, whether styled as dates or not', async () => {
    const dates = '<c r="A2" s="1"><v>45717.75</v></c><c r="B2"><v>0.30000000000000004</v></c>';
    expect(await imported(sheet(dates), 'a.xlsx')).toMatchObject({ inserted: 1 });
    expect(await imported(sheet(dates.replace(' s="1"', '')), 'a.xlsx')).toMatchObject({ unchanged: 1 });
    const from1904 = dates.replace('45717.75', '44255').replace('B2"><v>0.30000000000000004', 'B2"><v>1');
    expect(await imported(sheet(from1904, { countsFrom1904: true }), 'a.xlsx')).toMatchObject({ inserted: 1 });
    expect(await facts('date::text, amount')).toEqual([
      { date: '2025-03-01', amount: '0.30' },
      { date: '2025-03-01', amount: '1.00' },
    ]);
  });

  it('brings inline text, formulas by their stored value, and leaves errors to be refused', async () => {
    const cells =
      '<c r="A2" t="inlineStr"><is><t>2025-03-01</t></is></c><c r="B2"><f>1+1</f><v>2</v></c><c r="D2" t="str"><v>&lt;b&gt;</v></c>';
    expect(await imported(sheet(cells), 'a.xlsx')).toMatchObject({ inserted: 1 });
    expect(await facts()).toEqual([{ date: '2025-03-01', amount: '2.00', notes: '<b>' }]);
    const wrong = await imported(sheet('<c r="A2" s="1"><v>45717</v></c><c r="B2" t="e"><v>#DIV/0!</v></c>'), 'a.xlsx');
    expect(wrong.firstErrors).toMatchObject([{ line: 2, column: 'Amount', code: 'not-a-number' }]);
  });

  it.each([
    ['is a zip bomb', () => zip({ 'xl/workbook.xml': Buffer.alloc(100_000_000, ' ') }), 'zip bomb'],
    ['lies about what it unpacks to', () => zip({ 'xl/workbook.xml': Buffer.alloc(1_000_000, ' ') }, 1_000), 'broken'],
    ['is no zip file at all', () => Buffer.from('not a workbook'), 'not a workbook'],
    ['is a zip file of something else', () => zip({ 'a.txt': 'hello' }), 'no part'],
    ['has a million columns', () => sheet('<c r="BDWGN2"><v>1</v></c>'), 'more than 500 columns'],
    ['holds broken XML', () => sheet('<c r="A2"'), 'not XML'],
    ['declares entities that grow', () => sheet('<c r="A2" t="str"><v>&lol9;</v></c>'), 'not XML'],
  ])('that %s is refused, and nothing is written', async (_name, content, words) => {
    const failed = await imported(content(), 'a.xlsx');
    expect(failed).toMatchObject({ status: 'failed', problem: { code: 'unreadable-file' } });
    expect(failed.problem.detail).toContain(words);
    await noFact();
    expect(await kept()).toBe(0);
  });
});

describe('A file that is', () => {
  const good = 'Date,Amount,Note\n2025-03-01,1,x\n';
  it.each([
    ['broken by an unfinished quote', `${good}2025-03-02,1,"never closed\n2025-03-03,1,y\n`, 4, null],
    ['never ending in a quote', `${good}2025-03-02,1,"${'x'.repeat(1_200_000)}`, 3, null],
    ['a row of a million columns', `${good}${','.repeat(1_000_000)}\n`, 3, '501'],
    ['a row of columns that never ends', `${good}${','.repeat(3_000_000)}`, 3, null],
    ['holding a NUL byte', `${good}2025-03-02,1,a\0b\n`, 3, '3'],
    ['holding an endless cell', `${good}2025-03-02,1,${'x'.repeat(40_000)}\n`, 3, '3'],
  ])('%s is refused with its line and column, and nothing is written', async (_name, content, line, column) => {
    const failed = await imported(content);
    expect(failed).toMatchObject({ status: 'failed', rowsRead: 0, problem: { code: 'unreadable-file', line } });
    if (column !== null) expect(failed.problem.column).toBe(column);
    await noFact();
    expect(await kept()).toBe(0);
  });

  it('under another header is refused by the names of the columns', async () => {
    const failed = await imported('Datum,Amount,Note\n2025-03-01,1,x\n');
    expect(failed.problem).toMatchObject({ code: 'columns-missing', detail: "The header has no column 'Date'." });
    const twice = await imported('Date,Amount,Note,amount\n2025-03-01,1,x,2\n');
    expect(twice.problem.detail).toContain('more than one column');
    await noFact();
  });

  it('larger than is taken is refused with 413, whatever it says of itself, and nothing is kept', async () => {
    const send = (content: string, headers: Record<string, string> = {}): Promise<Answer> =>
      upload(service, `/clinics/${clinicId}/imports`, token, {
        fields: { table: 'financial_metrics', mapping, ...headers },
        content,
      });
    const answer = await send(`${good}${'2025-03-01,1,x\n'.repeat(700_000)}`);
    expect([answer.status, answer.body.code]).toEqual([413, 'payload-too-large']);
    expect(await kept()).toBe(0);
    const streamed = await fetch(`${service.url}/api/v1/clinics/${clinicId}/imports`, {
      method: 'POST',
      duplex: 'half',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=x' },
      body: new ReadableStream({
        start(controller) {
          const part = (name: string, value: string) =>
            `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
          controller.enqueue(
            Buffer.from(
              `${part('table', 'financial_metrics')}${part('mapping', JSON.stringify(mapping))}--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n`,
            ),
          );
        },
        pull(controller) {
          controller.enqueue(Buffer.alloc(65_536, 'x'));
        },
      }),
    } as RequestInit);
    expect(streamed.status).toBe(413);
    expect(await kept()).toBe(0);
    const [last] = await service.database.sql('SELECT status, problem FROM imports ORDER BY id DESC LIMIT 1');
    expect(last).toMatchObject({ status: 'failed', problem: { code: 'payload-too-large' } });
  });
});

describe('A form', () => {
  const send = async (fields: Record<string, unknown>, fileName = 'a.csv') => {
    const content = 'Date,Amount,Note\n2025-03-01,1,x\n';
    const answer = await upload(service, `/clinics/${clinicId}/imports`, token, {
      fields: { table: 'financial_metrics', ...fields },
      content,
      fileName,
    });
    return [answer.status, answer.body.code];
  };
  it('without a mapping, with two, with a bad one, or of no known format is refused before anything is stored', async () => {
    expect(await send({})).toEqual([422, 'mapping-refused']);
    expect(await send({ mapping, mappingId: '00000000-0000-7000-8000-000000000000' })).toEqual([
      422,
      'mapping-refused',
    ]);
    expect(await send({ mapping: 'not json' })).toEqual([422, 'mapping-refused']);
    expect(await send({ mappingId: '00000000-0000-7000-8000-000000000000' })).toEqual([404, 'not-found']);
    expect(await send({ mapping }, 'a.pdf')).toEqual([422, 'unreadable-file']);
    expect(await send({ mapping, table: 'users' })).toEqual([400, 'invalid-request']);
    expect(await send({ mapping, clinicId })).toEqual([400, 'invalid-request']);
    expect(await kept()).toBe(0);
  });
});
