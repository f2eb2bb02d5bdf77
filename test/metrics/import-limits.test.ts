import fc from 'fast-check';
import type { z } from 'zod';
import { demoAddress } from '../../src/demo/demo.js';
import { NewAppointmentMetric } from '../../src/modules/metrics/facts/appointment-metrics.schemas.js';
import { NewCallMetric } from '../../src/modules/metrics/facts/call-metrics.schemas.js';
import { NewFinancialMetric } from '../../src/modules/metrics/facts/financial-metrics.schemas.js';
import { NewPatientMetric } from '../../src/modules/metrics/facts/patient-metrics.schemas.js';
import { type FactTable, type Field, fieldsOf } from '../../src/modules/metrics/imports/fields.js';
import { type Service, startService } from '../support/service.js';

/**
 * What may be entered by hand may be imported, and nothing else. Left out is what is written differently on purpose: an
 * import reads numbers with separators, words in other letters, providers by their names, takes an empty cell as no value
 * and the apostrophe of an export off.
 */

let service: Service;
let clinicId: string;
let token: string;

beforeAll(async () => {
  service = await startService();
  token = await service.tokenOf(demoAddress('clinic_admin', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token })).body.data[0].id;
});
afterAll(() => service.stop());

type Value = string | number | undefined;
type Row = Record<string, Value>;

