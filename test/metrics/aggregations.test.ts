import { demoAddress } from '../../src/demo/demo.js';
import { RollUpJobs } from '../../src/modules/metrics/aggregations/roll-ups.jobs.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let providerId: string;

beforeAll(async () => {
  service = await startService();
  clinicId = (await service.call('GET', '/clinics', { token: await as('viewer') })).body.data[0].id;
  const [provider] = await service.database.sql<{ id: string }>(
    'SELECT id FROM providers WHERE clinic_id = $1 ORDER BY name',
    [clinicId],
  );
  providerId = provider?.id ?? '';
});
afterAll(() => service.stop());
beforeEach(() =>
  service.database.sql(`
    TRUNCATE financial_metrics, appointment_metrics, call_metrics, patient_metrics, fact_sources, metric_dirty_days,
      metric_aggregations, roll_up_states`),
);

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];

/** Days -> amounts, as facts, rolled up. */
async function enter(type: string, amounts: Record<string, number>, provider: string | null = null): Promise<void> {
  for (const [date, amount] of Object.entries(amounts))
    await service.database.sql(
      'INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, provider_id) VALUES ($1, $2, $3, $4, $5)',
      [clinicId, date, type, amount, provider],
    );
  await service.application.get(RollUpJobs).rollUp();
}

const read = async (query: string, headers: Record<string, string> = {}) =>
  service.call('GET', `/clinics/${clinicId}/metrics/aggregations?${query}`, { token: await as('viewer'), headers });

interface Point {
  periodStart: string;
  periodEnd: string;
  value: string | null;
  partial: boolean;
  count: number | null;
  minimum: string | null;
  maximum: string | null;
  average: string | null;
  standardDeviation: string | null;
  compared: { periodStart: string; value: string | null; changePercent: string | null } | null;
}
const pointsOf = ({ body }: Answer, index = 0): Point[] => body.metrics[index].points;
const valuesOf = (answer: Answer, index = 0) =>
  Object.fromEntries(pointsOf(answer, index).map(({ periodStart, value }) => [periodStart, value]));
const comparedIn = (answer: Answer) =>
  pointsOf(answer).map(({ periodStart, compared }) => [periodStart, compared?.periodStart, compared?.value]);

/** In the zone of the demo's clinics. */
const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Berlin' }).format(new Date());
const dayFromToday = (offset: number) => new Date(Date.parse(today) + offset * 86_400_000).toISOString().slice(0, 10);

