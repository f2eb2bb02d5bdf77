import { demoAddress } from '../../src/demo/demo.js';
import { followed, upload } from '../support/imports.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;

beforeAll(async () => {
  service = await startService({ withWorker: true });
  const { body } = await service.call('GET', '/clinics', { token: await admin() });
  clinicId = body.data[0].id;
});
afterAll(() => service.stop());

const admin = () => service.tokenOf(demoAddress('clinic-admin', 'northside'));

const columns = [
  ['date', 'date'],
  ['metricType', 'metricType'],
  ['category', 'category'],
  ['amount', 'amount'],
  ['provider', 'provider'],
  ['insuranceCarrier', 'insuranceCarrier'],
  ['paymentMethod', 'paymentMethod'],
  ['procedureCode', 'procedureCode'],
  ['notes', 'notes'],
  ['sourceReference', 'sourceReference'],
].map(([column, field]) => ({ column, field }));

async function exported(format: string): Promise<Uint8Array> {
  const response = await fetch(
    `${service.url}/api/v1/clinics/${clinicId}/exports?table=financial_metrics&format=${format}`,
    { headers: { authorization: `Bearer ${await admin()}` } },
  );
  return new Uint8Array(await response.arrayBuffer());
}

async function imported(content: Uint8Array, format: string) {
  const fields = { table: 'financial_metrics', mode: 'upsert', mapping: { columns } };
  const parts = { fields, content, fileName: `export.${format}` };
  return followed(service, await admin(), await upload(service, `/clinics/${clinicId}/imports`, await admin(), parts));
}

const facts = () =>
  service.database.sql(
    `SELECT id, date::text, metric_type, category, amount, provider_id, insurance_carrier, notes, source_reference
       FROM financial_metrics WHERE clinic_id = $1 ORDER BY date, id`,
    [clinicId],
  );

const texts = ['=1+1', '+1', '-1', '@SUM(A1)', '＝1', "'quoted", 'a "b", c; d', 'Zähne 牙 🦷'];

describe('What is exported', () => {
  beforeAll(async () => {
    await service.database.sql('DELETE FROM financial_metrics WHERE clinic_id = $1', [clinicId]);
    const items = texts.map((text, index) => ({
      date: `2024-02-${String(index + 1).padStart(2, '0')}`,
      metricType: 'adjustment',
      amount: `-${index}.50`,
      category: text,
      insuranceCarrier: text,
      notes: `${text}\n${text}`,
      sourceReference: `trip-${index}`,
    }));
    const path = `/clinics/${clinicId}/metrics/financial/batch`;
    const answer = await service.call('POST', path, { token: await admin(), body: { items } });
    if (answer.status !== 201) throw new Error(answer.text);
  });

  it.each(['csv', 'xlsx', 'ndjson'])('as %s comes in again and changes nothing', async (format) => {
    const before = await facts();
    const outcome = await imported(await exported(format), format);
    expect(outcome).toMatchObject({ status: 'done', rowsRead: texts.length, inserted: 0, updated: 0, rejected: 0 });
    expect(await facts()).toEqual(before);
  });

  it('and comes into a table that was emptied is what it was, text by text', async () => {
    const before = await facts();
    const file = await exported('csv');
    await service.database.sql('DELETE FROM financial_metrics WHERE clinic_id = $1', [clinicId]);
    expect(await imported(file, 'csv')).toMatchObject({ inserted: texts.length, rejected: 0 });
    const withoutId = (rows: Record<string, unknown>[]) => rows.map(({ id, ...row }) => row);
    expect(withoutId(await facts())).toEqual(withoutId(before));
  });
});