/** An amount of hundredths, now and then of thousandths, most often near a limit. */
const decimal = fc
  .tuple(
    fc.constantFrom(0n, 100n, 99_999n, 100_000n, 9_999_999n, 10_000_000n, 9_999_999_999n, 10_000_000_000n),
    fc.bigInt({ min: -250n, max: 250n }),
    fc.boolean(),
    fc.constantFrom('', '', '', '1', '5'),
  )
  .map(([whole, cents, isNegative, thousandths]) => {
    const total = whole * 100n + cents;
    const digits = (total < 0n ? -total : total).toString().padStart(3, '0');
    const sign = total < 0n !== isNegative && total !== 0n ? '-' : '';
    return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}${thousandths}`;
  });
const count = fc.oneof(
  fc.constantFrom(-1, 0, 0.5, 999_999, 1_000_000, 1_000_001, 100_000_000, 100_000_001, 2 ** 31, 2 ** 53),
  fc.integer({ min: 0, max: 50 }),
);
/** Lengths around the limits, in characters of one and of two units, with blanks and control characters among them. */
const text = fc
  .tuple(
    fc.constantFrom(1, 2, 49, 50, 51, 99, 100, 101, 199, 200, 201, 1_999, 2_000, 2_001),
    fc.constantFrom('a', 'ß', '🦷', '漢'),
    fc.constantFrom('', '', '', ' ', '\n', '\t', '\r', '\u0000', '\u0001', '\u007f', '\u0085', '\u00a0'),
    fc.constantFrom('end', 'middle'),
  )
  .map(([length, letter, special, place]) => {
    const letters = letter.repeat(length);
    return place === 'end' ? letters + special : `${letter}${special}${letters}`;
  });
const date = fc.oneof(
  fc.constantFrom('1989-12-31', '1990-01-01', '2024-02-29', '2023-02-29', '2025-04-31', '2025-13-01', '9999-12-31'),
  fc.constantFrom('2025-1-1', '20250101', '2025-01-01T00:00:00Z', '0000-01-01', '-001-01-01', 'yesterday'),
  fc.integer({ min: -3, max: 3 }).map((days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)),
);

function valuesOf({ type }: Field): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'date':
      return date;
    case 'integer':
      return count;
    case 'decimal':
      return decimal;
    case 'choice':
      return fc.constantFrom(...type.values, 'productions', 'x');
    case 'text':
      return text;
    case 'provider':
    case 'member':
      return fc.constantFrom('00000000-0000-7000-8000-000000000000', 'nobody', '1');
  }
}

/** Rows that are in order but for one or two fields, in which anything stands or nothing. */
function rowsOf(table: FactTable): fc.Arbitrary<Row[]> {
  const fields = fieldsOf[table];
  const changed = fc.tuple(...fields.map((field) => fc.option(valuesOf(field), { nil: undefined })));
  const places = fc.subarray([...fields.keys()], { minLength: 1, maxLength: 2 });
  const row = fc.tuple(changed, places).map(([values, at]) => {
    const whole: Row = { ...sound[table] };
    for (const place of at) whole[fields[place]?.name ?? ''] = values[place];
    return whole;
  });
  return fc.array(row, { minLength: 100, maxLength: 200 }).map(withoutTwins);
}

/** Which of two rows with one reference is refused depends on what became of the other. */
function withoutTwins(rows: Row[]): Row[] {
  const seen = new Set<Value>();
  return rows.filter(({ sourceReference }) => {
    const name = typeof sourceReference === 'string' ? sourceReference.trim() : undefined;
    if (name === undefined) return true;
    return !seen.has(name) && seen.add(name);
  });
}

const day = '2025-03-03';
const sound: Record<FactTable, Row> = {
  financial_metrics: { date: day, metricType: 'production', amount: '1.00' },
  appointment_metrics: { date: day, scheduledCount: 60 },
  call_metrics: { date: day, totalCalls: 60 },
  patient_metrics: { date: day, activePatients: 1 },
};
const routes: Record<FactTable, [string, z.ZodType]> = {
  financial_metrics: ['financial', NewFinancialMetric],
  appointment_metrics: ['appointments', NewAppointmentMetric],
  call_metrics: ['calls', NewCallMetric],
  patient_metrics: ['patients', NewPatientMetric],
};
const routeNames: Record<string, string> = { provider: 'providerId', staffMember: 'staffMemberId' };

/** Whether each is taken by the import, without being written. */
async function importable(table: FactTable, rows: Row[]): Promise<boolean[]> {
  const names = fieldsOf[table].map(({ name }) => name);
  const mapping = { columns: names.map((name) => ({ column: name, field: name })) };
  const cells = rows.map((row) => names.map((name) => row[name] ?? null));
  const body = { table, mapping, columns: names, rows: cells, dryRun: true };
  const answer = await service.call('POST', `/clinics/${clinicId}/imports/rows`, { token, body });
  expect([answer.status, answer.body.code]).toEqual([200, undefined]);
  return answer.body.rows.map(({ outcome }: { outcome: string }) => outcome !== 'refused');
}

/** Whether each is taken by the route: by its schema, and then by its rules. */
async function enterable(table: FactTable, rows: Row[]): Promise<boolean[]> {
  const [route, schema] = routes[table];
  const items = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [routeNames[name] ?? name, value])),
  );
  const taken = items.map((item) => schema.safeParse(item).success);
  const path = `/clinics/${clinicId}/metrics/${route}/batch?mode=partial`;
  const body = { items: items.filter((_, index) => taken[index]) };
  const answer = await service.call('POST', path, { token, body });
  expect([answer.status, answer.body.code]).toEqual([207, undefined]);
  const statuses = answer.body.data.map(({ status }: { status: number }) => status);
  await service.database.sql(`DELETE FROM ${table}`);
  return taken.map((isTaken) => isTaken && statuses.shift() === 201);
}

describe('A row is judged alike by the import and by the route of', () => {
  it.each(Object.keys(routes) as FactTable[])(
    '%s',
    async (table) => {
      await fc.assert(
        fc.asyncProperty(rowsOf(table), async (rows) => {
          const imports = await importable(table, rows);
          const entries = await enterable(table, rows);
          const differing = rows.flatMap((row, index) =>
            imports[index] === entries[index] ? [] : [{ row, import: imports[index], route: entries[index] }],
          );
          expect(differing).toEqual([]);
          expect(new Set(imports).size).toBe(2);
        }),
        { numRuns: 6, endOnFailure: true },
      );
    },
    120_000,
  );
});