describe('Metrics by period', () => {
  it('are in the order of time, whatever order their facts came in, and name the periods of which nothing is known', async () => {
    await enter('production', { '2026-03-10': 3, '2026-01-10': 1, '2026-04-10': 4.5 });
    const answer = await read('metrics=production,calls&from=2026-01-01&to=2026-04-30');
    expect(pointsOf(answer).map(({ periodStart, value }) => [periodStart, value])).toEqual([
      ['2026-01-01', '1.00'],
      ['2026-02-01', null],
      ['2026-03-01', '3.00'],
      ['2026-04-01', '4.50'],
    ]);
    expect(Object.values(valuesOf(answer, 1))).toEqual([null, null, null, null]);
  });

  it('have the weeks of ISO 8601 at the turn of the year: from Monday, whole, in one piece', async () => {
    // Monday 29 December 2025 to Sunday 4 January 2026 is one week; Sunday 28 December is of the week before.
    await enter('production', { '2025-12-28': 1, '2025-12-29': 10, '2026-01-04': 100, '2026-01-05': 1000 });
    const answer = await read('metrics=production&granularity=weekly&from=2025-12-28&to=2026-01-05');
    expect(valuesOf(answer)).toEqual({ '2025-12-22': '1.00', '2025-12-29': '110.00', '2026-01-05': '1000.00' });
    // 2026 has 53 of them; the last ends in 2027.
    const last = await read('metrics=production&granularity=weekly&from=2026-12-31&to=2026-12-31');
    expect(pointsOf(last)).toMatchObject([{ periodStart: '2026-12-28', periodEnd: '2027-01-03' }]);
  });

  it('that are rates are those of the sums of the period, and null where that divides by zero', async () => {
    await enter('production', { '2026-01-10': 1000, '2026-01-11': 10, '2026-03-01': 0 });
    await enter('collection', { '2026-01-10': 500, '2026-01-11': 10, '2026-03-01': 5 });
    const answer = await read('metrics=collection_rate&from=2026-01-01&to=2026-03-31');
    expect(valuesOf(answer)).toEqual({ '2026-01-01': '50.50', '2026-02-01': null, '2026-03-01': null });
  });

  it.each(['daily', 'weekly', 'monthly', 'quarterly', 'yearly'])(
    'come to the same when they are read %s as in SQL: sums, weighted means, levels and deviations',
    async (granularity) => {
      await service.database.sql(
        `INSERT INTO appointment_metrics (clinic_id, date, scheduled_count, utilization_rate)
         SELECT $1, d::date, extract(day FROM d), extract(doy FROM d)::integer % 100 FROM generate_series('2025-06-15'::date, '2026-02-15', '3 days') d`,
        [clinicId],
      );
      await service.database.sql(
        `INSERT INTO patient_metrics (clinic_id, date, active_patients)
         SELECT $1, d::date, 1000 + extract(doy FROM d) FROM generate_series('2025-06-15'::date, '2026-02-15', '9 days') d`,
        [clinicId],
      );
      await enter('production', { '2025-12-31': 10.5, '2026-01-01': -3, '2025-07-01': 7, '2025-07-02': 9 });
      const metrics = ['production', 'utilization', 'active_patients'];
      const answer = await read(`metrics=${metrics}&granularity=${granularity}&from=2025-08-06&to=2026-01-14`);
      const shown = metrics.flatMap((metric, index) =>
        answer.body.metrics[index].points
          .filter(({ value }: Point) => value !== null)
          .map(({ periodStart, periodEnd, value, count, minimum, maximum, average, standardDeviation }: Point) => ({
            ...{ metric, periodStart, periodEnd, value: Number(value), count },
            ...{ minimum: Number(minimum), maximum: Number(maximum) },
            ...{ average: Number(average), deviation: Number(standardDeviation) },
          })),
      );
      const expected = await service.database.sql(
        `SELECT d.code AS metric, a.period_start::text AS "periodStart", a.period_end::text AS "periodEnd", round(a.value, 2)::float AS value,
                a.count, a.minimum::float AS minimum, a.maximum::float AS maximum, round(a.average::numeric, 4)::float AS average,
                round(a.standard_deviation::numeric, 4)::float AS deviation
           FROM metric_roll_ups a JOIN metric_definitions d ON d.id = a.metric_definition_id
          WHERE a.clinic_id = $1 AND a.aggregation_type = $2 AND d.code = ANY ($3) AND a.provider_id IS NULL
            AND a.period_end >= '2025-08-06' AND a.period_start <= '2026-01-14' ORDER BY array_position($3, d.code), a.period_start`,
        [clinicId, granularity, metrics],
      );
      expect(shown.length).toBeGreaterThan(4);
      expect(shown).toEqual(expected);
    },
  );

  it('are partial until the period has ended at the clinic', async () => {
    const answer = await read(`metrics=production&granularity=daily&from=${dayFromToday(-1)}&to=${dayFromToday(1)}`);
    expect(answer.body.today).toBe(today);
    expect(pointsOf(answer).map(({ partial }) => partial)).toEqual([false, true, true]);
  });

  it('of a provider are the own ones; a provider of another clinic looks like none', async () => {
    await enter('production', { '2026-01-10': 7 });
    await enter('production', { '2026-01-11': 30 }, providerId);
    const range = 'metrics=production&from=2026-01-01&to=2026-01-31';
    expect(valuesOf(await read(range))).toEqual({ '2026-01-01': '37.00' });
    expect(valuesOf(await read(`${range}&provider=${providerId}`))).toEqual({ '2026-01-01': '30.00' });
    const [foreign] = await service.database.sql<{ id: string }>('SELECT id FROM providers WHERE clinic_id <> $1', [
      clinicId,
    ]);
    expect(outcome(await read(`${range}&provider=${foreign?.id}`))).toEqual([404, 'not-found']);
  });

  it.each([
    ['an unknown metric', 'metrics=production,revenue&from=2026-01-01&to=2026-01-31', [422, 'unknown-metric']],
    ['too many periods', 'metrics=production&granularity=daily&from=2020-01-01&to=2026-01-31', [422, 'range-too-long']],
    ['an end before the start', 'metrics=production&from=2026-02-01&to=2026-01-31', [400, 'invalid-request']],
    ['no metric', 'metrics=&from=2026-01-01&to=2026-01-31', [400, 'invalid-request']],
    ['a day that is none', 'metrics=production&from=2026-02-30&to=2026-03-31', [400, 'invalid-request']],
    ['a year of antiquity', 'metrics=production&from=0001-01-01&to=0001-03-01', [400, 'invalid-request']],
    ['a year before all', 'metrics=production&from=0000-01-01&to=0000-01-02', [400, 'invalid-request']],
    ['the end of all years', 'metrics=production&from=9999-12-01&to=9999-12-31', [400, 'invalid-request']],
  ])('are refused with %s', async (_name, query, refusal) => {
    const refused = await read(query);
    expect(outcome(refused)).toEqual(refusal);
    if (refusal[1] === 'unknown-metric') expect(refused.body.errors).toMatchObject([{ path: 'metrics' }]);
  });
});

