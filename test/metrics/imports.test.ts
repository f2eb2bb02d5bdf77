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
