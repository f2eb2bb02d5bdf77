import { demoAddress } from '../../src/demo/demo.js';
import { seedDemoMetrics } from '../../src/demo/demo-metrics.js';
import { RollUpJobs } from '../../src/modules/metrics/aggregations/roll-ups.jobs.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** Roll-ups as people read them: by period and beside earlier ones, clinic beside clinic, a provider beside the clinic. */

let service: Service;
let viewer: string;
let clinicId: string;
let providerId: string;

beforeAll(async () => {
  service = await startService();
  viewer = await service.tokenOf(demoAddress('viewer', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token: viewer })).body.data[0].id;
  const providers = await service.call('GET', `/clinics/${clinicId}/providers`, { token: viewer });
  providerId = providers.body.data[0].id;
  await service.database.sql(
    `INSERT INTO financial_metrics (clinic_id, date, provider_id, metric_type, amount) VALUES
       ($1, '2024-12-30', $2, 'production', 100), ($1, '2025-01-15', $2, 'production', 50),
       ($1, '2025-12-29', $2, 'production', 80), ($1, '2026-01-10', NULL, 'production', 300),
       ($1, '2026-01-10', $2, 'production', 100), ($1, '2026-01-12', NULL, 'collection', 100),
       ($1, '2026-01-12', NULL, 'write_off', 200), ($1, '2026-02-03', NULL, 'collection', 7)`,
    [clinicId, providerId],
  );
  await service.application.get(RollUpJobs).rollUp();
});
afterAll(() => service.stop());

const read = (query: string, headers: Record<string, string> = {}, token = viewer) =>
  service.call('GET', `/clinics/${clinicId}/metrics/aggregations?${query}`, { token, headers });
// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into freely, as a client would
const valuesOf = ({ body }: Answer<any>, index = 0): unknown[] =>
  body.metrics[index].points.map((point: { value: string | null }) => point.value);

