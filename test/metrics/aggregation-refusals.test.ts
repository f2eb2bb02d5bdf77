import { demoAddress } from '../../src/demo/demo.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let viewer: string;
let clinicId: string;

beforeAll(async () => {
  service = await startService();
  viewer = await service.tokenOf(demoAddress('viewer', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token: viewer })).body.data[0].id;
});
afterAll(() => service.stop());

const read = (query: string) =>
  service.call('GET', `/clinics/${clinicId}/metrics/aggregations?${query}`, { token: viewer });

describe('What cannot be read is refused', () => {
  it.each([
    [
      'a metric that nobody knows, each by its name',
      'metrics=production,profit,joy&from=2026-01-01&to=2026-01-31',
      422,
      'unknown-metric',
    ],
    ['a range that runs backwards', 'metrics=production&from=2026-02-01&to=2026-01-31', 400, 'invalid-request'],
    ['too many periods', 'metrics=production&granularity=daily&from=2020-01-01&to=2026-01-31', 422, 'range-too-long'],
    ['no metric', 'metrics=&from=2026-01-01&to=2026-01-31', 400, 'invalid-request'],
    ['a day that is none', 'metrics=production&from=2026-02-30&to=2026-03-31', 400, 'invalid-request'],
    [
      'a granularity that is none',
      'metrics=production&granularity=hourly&from=2026-01-01&to=2026-01-31',
      400,
      'invalid-request',
    ],
  ])('%s', async (_what, query, status, code) => {
    const answer = await read(query);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    if (code === 'unknown-metric')
      expect(answer.body.errors.map(({ message }: { message: string }) => message)).toEqual([
        "There is no metric 'profit' here.",
        "There is no metric 'joy' here.",
      ]);
  });

  it('a provider of another clinic, like one that is nowhere', async () => {
    const [other] = await service.database.sql<{ id: string }>('SELECT id FROM providers WHERE clinic_id <> $1', [
      clinicId,
    ]);
    const nowhere = '00000000-0000-7000-8000-000000000000';
    for (const id of [other?.id, nowhere]) {
      const answer = await read(`metrics=production&from=2026-01-01&to=2026-01-31&provider=${id}`);
      expect([answer.status, answer.body.code]).toEqual([404, 'not-found']);
    }
  });
});
