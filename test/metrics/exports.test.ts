import { once } from 'node:events';
import { request as open } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { fromBuffer } from 'yauzl';
import { demoAddress } from '../../src/demo/demo.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let providerId: string;

beforeAll(async () => {
  service = await startService({ variables: { DATABASE_POOL_SIZE: '3' } });
  const { body } = await service.call('GET', '/clinics', { token: await as('viewer') });
  clinicId = body.data[0].id;
  const [row] = await service.database.sql<{ id: string }>('SELECT id FROM providers WHERE clinic_id = $1 LIMIT 1', [
    clinicId,
  ]);
  providerId = row?.id ?? '';
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const enter = async (noun: string, items: object[]) => {
  const token = await as('staff');
  const { status, text } = await service.call('POST', `/clinics/${clinicId}/metrics/${noun}/batch`, {
    token,
    body: { items },
  });
  if (status !== 201) throw new Error(text);
};
async function download(query: string, role = 'viewer', clinic = clinicId, slug = 'northside') {
  const response = await fetch(`${service.url}/api/v1/clinics/${clinic}/exports?${query}`, {
    headers: { authorization: `Bearer ${await as(role, slug)}` },
  });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}
const csv = async (query: string) =>
  parse((await download(`format=csv&${query}`)).bytes, { columns: true }) as Record<string, string>[];

/** The entries of an archive by their names. */
async function unzipped(bytes: Buffer): Promise<Record<string, string>> {
  const archive = await new Promise<import('yauzl').ZipFile>((resolve, reject) =>
    fromBuffer(bytes, { lazyEntries: false, autoClose: false }, (error, file) =>
      error ? reject(error) : resolve(file),
    ),
  );
  const entries: import('yauzl').Entry[] = [];
  archive.on('entry', (entry) => entries.push(entry));
  await once(archive, 'end');
  const found: Record<string, string> = {};
  for (const entry of entries) {
    const stream = await new Promise<Readable>((resolve, reject) =>
      archive.openReadStream(entry, (error, readable) => (error ? reject(error) : resolve(readable))),
    );
    found[entry.fileName] = Buffer.concat(await stream.toArray()).toString();
  }
  return found;
}

const unescaped = (text: string) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
function cellsOf(sheet: string): (string | number | null | { day: number })[][] {
  return [...sheet.matchAll(/<row>(.*?)<\/row>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<c(?: (?:t="(\w+)"|s="(\d)"))?(?:\/>|>(.*?)<\/c>)/gs)].map(([, type, style, content]) => {
      if (content === undefined) return null;
      if (type === 'inlineStr') return unescaped(content.replace(/<[^>]*>/g, ''));
      const value = Number(content.replace(/<[^>]*>/g, ''));
      return style ? { day: value } : value;
    }),
  );
}

const dangerous = ['=1+1', '+1', '-1', '@SUM(A1)', '＝1+1', '=cmd|"/c calc"!A1'];
const awkward = ['a "b", c; d', "it's", '<b>&amp;</b>', 'Zähne 牙 🦷', 'safe = yes'];
const facts = () =>
  [...dangerous, ...awkward].map((category, index) => ({
    date: `2024-02-${String(index + 1).padStart(2, '0')}`,
    metricType: 'adjustment',
    amount: `-${index}.50`,
    category,
    notes: ['one\r\ntwo', 'bell <rung>'][index] ?? null,
    providerId: index % 2 === 0 ? providerId : null,
    sourceReference: `export-${index}`,
  }));

describe('An export of facts', () => {
  beforeAll(async () => {
    await enter('financial', facts());
    // Nothing that comes in holds it any more; what came in earlier may.
    await service.database.sql(
      `UPDATE financial_metrics SET notes = E'bell\\u0007 <rung>' WHERE source_reference = 'export-1'`,
    );
  });
  const query = 'table=financial_metrics&from=2024-02-01&to=2024-02-29';
  const safe = (text: string) => (dangerous.includes(text) ? `'${text}` : text);

  it('as CSV is one of RFC 4180 whose texts no spreadsheet takes for formulas, and whose numbers stay numbers', async () => {
    const { status, headers, bytes } = await download(`${query}&format=csv`);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(headers.get('content-disposition')).toContain(
      'filename="Northside Dental financial_metrics 2024-02-01 2024-02-29.csv"',
    );
    expect(bytes.toString().split('\r\n')[0]).toBe(
      'date,metricType,category,amount,provider,providerName,insuranceCarrier,paymentMethod,procedureCode,notes,sourceReference,id',
    );
    const rows = await csv(query);
    expect(rows.map(({ category }) => category)).toEqual(facts().map(({ category }) => safe(category)));
    expect(rows.map(({ amount }) => amount)).toEqual(facts().map(({ amount }) => amount));
    expect(rows[0]).toMatchObject({
      date: '2024-02-01',
      provider: providerId,
      notes: 'one\r\ntwo',
      sourceReference: 'export-0',
    });
    expect(rows[0]?.providerName).toMatch(/^Dr\. /);
    expect(rows[1]).toMatchObject({ provider: '', providerName: '' });
    expect(rows[2]).toMatchObject({ notes: '' });
  });

  it('as CSV has a byte order mark when it is asked for', async () => {
    const [with_, without] = [await download(`${query}&bom=true`), await download(query)];
    expect(with_.bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
    expect(with_.bytes.subarray(3)).toEqual(without.bytes);
  });

  it('as JSON and NDJSON has the values as they are, decimals as text', async () => {
    const list = JSON.parse((await download(`${query}&format=json`)).bytes.toString());
    const lines = (await download(`${query}&format=ndjson`)).bytes
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(list);
    const { providerId: provider, ...first } = facts()[0] as ReturnType<typeof facts>[0];
    expect(list[0]).toMatchObject({ ...first, provider });
    expect(list.map(({ category }: { category: string }) => category)).toEqual(facts().map(({ category }) => category));
  });

  it('as XLSX is a workbook with days and numbers, and no formula', async () => {
    const { headers, bytes } = await download(`${query}&format=xlsx`);
    expect(headers.get('content-type')).toBe('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet');
    const parts = await unzipped(bytes);
    expect(Object.keys(parts).sort()).toEqual(
      [
        '[Content_Types].xml',
        '_rels/.rels',
        'xl/_rels/workbook.xml.rels',
        'xl/styles.xml',
        'xl/workbook.xml',
        'xl/worksheets/sheet1.xml',
      ].sort(),
    );
    const sheet = parts['xl/worksheets/sheet1.xml'] ?? '';
    expect(sheet).not.toContain('<f>');
    const [heading, ...rows] = cellsOf(sheet);
    expect(heading?.slice(0, 4)).toEqual(['date', 'metricType', 'category', 'amount']);
    expect(rows.map(([, , category]) => category)).toEqual(facts().map(({ category }) => safe(category)));
    // 2024-02-01 in the days of spreadsheets.
    expect(rows.map(([day]) => day)).toEqual(facts().map((_, index) => ({ day: 45_323 + index })));
    expect(rows.map(([, , , amount]) => amount)).toEqual(facts().map(({ amount }) => Number(amount)));
    expect(rows[1]?.[4]).toBeNull();
    expect(rows[1]?.[9]).toBe('bell <rung>');
  });

  it('that holds nothing is a heading, an empty list, no lines or an empty sheet', async () => {
    const nothing = 'table=financial_metrics&from=1991-01-01&to=1991-01-02';
    expect(await csv(nothing)).toEqual([]);
    expect(JSON.parse((await download(`${nothing}&format=json`)).bytes.toString())).toEqual([]);
    expect((await download(`${nothing}&format=ndjson`)).bytes).toHaveLength(0);
    const parts = await unzipped((await download(`${nothing}&format=xlsx`)).bytes);
    expect(cellsOf(parts['xl/worksheets/sheet1.xml'] ?? '')).toHaveLength(1);
  });

  it('is the same for every member, and not there for anybody else', async () => {
    const expected = (await download(query)).bytes;
    for (const role of ['staff', 'provider', 'clinic_admin', 'manager', 'owner']) {
      expect((await download(query, role)).bytes.equals(expected)).toBe(true);
    }
    for (const [role, slug] of [
      ['member', 'northside'],
      ['patient', 'northside'],
      ['owner', 'southbank'],
    ] as const) {
      for (const format of ['csv', 'xlsx']) {
        expect((await download(`${query}&format=${format}`, role, clinicId, slug)).status).toBe(404);
      }
    }
    const { body } = await service.call('GET', '/clinics', { token: await as('viewer', 'southbank') });
    const theirs = await download('table=financial_metrics&format=json', 'viewer', body.data[0].id, 'southbank');
    expect(JSON.parse(theirs.bytes.toString())).toEqual([]);
  });

  it.each([
    'table=audit.events',
    'table=profiles',
    'format=csv',
    'table=goals&format=xml',
    'table=goals&from=x',
    'table=goals&clinicId=1',
  ])('is refused for ?%s', async (wrong) => {
    expect((await download(wrong)).status).toBe(400);
  });
});

describe('An export', () => {
  it('of each table names the columns that an import of it takes, and what people look for', async () => {
    await enter('appointments', [{ date: '2024-03-01', scheduledCount: 4, completedCount: 3, averageDuration: '30' }]);
    await enter('calls', [
      { date: '2024-03-01', totalCalls: 4, connectedCalls: 3, appointmentsScheduled: 2, callType: '@new' },
    ]);
    await enter('patients', [{ date: '2024-03-01', activePatients: 800, averagePatientValue: '120.5' }]);
    const [appointments, calls, patients] = [
      await csv('table=appointment_metrics'),
      await csv('table=call_metrics'),
      await csv('table=patient_metrics'),
    ];
    expect(appointments).toMatchObject([
      { scheduledCount: '4', noShowCount: '0', averageDuration: '30.00', utilizationRate: '' },
    ]);
    expect(calls).toMatchObject([{ callType: "'@new", totalCalls: '4', conversionRate: '66.67', staffMember: '' }]);
    expect(patients).toMatchObject([{ activePatients: '800', averagePatientValue: '120.50', lostPatients: '' }]);
  });

  it("of the definitions has the system's and the clinic's own", async () => {
    const body = { code: 'exported', name: '=Sum', dataType: 'decimal', calculationFormula: '-production' };
    await service.call('POST', `/clinics/${clinicId}/metrics/definitions`, { token: await as('owner'), body });
    const rows = await csv('table=metric_definitions');
    expect(rows.find(({ code }) => code === 'exported')).toMatchObject({
      name: "'=Sum",
      calculationFormula: "'-production",
      isSystem: 'f',
    });
    expect(rows.find(({ code }) => code === 'production')).toMatchObject({ isSystem: 't', calculationFormula: '' });
  });

  it('of the roll-ups goes through whole clinic and providers, period by period', async () => {
    await service.database.sql(
      `INSERT INTO metric_aggregations (clinic_id, metric_definition_id, provider_id, aggregation_type, period_start, period_end, count, value, minimum, maximum, average, standard_deviation)
       SELECT $1, d.id, p.id, 'daily', day::date, day::date, 1, 2.5, 1, 2, 1.5, 0.5
         FROM metric_definitions d CROSS JOIN (SELECT NULL::uuid AS id UNION ALL SELECT $2::uuid) p
              CROSS JOIN generate_series('1995-01-01'::date, '2000-12-31', '1 day') day
        WHERE d.code IN ('production', 'collections')`,
      [clinicId, providerId],
    );
    const rows = await csv('table=metric_aggregations&from=1995-01-01&to=2000-12-31');
    expect(rows).toHaveLength(2 * 2 * 2_192);
    expect(new Set(rows.map(({ metric, provider, periodStart }) => `${metric} ${provider} ${periodStart}`)).size).toBe(
      rows.length,
    );
    expect(rows[0]).toMatchObject({ granularity: 'daily', value: '2.5', average: '1.5', providerName: '' });
  });

  it('of the goals has those whose period meets the days that are asked for', async () => {
    await service.database.sql(
      `INSERT INTO goals (clinic_id, metric_definition_id, name, time_period, start_date, end_date, target_value, direction, status)
       SELECT $1, id, 'More', 'monthly', '2024-05-01', '2024-05-31', 1000, 'at_least', 'draft' FROM metric_definitions WHERE code = 'production'`,
      [clinicId],
    );
    expect(await csv('table=goals&from=2024-05-31')).toMatchObject([
      { name: 'More', metric: 'production', targetValue: expect.stringMatching(/^1000\.0+$/) },
    ]);
    expect(await csv('table=goals&from=2024-06-01')).toEqual([]);
  });
});

describe('A long export', () => {
  const rows = 40_000;
  beforeAll(() =>
    service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, category, notes)
       SELECT $1, '2020-01-01'::date + n % 700, 'production', n, 'Category ' || n % 10, repeat('x', 300) FROM generate_series(1, ${rows}) n`,
      [clinicId],
    ),
  );
  const query = 'table=financial_metrics&from=2020-01-01&to=2021-12-31';

  it('has every row once, in the order of days, whatever the format', async () => {
    const list = await csv(query);
    expect(list).toHaveLength(rows);
    expect(new Set(list.map(({ amount }) => amount)).size).toBe(rows);
    expect(list.map(({ date = '' }) => date)).toEqual(list.map(({ date = '' }) => date).sort());
    expect(JSON.parse((await download(`${query}&format=json`)).bytes.toString())).toHaveLength(rows);
    const parts = await unzipped((await download(`${query}&format=xlsx`)).bytes);
    expect(cellsOf(parts['xl/worksheets/sheet1.xml'] ?? '')).toHaveLength(rows + 1);
  });

  it.each(['csv', 'xlsx'])(
    'as %s that nobody reads holds no connection, and ends when the client hangs up',
    async (format) => {
      const token = await as('viewer');
      const readers = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const request = open(`${service.url}/api/v1/clinics/${clinicId}/exports?${query}&format=${format}`, {
            headers: { authorization: `Bearer ${token}` },
          });
          request.on('error', () => undefined).end();
          const [response] = (await once(request, 'response')) as [Readable];
          response.on('error', () => undefined);
          return request;
        }),
      );
      const busy = async () => {
        const [row] = await service.database.sql<{ count: number }>(
          `SELECT count(*)::integer AS count FROM pg_stat_activity
          WHERE usename = 'polyclinic_api' AND datname = current_database() AND state <> 'idle'`,
        );
        return row?.count;
      };
      // Between two pages nothing is held either: what counts is that it stays so.
      const isQuiet = async () => (await busy()) === 0 && (await delay(300)) === undefined && (await busy()) === 0;
      const deadline = Date.now() + 40_000;
      while (!(await isQuiet()) && Date.now() < deadline) await delay(50);
      expect(await busy()).toBe(0);
      expect((await service.call('GET', '/auth/me', { token })).status).toBe(200);
      for (const request of readers) request.destroy();
      expect((await download('table=goals')).status).toBe(200);
    },
    60_000,
  );
});