describe('Metrics by period', () => {
  it('have a point for every period of the range, known or not, in the order that was asked for', async () => {
    const answer = await read('metrics=collections,production&granularity=monthly&from=2025-12-15&to=2026-03-01');
    expect(answer.body.metrics.map(({ metric }: { metric: string }) => metric)).toEqual(['collections', 'production']);
    expect(valuesOf(answer, 1)).toEqual(['80.00', '400.00', null, null]);
    expect(answer.body.metrics[1].points[1]).toMatchObject({
      ...{ periodStart: '2026-01-01', periodEnd: '2026-01-31', partial: false, count: 2, compared: null },
      ...{ minimum: '100.00', maximum: '300.00', average: '200.0000', standardDeviation: '100.0000' },
    });
  });

  it('work out a rate from the sums of the period, to the cent, and are null where it would divide by zero', async () => {
    const answer = await read('metrics=net_production,collection_rate&from=2026-01-01&to=2026-03-31');
    expect(valuesOf(answer, 0)).toEqual(['200.00', null, null]);
    expect(valuesOf(answer, 1)).toEqual(['50.00', null, null]);
  });

  it('keep ISO weeks, of which the first of 2026 begins in 2025', async () => {
    const answer = await read('metrics=production&granularity=weekly&from=2026-01-01&to=2026-01-11');
    expect(answer.body.metrics[0].points).toMatchObject([
      { periodStart: '2025-12-29', periodEnd: '2026-01-04', value: '80.00' },
      { periodStart: '2026-01-05', periodEnd: '2026-01-11', value: '400.00' },
    ]);
  });

  it('stand beside the period before, or the same of the year before', async () => {
    const range = 'metrics=production&from=2026-01-01&to=2026-01-31';
    const [before] = (await read(`${range}&compare=previous_period`)).body.metrics[0].points;
    expect(before.compared).toEqual({
      ...{ periodStart: '2025-12-01', periodEnd: '2025-12-31', value: '80.00', changePercent: '400.0' },
    });
    const [year] = (await read(`${range}&compare=previous_year`)).body.metrics[0].points;
    expect(year.compared).toMatchObject({ periodStart: '2025-01-01', value: '50.00', changePercent: '700.0' });
    const week = 'metrics=production&granularity=weekly&from=2025-12-29&to=2026-01-04&compare=previous_year';
    const [first] = (await read(week)).body.metrics[0].points;
    expect(first.compared).toMatchObject({ periodStart: '2024-12-30', periodEnd: '2025-01-05', value: '100.00' });
  });

  it('are those of one provider when one is named', async () => {
    const range = 'metrics=production&granularity=yearly&from=2026-01-01&to=2026-12-31';
    expect(valuesOf(await read(`${range}&provider=${providerId}`))).toEqual(['100.00']);
  });

  it('mark the periods that have not ended at the clinic', async () => {
    const year = new Date().getUTCFullYear();
    const range = `metrics=production&granularity=yearly&from=${year - 1}-01-01&to=${year}-12-31`;
    const points = (await read(range)).body.metrics[0].points;
    expect(points.map(({ partial }: { partial: boolean }) => partial)).toEqual([false, true]);
  });

  it('are not sent again while no roll-up has changed', async () => {
    const range = 'metrics=production&from=2026-01-01&to=2026-01-31';
    const etag = (await read(range)).headers.get('etag') ?? '';
    expect((await read(range, { 'if-none-match': etag })).status).toBe(304);
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount) VALUES ($1, '2026-01-20', 'production', 1)`,
      [clinicId],
    );
    await service.application.get(RollUpJobs).rollUp();
    const changed = await read(range, { 'if-none-match': etag });
    expect([changed.status, valuesOf(changed)]).toEqual([200, ['401.00']]);
    await service.database.sql('DELETE FROM financial_metrics WHERE amount = 1');
    await service.application.get(RollUpJobs).rollUp();
  });
});

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

describe('The overview', () => {
  it("shows the caller's clinics side by side, and nobody else's", async () => {
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const { body } = await service.call(
      'GET',
      '/metrics/overview?from=2026-01-01&to=2026-01-31&metrics=production,no_shows',
      { token },
    );
    expect(body.clinics).toMatchObject([
      {
        name: 'Northside Dental',
        currency: 'EUR',
        totals: [{ metric: 'production', value: '400.00' }, { value: null }],
      },
      { name: 'Northside Family Practice', totals: [{ value: null }, { value: null }] },
    ]);
  });

  it('refuses a metric that none of them knows', async () => {
    const answer = await service.call('GET', '/metrics/overview?from=2026-01-01&to=2026-01-31&metrics=joy', {
      token: viewer,
    });
    expect([answer.status, answer.body.code]).toEqual([422, 'unknown-metric']);
  });
});

describe("A provider's performance", () => {
  it('stands beside the whole clinic, with its part of the sums', async () => {
    const path = `/clinics/${clinicId}/providers/${providerId}/performance?from=2026-01-01&to=2026-01-31`;
    const { body } = await service.call('GET', path, { token: viewer });
    expect(body.totals[0]).toMatchObject({
      metric: 'production',
      value: '100.00',
      clinicValue: '400.00',
      sharePercent: '25.0',
    });
    expect(body.totals.find(({ metric }: { metric: string }) => metric === 'no_show_rate').sharePercent).toBeNull();
    expect(body.series[0]).toMatchObject({
      metric: 'production',
      points: [{ periodStart: '2026-01-01', value: '100.00' }],
    });
  });
});

describe('The demo', () => {
  it('has metrics worth looking at, once however often it is started', async () => {
    const fresh = await startService();
    try {
      await Promise.all([seedDemoMetrics(fresh.config), seedDemoMetrics(fresh.config)]);
      const token = await fresh.tokenOf(demoAddress('viewer', 'southbank'));
      const id = (await fresh.call('GET', '/clinics', { token })).body.data[0].id;
      const to = new Date().toISOString().slice(0, 10);
      const path = `/clinics/${id}/metrics/aggregations?metrics=production&granularity=yearly&from=${to}&to=${to}`;
      const { body } = await fresh.call('GET', path, { token });
      expect(Number(body.metrics[0].points[0].value)).toBeGreaterThan(1_000);
      const [{ days } = { days: 0 }] = await fresh.database.sql<{ days: number }>(
        `SELECT max(n)::int AS days FROM (SELECT count(*) AS n FROM call_metrics GROUP BY clinic_id, date) each`,
      );
      expect(days).toBe(1);
    } finally {
      await fresh.stop();
    }
  });
});