describe('Metrics that are compared', () => {
  it('stand beside as many periods before, or the same of the year before', async () => {
    await enter('production', {
      '2025-03-10': 40,
      '2026-01-10': 10,
      '2026-02-10': 0,
      '2026-03-10': 50,
      '2026-04-10': 5,
    });
    const range = 'metrics=production&from=2026-03-01&to=2026-04-30';
    const before = pointsOf(await read(`${range}&compare=previous_period`));
    expect(before.map(({ compared }) => compared)).toMatchObject([
      { periodStart: '2026-01-01', value: '10.00', changePercent: '400.0' },
      { periodStart: '2026-02-01', value: '0.00', changePercent: null },
    ]);
    expect(comparedIn(await read(`${range}&compare=previous_year`))).toEqual([
      ['2026-03-01', '2025-03-01', '40.00'],
      ['2026-04-01', '2025-04-01', null],
    ]);
    expect(pointsOf(await read(range))[0]?.compared).toBeNull();
  });

  it('by week stand beside the week that is 52 weeks earlier', async () => {
    await enter('production', { '2024-12-30': 9 });
    const answer = await read(
      'metrics=production&granularity=weekly&from=2025-12-29&to=2026-01-11&compare=previous_year',
    );
    expect(comparedIn(answer)).toEqual([
      ['2025-12-29', '2024-12-30', '9.00'],
      ['2026-01-05', '2025-01-06', null],
    ]);
  });

  it('by day stand beside the same day, on both sides of the 29th of February', async () => {
    await enter('production', { '2023-02-28': 228, '2023-03-01': 301, '2023-03-02': 302 });
    await enter('production', { '2024-02-28': 428, '2024-02-29': 429, '2024-03-01': 401 });
    const leap = await read('metrics=production&granularity=daily&from=2024-02-28&to=2024-03-02&compare=previous_year');
    expect(comparedIn(leap)).toEqual([
      ['2024-02-28', '2023-02-28', '228.00'],
      ['2024-02-29', '2023-02-28', '228.00'],
      ['2024-03-01', '2023-03-01', '301.00'],
      ['2024-03-02', '2023-03-02', '302.00'],
    ]);
    const after = await read(
      'metrics=production&granularity=daily&from=2025-02-28&to=2025-03-01&compare=previous_year',
    );
    expect(comparedIn(after)).toEqual([
      ['2025-02-28', '2024-02-28', '428.00'],
      ['2025-03-01', '2024-03-01', '401.00'],
    ]);
  });
});

describe('Metrics that were read before', () => {
  const range = 'metrics=production&from=2026-01-01&to=2026-01-31';

  it('are not sent again until roll-ups have changed', async () => {
    await enter('production', { '2026-01-10': 7 });
    const known = async () => ({ 'if-none-match': (await read(range)).headers.get('etag') ?? '' });
    const headers = await known();
    expect((await read(range, headers)).status).toBe(304);

    await enter('production', { '2026-01-11': 3 });
    expect(valuesOf(await read(range, headers))).toEqual({ '2026-01-01': '10.00' });
  });

  it('are sent again when a formula was changed while the roll-ups went on', async () => {
    await enter('production', { '2026-01-10': 7 });
    const token = await as('clinic_admin');
    const path = `/clinics/${clinicId}/metrics/definitions`;
    const body = { code: 'twofold', name: 'Twofold', dataType: 'decimal', calculationFormula: 'production * 2' };
    const { id } = (await service.call('POST', path, { token, body })).body;
    // A roll-up that ended after the change began and before it was committed bears the later time.
    await service.database.sql(`UPDATE roll_up_states SET rolled_up_at = now() + interval '1 second'`);
    const twofold = 'metrics=twofold&from=2026-01-01&to=2026-01-31';
    const headers = { 'if-none-match': (await read(twofold)).headers.get('etag') ?? '' };
    const change = { calculationFormula: 'production * 3' };
    expect((await service.call('PATCH', `${path}/${id}`, { token, body: change })).status).toBe(200);
    expect(valuesOf(await read(twofold, headers))).toEqual({ '2026-01-01': '21.0000' });
    expect((await service.call('DELETE', `${path}/${id}`, { token })).status).toBe(204);
  });
});

describe("The caller's clinics side by side", () => {
  const overview = async (query: string, role = 'owner', slug = 'northside') =>
    service.call('GET', `/metrics/overview?${query}`, { token: await as(role, slug) });

  it('are those in which the caller has a role, each with its currency and totals', async () => {
    await enter('production', { '2026-01-10': 200 });
    await enter('collection', { '2026-01-20': 50 });
    const { body } = await overview('from=2026-01-05&to=2026-01-31');
    const own = body.clinics.find((clinic: { clinicId: string }) => clinic.clinicId === clinicId);
    expect(own).toMatchObject({ currency: 'EUR' });
    expect(own.totals.slice(0, 3)).toMatchObject([
      { metric: 'production', value: '200.00' },
      { metric: 'collections', value: '50.00' },
      { metric: 'collection_rate', value: '25.00' },
    ]);
    const others = (await overview('from=2026-01-05&to=2026-01-31', 'owner', 'southbank')).body.clinics;
    expect(others.map((clinic: { clinicId: string }) => clinic.clinicId)).not.toContain(clinicId);
    expect((await overview('from=2026-01-05&to=2026-01-31', 'patient')).body).toEqual({ clinics: [] });
  });

  it('refuse a metric that none of them knows', async () => {
    expect(outcome(await overview('metrics=revenue&from=2026-01-05&to=2026-01-31'))).toEqual([422, 'unknown-metric']);
    expect(outcome(await overview('from=0000-01-01&to=2026-01-31'))).toEqual([400, 'invalid-request']);
  });
});

describe('The performance of a provider', () => {
  it('stands beside the whole clinic, with shares of what adds up', async () => {
    await enter('production', { '2026-01-10': 300 });
    await enter('production', { '2026-01-11': 100, '2026-02-01': 1 }, providerId);
    const path = `/clinics/${clinicId}/providers/${providerId}/performance?from=2026-01-01&to=2026-01-31`;
    const { body } = await service.call('GET', path, { token: await as('viewer') });
    expect(body.totals[0]).toMatchObject({ value: '100.00', clinicValue: '400.00', sharePercent: '25.0' });
    expect(body.totals.find(({ metric }: { metric: string }) => metric === 'no_show_rate').sharePercent).toBeNull();
    expect(body.series[0]).toMatchObject({ metric: 'production', points: [{ value: '100.00' }] });
    const stranger = await as('owner', 'southbank');
    expect(outcome(await service.call('GET', path, { token: stranger }))).toEqual([404, 'not-found']);
  });
});
