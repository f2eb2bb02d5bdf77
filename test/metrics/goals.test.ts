import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { JobRegistry } from '../../src/kernel/jobs/job-registry.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { goalStatuses, goalTransitions } from '../../src/modules/metrics/goals/goal-states.js';
import { GoalsReader } from '../../src/modules/metrics/goals/goals-reader.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let admin: string;
let provider: string;
let clinicId: string;
let ownProviderId: string;
let otherProviderId: string;

beforeAll(async () => {
  service = await startService();
  admin = await as('clinic_admin');
  provider = await as('provider');
  clinicId = (await service.call('GET', '/clinics', { token: admin })).body.data[0].id;
  const providers = (await service.call('GET', `/clinics/${clinicId}/providers`, { token: admin })).body.data;
  ownProviderId = providers.find((each: { userId: string | null }) => each.userId !== null).id;
  otherProviderId = providers.find((each: { userId: string | null }) => each.userId === null).id;
  // Each test brings the figures that it is about.
  for (const table of ['financial_metrics', 'appointment_metrics', 'call_metrics', 'patient_metrics'])
    await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(() => service.stop());
beforeEach(async () => {
  await service.database.sql('DELETE FROM goals');
  await service.database.sql('DELETE FROM metric_aggregations');
  await service.database.sql('DELETE FROM metric_dirty_days');
});

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const path = () => `/clinics/${clinicId}/goals`;
const create = (changes: object = {}, token = admin): Promise<Answer> =>
  service.call('POST', path(), { token, body: { ...monthly, startDate: day(0), targetValue: '3000', ...changes } });
const change = (id: string, body: object, token = admin): Promise<Answer> =>
  service.call('PATCH', `${path()}/${id}`, { token, body });
const read = async (id: string) => (await service.call('GET', `${path()}/${id}`, { token: admin })).body;
const fromTemplate = (body: object, token = admin): Promise<Answer> =>
  service.call('POST', `${path()}/from-template`, { token, body });
const runJob = (name: string): Promise<void> => service.application.get(JobRegistry).get(name).run({});

const monthly = { metric: 'production', timePeriod: 'monthly' };
const custom = (days: number, changes: object = {}) => ({
  metric: 'production',
  timePeriod: 'custom',
  startDate: day(1 - days),
  endDate: day(0),
  ...changes,
});

/** Days from today in the zone of the demo's clinics. */
function day(offset: number, zone = 'Europe/Berlin'): string {
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(new Date());
  return new Date(Date.parse(today) + offset * 86_400_000).toISOString().slice(0, 10);
}

/** A daily roll-up, as the facts of that day would have left it; goals follow once `rolledUp` says so. */
async function rollUp(code: string, date: string, value: number, providerId: string | null = null, clinic = clinicId) {
  await service.database.sql(
    `INSERT INTO metric_aggregations (clinic_id, metric_definition_id, provider_id, aggregation_type, period_start, period_end,
       value, count, minimum, maximum, average, standard_deviation)
     SELECT $1, id, $2::uuid, 'daily', $3::date, $3::date, $4::numeric, 1, $4::numeric, $4::numeric, $4::numeric, 0 FROM metric_definitions WHERE code = $5 AND is_system`,
    [clinic, providerId, date, value, code],
  );
}
const asService = (statement: string) =>
  service.database.sql(`BEGIN; SET LOCAL ROLE service_role; ${statement}; COMMIT`);
const rolledUp = (clinic = clinicId) => asService(`SELECT app.after_roll_up(ARRAY['${clinic}'::uuid])`);

/** Into a state as the owner would bring it, past the door. */
const bringTo = (id: string, status: string) =>
  service.database.sql(
    `INSERT INTO goals (id, clinic_id, metric_definition_id, name, time_period, start_date, end_date, target_value, direction, status, closed_at)
     SELECT $1, $2, id, 'Brought', 'monthly', '2020-01-01', '2020-01-31', 10, 'at_least', $3::text,
            CASE WHEN $3::text NOT IN ('draft', 'active') THEN now() END FROM metric_definitions WHERE code = 'production'`,
    [id, clinicId, status],
  );

describe('A goal', () => {
  it('is set for a clinic or a provider; the answer says where it is, and its end follows from its start', async () => {
    const created = await create({ startDate: '2026-02-01', providerId: otherProviderId });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(`/api/v1${path()}/${created.body.id}`);
    expect(created.body).toMatchObject({
      ...{ metric: 'production', metricName: 'Production', name: 'Production', providerName: 'Dr. Sam Okoro' },
      ...{ startDate: '2026-02-01', endDate: '2026-02-28', targetValue: '3000.00', status: 'active', days: 28 },
    });
    expect(await read(created.body.id)).toEqual(created.body);
  });

  it.each([
    ['weekly', '2026-03-02', '2026-03-08'],
    ['monthly', '2024-02-01', '2024-02-29'],
    ['quarterly', '2026-10-01', '2026-12-31'],
    ['yearly', '2026-07-01', '2027-06-30'],
  ])('that is %s and starts on %s ends on %s', async (timePeriod, startDate, endDate) => {
    expect((await create({ timePeriod, startDate })).body).toMatchObject({ startDate, endDate });
  });

  it.each([
    ['an end before its start', { timePeriod: 'custom', startDate: '2026-03-02', endDate: '2026-03-01' }, 'endDate'],
    ['an end on its start', { timePeriod: 'custom', startDate: '2026-03-02', endDate: '2026-03-02' }, 'endDate'],
    ['no end, though it is custom', { timePeriod: 'custom' }, 'endDate'],
    ['another end than its period has', { startDate: '2026-03-01', endDate: '2026-03-30' }, 'endDate'],
    ['a start before anything', { startDate: '1989-12-31' }, 'startDate'],
    ['nothing to reach', { targetValue: '0' }, 'targetValue'],
  ])('with %s is refused', async (_why, changes, field) => {
    expect((await create(changes)).body).toMatchObject({
      ...{ status: 422, code: 'rule-violated', errors: [{ path: field }] },
    });
  });

  it.each([
    [{ metric: 'no_such_metric' }, 'metric'],
    [{ providerId: randomUUID() }, 'providerId'],
  ])('of %j is refused: the field is named', async (changes, field) => {
    expect((await create(changes)).body).toMatchObject({
      ...{ status: 422, code: 'unknown-reference', errors: [{ path: field }] },
    });
  });

  it.each([
    [{ targetValue: 'many' }],
    [{ targetValue: 3000 }],
    [{ targetValue: '1e5' }],
    [{ status: 'achieved' }],
    [{ startDate: '2026-02-30' }],
    [{ currentValue: '5' }],
  ])('of %j is malformed', async (changes) => {
    expect(outcome(await create(changes))).toEqual([400, 'invalid-request']);
  });

  it('may be a limit of nothing', async () => {
    expect((await create({ metric: 'no_shows', direction: 'at_most', targetValue: '0' })).body).toMatchObject({
      ...{ status: 'active', targetValue: '0', progress: null },
    });
  });

  it('is about metrics of the system or of its own clinic, whoever asks the database', async () => {
    const [own] = await service.database.sql<{ id: string }>(
      `INSERT INTO metric_definitions (clinic_id, code, name, data_type, category, is_composite, calculation_formula, postfix)
       SELECT id, 'own_metric', 'Own', 'decimal', 'own', true, 'calls', '{calls}' FROM clinics WHERE name = 'Southbank Dental' RETURNING id`,
    );
    expect((await create({ metric: 'own_metric' })).body).toMatchObject({ status: 422, code: 'unknown-reference' });
    await expect(
      service.database.sql(
        `INSERT INTO goals (clinic_id, metric_definition_id, name, time_period, start_date, end_date, target_value, direction, status)
         VALUES ($1, $2, 'x', 'custom', '2026-01-01', '2026-01-02', 1, 'at_least', 'active')`,
        [clinicId, own?.id],
      ),
    ).rejects.toMatchObject({ code: '23503' });
  });
});

describe('One active goal per metric, provider and period', () => {
  it('is all there may be, for the clinic as a whole too', async () => {
    await create({ startDate: '2026-03-01' });
    expect((await create({ startDate: '2026-03-01' })).body).toMatchObject({
      ...{ status: 409, code: 'already-exists', errors: [{ path: 'metric' }] },
    });
    expect(outcome(await create({ startDate: '2026-03-15' }))).toEqual([409, 'already-exists']);
    for (const other of [
      { startDate: '2026-03-01', providerId: ownProviderId },
      { startDate: '2026-03-01', metric: 'collections' },
      { startDate: '2026-04-01' },
      { startDate: '2026-03-01', timePeriod: 'yearly' },
      { startDate: '2026-03-01', status: 'draft' },
    ])
      expect((await create(other)).status).toBe(201);
    expect(outcome(await create({ startDate: '2026-03-01', providerId: ownProviderId }))).toEqual([
      409,
      'already-exists',
    ]);
  });

  it.each([null, 'a provider'])('comes of many that are set at once for %s, every time', async (whose) => {
    for (let round = 0; round < 5; round += 1) {
      const body = { startDate: `202${round}-05-01`, providerId: whose && otherProviderId };
      const answers = await Promise.all(Array.from({ length: 6 }, () => create(body)));
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
    }
  });

  it('comes of many drafts that become active at once', async () => {
    const drafts = await Promise.all([1, 2, 3, 4, 5].map(() => create({ startDate: '2026-06-01', status: 'draft' })));
    const answers = await Promise.all(drafts.map(({ body }) => change(body.id, { status: 'active' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
  });

  it('is asked for again when a draft becomes active, or an end is moved', async () => {
    await create({ startDate: '2026-03-01' });
    const draft = (await create({ startDate: '2026-03-01', status: 'draft' })).body;
    expect(outcome(await change(draft.id, { status: 'active' }))).toEqual([409, 'already-exists']);
    const later = (await create({ startDate: '2026-04-01' })).body;
    expect(outcome(await change(later.id, { startDate: '2026-03-20' }))).toEqual([409, 'already-exists']);
  });
});

describe('The steps of a goal', () => {
  const byHand = ['active', 'cancelled'];
  const steps = goalStatuses.flatMap((from) => goalStatuses.map((to) => [from, to] as const));
  const isStep = (from: (typeof goalStatuses)[number], to: (typeof goalStatuses)[number]) =>
    goalTransitions[from].includes(to);

  it.each(steps.filter(([from, to]) => from !== to))(
    'from %s to %s: by hand, and in the database',
    async (from, to) => {
      const [one, other] = [randomUUID(), randomUUID()];
      await bringTo(one, from);
      const answer = await change(one, { status: to });
      if (isStep(from, to) && byHand.includes(to)) expect([answer.status, answer.body.status]).toEqual([200, to]);
      else expect(outcome(answer)).toEqual([409, 'goal-transition']);

      await service.database.sql('DELETE FROM goals');
      await bringTo(other, from);
      const closed = ['achieved', 'missed', 'cancelled'].includes(to) ? 'now()' : 'NULL';
      const step = service.database.sql(`UPDATE goals SET status = $2, closed_at = ${closed} WHERE id = $1`, [
        other,
        to,
      ]);
      if (isStep(from, to)) await expect(step).resolves.toEqual([]);
      else await expect(step).rejects.toMatchObject({ code: 'PC409', message: 'goal-transition' });
    },
  );

  it('end in a goal that nobody edits any more', async () => {
    for (const status of ['achieved', 'missed', 'cancelled']) {
      const id = randomUUID();
      await bringTo(id, status);
      expect(outcome(await change(id, { name: 'Better' }))).toEqual([409, 'goal-closed']);
    }
  });

  it('are not taken to achieved by hand in the database either', async () => {
    const { id, createdBy } = (await create()).body;
    const client = new pg.Client(service.database.adminUrl);
    await client.connect();
    await client.query('SET ROLE authenticated');
    await client.query(`SELECT set_config('app.user_id', $1, false)`, [createdBy]);
    await expect(client.query(`UPDATE goals SET status = 'achieved' WHERE id = '${id}'`)).rejects.toMatchObject({
      message: 'goal-transition',
    });
    await client.end();
  });
});

describe('Who may', () => {
  it.each([
    ['viewer', 403],
    ['staff', 403],
    ['provider', 201],
    ['clinic_admin', 201],
    ['manager', 201],
    ['patient', 404],
    ['member', 404],
  ])('set a goal for the provider Robin Hale: %s %i', async (role, status) => {
    expect((await create({ providerId: ownProviderId }, await as(role))).status).toBe(status);
  });

  it('is for a provider the own goals alone', async () => {
    expect(outcome(await create({}, provider))).toEqual([403, 'forbidden']);
    expect(outcome(await create({ providerId: otherProviderId }, provider))).toEqual([403, 'forbidden']);
    const theirs = (await create({ providerId: otherProviderId })).body;
    expect(outcome(await change(theirs.id, { name: 'Mine now' }, provider))).toEqual([403, 'forbidden']);
    expect((await read(theirs.id)).name).toBe('Production');
  });

  it('edit the target is the clinic_admin alone, also of a goal that a provider has set', async () => {
    const own = (await create({ providerId: ownProviderId }, provider)).body;
    for (const edit of [{ targetValue: '1' }, { direction: 'at_most' }, { startDate: day(-3) }])
      expect(outcome(await change(own.id, edit, provider))).toEqual([403, 'forbidden']);
    expect((await change(own.id, { name: 'Crowns' }, provider)).body.name).toBe('Crowns');
    expect((await change(own.id, { targetValue: '4000' })).body.targetValue).toBe('4000.00');
    expect((await change(own.id, { status: 'cancelled' }, provider)).body.status).toBe('cancelled');
  });

  it('edit everything is an admin, and in an inactive clinic nobody', async () => {
    const { id } = (await create()).body;
    const operator = await service.tokenOf(demoAdmin);
    expect((await change(id, { targetValue: '10', startDate: day(-1) }, operator)).body.targetValue).toBe('10.00');
    await service.database.sql(`UPDATE clinics SET status = 'inactive' WHERE id = $1`, [clinicId]);
    expect(outcome(await create({ metric: 'calls' }))).toEqual([409, 'clinic-inactive']);
    expect(outcome(await change(id, { name: 'Late' }))).toEqual([409, 'clinic-inactive']);
    await service.database.sql(`UPDATE clinics SET status = 'active' WHERE id = $1`, [clinicId]);
  });

  it('delete is the clinic_admin alone', async () => {
    const own = (await create({ providerId: ownProviderId }, provider)).body;
    expect(outcome(await service.call('DELETE', `${path()}/${own.id}`, { token: provider }))).toEqual([
      403,
      'role-too-low',
    ]);
    expect((await service.call('DELETE', `${path()}/${own.id}`, { token: admin })).status).toBe(204);
    expect((await service.call('DELETE', `${path()}/${own.id}`, { token: admin })).status).toBe(404);
  });

  it('read is every member, and nobody of another clinic', async () => {
    const { id } = (await create()).body;
    for (const role of ['viewer', 'staff', 'provider'])
      expect((await service.call('GET', `${path()}/${id}`, { token: await as(role) })).status).toBe(200);
    const stranger = await as('clinic_admin', 'southbank');
    expect((await service.call('GET', `${path()}/${id}`, { token: stranger })).status).toBe(404);
    const foreign = (await service.call('GET', '/clinics', { token: stranger })).body.data[0].id;
    expect((await service.call('GET', `/clinics/${foreign}/goals/${id}`, { token: stranger })).status).toBe(404);
  });
});

describe('A goal that two people edit', () => {
  it('is changed by whoever saw its present version', async () => {
    const { id } = (await create()).body;
    const seen = await service.call('GET', `${path()}/${id}`, { token: admin });
    const headers = { 'if-match': seen.headers.get('etag') ?? '' };
    const both = await Promise.all(
      ['3100', '3200'].map((targetValue) =>
        service.call('PATCH', `${path()}/${id}`, { token: admin, body: { targetValue }, headers }),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
  });
});

describe('The goals of a clinic', () => {
  it('are listed page by page, latest start first, by state, provider, metric and period', async () => {
    for (const month of ['01', '02', '03', '04', '05']) await create({ startDate: `2026-${month}-01` });
    await create({ startDate: '2026-03-01', metric: 'calls', status: 'draft' });
    await create({ startDate: '2026-03-01', providerId: ownProviderId });
    const list = async (query: string) =>
      (await service.call('GET', `${path()}?${query}`, { token: admin })).body as {
        data: { startDate: string; metric: string; providerId: string | null }[];
        nextCursor: string | null;
      };
    const starts: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(`limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      starts.push(...page.data.map(({ startDate }) => startDate));
      cursor = page.nextCursor;
    } while (cursor);
    expect(starts).toEqual(['05', '04', '03', '03', '03', '02', '01'].map((month) => `2026-${month}-01`));
    expect((await list('status=draft')).data).toMatchObject([{ metric: 'calls' }]);
    expect((await list(`provider=${ownProviderId}`)).data).toHaveLength(1);
    expect((await list('metric=production&from=2026-02-15&to=2026-03-01')).data).toHaveLength(3);
    expect((await list('timePeriod=yearly')).data).toEqual([]);
    expect(outcome(await service.call('GET', `${path()}?cursor=xx`, { token: admin }))).toEqual([
      400,
      'invalid-cursor',
    ]);
  });
});

describe('The value of a goal', () => {
  it('follows the facts through their roll-ups, by itself', async () => {
    const { id } = (await create(custom(10, { targetValue: '1000' }))).body;
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount) VALUES ($1, $2, 'production', 250), ($1, $3, 'production', 150), ($1, $4, 'production', 9999)`,
      [clinicId, day(0), day(-9), day(-10)],
    );
    await asService('SELECT app.roll_up_dirty_days(10)');
    expect(await read(id)).toMatchObject({ currentValue: '400.00', progress: '40.00', measuredOn: day(0) });
    await service.database.sql('DELETE FROM financial_metrics WHERE amount = 150');
    await asService('SELECT app.roll_up_dirty_days(10)');
    expect(await read(id)).toMatchObject({ currentValue: '250.00', progress: '25.00' });
    await service.database.sql('DELETE FROM financial_metrics');
  });

  it('is there at once when a goal is set, activated or moved', async () => {
    await rollUp('production', day(-1), 300);
    await rollUp('production', day(-4), 500);
    const goal = (await create(custom(3, { targetValue: '1000', status: 'draft' }))).body;
    expect(goal).toMatchObject({ currentValue: null, status: 'draft' });
    expect((await change(goal.id, { status: 'active' })).body.currentValue).toBe('300.00');
    expect((await change(goal.id, { startDate: day(-5) })).body).toMatchObject({
      ...{ currentValue: '800.00', progress: '80.00', days: 6 },
    });
  });

  it('of a provider is that of the provider', async () => {
    await rollUp('production', day(0), 900);
    await rollUp('production', day(0), 200, ownProviderId);
    expect((await create(custom(5, { providerId: ownProviderId }))).body.currentValue).toBe('200.00');
    expect((await create(custom(5))).body.currentValue).toBe('900.00');
  });

  it('of a sum is paced and forecast by the days', async () => {
    await rollUp('production', day(-2), 600);
    const period = { timePeriod: 'custom', startDate: day(-4), endDate: day(5) };
    const behind = (await create({ ...period, targetValue: '2000' })).body;
    expect(behind).toMatchObject({
      ...{ accumulates: true, days: 10, elapsedDays: 5, currentValue: '600.00', progress: '30.00' },
      ...{ expected: '1000.00', forecast: '1200.00', remaining: '1400.00', onTrack: false },
    });
    expect((await change(behind.id, { targetValue: '1200' })).body).toMatchObject({
      ...{ expected: '600.00', onTrack: true, remaining: '600.00' },
    });
    expect((await change(behind.id, { direction: 'at_most', targetValue: '500' })).body).toMatchObject({
      ...{ onTrack: false, remaining: '-100.00', progress: '120.00' },
    });
  });

  it('of a rate is the rate of the whole period, never a sum or a mean of rates', async () => {
    for (const [offset, appointments, missed] of [
      [-2, 10, 1],
      [-1, 90, 3],
    ] as const) {
      await rollUp('appointments', day(offset), appointments);
      await rollUp('no_shows', day(offset), missed);
    }
    const period = { timePeriod: 'custom', startDate: day(-4), endDate: day(5) };
    const limit = { metric: 'no_show_rate', direction: 'at_most', targetValue: '5' };
    expect((await create({ ...period, ...limit })).body).toMatchObject({
      ...{ accumulates: false, currentValue: '4.00', progress: '80.00', expected: '5.00', forecast: '4.00' },
      ...{ remaining: '1.00', onTrack: true },
    });
  });

  it.each([
    ['production', true],
    ['net_production', true],
    ['new_patients', true],
    ['active_patients', false],
    ['collection_rate', false],
    ['average_patient_value', false],
    ['average_call_duration', false],
  ])('accumulates, of %s: %s', async (metric, accumulates) => {
    expect((await create({ metric })).body.accumulates).toBe(accumulates);
  });

  it('of a level is the last one', async () => {
    await rollUp('active_patients', day(-2), 900);
    await rollUp('active_patients', day(-1), 950);
    const goal = custom(10, { metric: 'active_patients', targetValue: '1000' });
    expect((await create(goal)).body).toMatchObject({ currentValue: '950', forecast: '950', onTrack: false });
  });

  it('is unknown without facts, and before the start', async () => {
    const unknown = { currentValue: null, progress: null, forecast: null, onTrack: null };
    expect((await create(custom(3))).body).toMatchObject({ ...unknown, elapsedDays: 3 });
    expect((await create({ startDate: day(5) })).body).toMatchObject({ ...unknown, measuredOn: null, expected: null });
  });

  it('leaves a row per day, whether facts came or not, and no line in the audit log', async () => {
    const goal = (await create(custom(5, { targetValue: '1000' }))).body;
    await rollUp('production', day(0), 100);
    await rolledUp();
    await service.database.sql('UPDATE metric_aggregations SET value = 120');
    await rolledUp();
    const days = async () => (await service.call('GET', `${path()}/${goal.id}/progress`, { token: admin })).body.data;
    const today = { date: day(0), value: '120.00', targetValue: '1000.00', progress: '12.00' };
    expect(await days()).toEqual([today]);
    const [{ lines } = {}] = await service.database.sql<{ lines: string }>(
      `SELECT count(*) AS lines FROM audit.events WHERE table_name = 'public.goals' AND row_id = $1`,
      [goal.id],
    );
    expect(lines).toBe('1');

    await change(goal.id, { endDate: day(5) });
    await asService(`SELECT app.measure_goals_of_new_days(now() + interval '24 hours')`);
    expect(await days()).toEqual([{ ...today, date: day(1) }, today]);
    const before = await read(goal.id);
    await asService(`SELECT app.measure_goals_of_new_days(now() + interval '24 hours')`);
    expect(await read(goal.id)).toEqual(before);
    await runJob('metrics.record-goal-progress');
    expect((await read(goal.id)).measuredOn).toBe(day(0));
  });
});

describe('A goal that has ended', () => {
  const ended = { timePeriod: 'custom', startDate: day(-5), endDate: day(-1) };

  it.each([
    ['at_least', 100, 'achieved'],
    ['at_least', 99.99, 'missed'],
    ['at_most', 100, 'achieved'],
    ['at_most', 100.01, 'missed'],
  ])('of %s 100 with %d is %s, and stays so', async (direction, value, status) => {
    const { id } = (await create({ ...ended, direction, targetValue: '100' })).body;
    await rollUp('production', day(-1), value);
    await runJob('metrics.close-goals');
    expect(await read(id)).toMatchObject({ status, currentValue: value.toFixed(2), onTrack: status === 'achieved' });
    await service.database.sql('UPDATE metric_aggregations SET value = 100');
    await rolledUp();
    await runJob('metrics.close-goals');
    expect(await read(id)).toMatchObject({ status, currentValue: value.toFixed(2), measuredOn: day(-1) });
  });

  it.each(['at_least', 'at_most'])('of %s without any fact is missed, and says so', async (direction) => {
    const { id } = (await create({ ...ended, direction })).body;
    await runJob('metrics.close-goals');
    expect(await read(id)).toMatchObject({ status: 'missed', closingNote: 'no-data', currentValue: null });
  });

  it('waits while facts of its days are not rolled up', async () => {
    const { id } = (await create({ ...ended, targetValue: '100' })).body;
    await service.database.sql('INSERT INTO metric_dirty_days (clinic_id, date) VALUES ($1, $2)', [clinicId, day(-3)]);
    await runJob('metrics.close-goals');
    expect((await read(id)).status).toBe('active');
    await service.database.sql('DELETE FROM metric_dirty_days');
    await service.database.sql('INSERT INTO metric_dirty_days (clinic_id, date) VALUES ($1, $2)', [clinicId, day(0)]);
    await runJob('metrics.close-goals');
    expect((await read(id)).status).toBe('missed');
  });

  it('leaves drafts, cancelled ones and those of today alone', async () => {
    const draft = (await create({ ...ended, status: 'draft' })).body;
    const today = (await create({ ...ended, endDate: day(0) })).body;
    await runJob('metrics.close-goals');
    expect([(await read(draft.id)).status, (await read(today.id)).status]).toEqual(['draft', 'active']);
  });

  it.each([
    ['Europe/Berlin', '2026-10-25', '2026-10-25T22:59:59Z', '2026-10-25T23:00:00Z'],
    ['Europe/Berlin', '2026-03-29', '2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z'],
    ['America/New_York', '2026-11-01', '2026-11-02T04:59:59Z', '2026-11-02T05:00:00Z'],
    ['Pacific/Kiritimati', '2026-06-30', '2026-06-30T09:59:59Z', '2026-06-30T10:00:00Z'],
    ['Asia/Kathmandu', '2026-06-30', '2026-06-30T18:14:59Z', '2026-06-30T18:15:00Z'],
  ])('in %s on %s is closed when its day is over there: not at %s, at %s', async (zone, endDate, before, after) => {
    await service.database.sql('UPDATE clinics SET time_zone = $2 WHERE id = $1', [clinicId, zone]);
    const { id } = (await create({ timePeriod: 'custom', startDate: '2026-01-01', endDate })).body;
    await asService(`SELECT app.close_goals('${before}')`);
    expect((await read(id)).status).toBe('active');
    await asService(`SELECT app.close_goals('${after}')`);
    expect((await read(id)).status).toBe('missed');
    await service.database.sql(`UPDATE clinics SET time_zone = 'Europe/Berlin' WHERE id = $1`, [clinicId]);
  });

  it('is closed while others edit and measure, and nobody waits for ever', async () => {
    const others = await Promise.all(
      ['production', 'collections', 'calls', 'new_patients'].map((metric) => create({ ...ended, metric })),
    );
    const edits = others.map(({ body }) => change(body.id, { name: 'Edited' }));
    const work = [1, 2, 3].flatMap(() => [rolledUp(), runJob('metrics.close-goals')]);
    await Promise.all([...edits, ...work]);
    for (const { status } of await Promise.all(edits)) expect([200, 409]).toContain(status);
    await runJob('metrics.close-goals');
    for (const { body } of others) expect((await read(body.id)).status).toBe('missed');
  });

  it('is closed once by two jobs at once', async () => {
    const { id } = (await create(ended)).body;
    await Promise.all([1, 2, 3].map(() => runJob('metrics.close-goals')));
    const closings = await service.database.sql(
      `SELECT FROM audit.events WHERE table_name = 'public.goals' AND row_id = $1 AND action = 'update'`,
      [id],
    );
    expect(closings).toHaveLength(1);
  });
});

describe('A report', () => {
  it('reads the goals that ran in its period', async () => {
    const ran = (await create({ startDate: '2026-03-01' })).body;
    await create({ startDate: '2026-05-01' });
    await create({ startDate: '2026-03-01', status: 'draft', metric: 'calls' });
    const user = (await service.call('GET', '/auth/me', { token: admin })).body;
    const goals = await service.application
      .get(Transactions)
      .runAs({ user: user.id, reason: 'send mail' }, () =>
        service.application.get(GoalsReader).forPeriod(clinicId, '2026-03-31', '2026-04-30'),
      );
    expect(goals).toMatchObject([{ id: ran.id, metric: 'production', targetValue: '3000.00' }]);
  });
});

describe('Goals from a template', () => {
  async function template(name: string, token = admin): Promise<string> {
    const { data } = (await service.call('GET', `/clinics/${clinicId}/goal-templates?limit=200`, { token })).body;
    return data.find((each: { name: string }) => each.name === name).id;
  }

  it('are set for all active providers at once, each by the own value of the period before', async () => {
    const templateId = await template('Production up 5 %');
    await rollUp('production', '2026-02-10', 1000, ownProviderId);
    await rollUp('production', '2026-02-28', 500.5, ownProviderId);
    await rollUp('production', '2026-02-01', 200, otherProviderId);
    await rollUp('production', '2026-01-31', 77777, otherProviderId);
    const body = { templateId, startDate: '2026-03-01', forProviders: 'all' };
    const headers = { 'idempotency-key': randomUUID() };
    const once = await service.call('POST', `${path()}/from-template`, { token: admin, body, headers });
    expect([once.status, once.body.code]).toEqual([201, undefined]);
    expect(once.body.data).toMatchObject([
      { providerName: 'Dr. Robin Hale', targetValue: '1575.53', templateId, endDate: '2026-03-31' },
      { providerName: 'Dr. Sam Okoro', targetValue: '210.00', templateId },
    ]);
    const again = await service.call('POST', `${path()}/from-template`, { token: admin, body, headers });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    const [{ count } = {}] = await service.database.sql<{ count: string }>('SELECT count(*) FROM goals');
    expect(count).toBe('2');
  });

  it('are all or none: who has one already, or no earlier value, is named', async () => {
    const templateId = await template('Production up 5 %');
    const body = { templateId, startDate: '2026-03-01', forProviders: [ownProviderId, otherProviderId] };
    await rollUp('production', '2026-02-10', 1000, ownProviderId);
    const unknown = await fromTemplate(body);
    expect(unknown.body).toMatchObject({
      ...{ status: 422, code: 'target-unknown' },
      errors: [{ path: 'forProviders.1', message: expect.stringContaining('Dr. Sam Okoro') }],
    });
    await create({ startDate: '2026-03-01', providerId: ownProviderId });
    const taken = await fromTemplate(body);
    expect(taken.body).toMatchObject({
      ...{ status: 409, code: 'already-exists' },
      errors: [{ path: 'forProviders.0', message: expect.stringContaining('Dr. Robin Hale') }],
    });
    expect(await service.database.sql('SELECT id FROM goals')).toHaveLength(1);
  });

  it('are set by a provider for the own record, not for all', async () => {
    const templateId = await template('Few no-shows');
    const body = { templateId, startDate: '2026-03-01' };
    expect(outcome(await fromTemplate({ ...body, forProviders: 'all' }, provider))).toEqual([403, 'forbidden']);
    expect((await fromTemplate({ ...body, forProviders: [ownProviderId] }, provider)).body.data).toMatchObject([
      { targetValue: '5.00', direction: 'at_most', metric: 'no_show_rate' },
    ]);
  });

  it('refuse what is not there: a template, a provider', async () => {
    const missing = { templateId: randomUUID(), startDate: '2026-03-01', forProviders: null };
    expect((await fromTemplate(missing)).body).toMatchObject({
      ...{ code: 'unknown-reference', errors: [{ path: 'templateId' }] },
    });
    const body = { templateId: await template('Few no-shows'), startDate: '2026-03-01' };
    expect((await fromTemplate({ ...body, forProviders: [ownProviderId, randomUUID()] })).body).toMatchObject({
      ...{ code: 'unknown-reference', errors: [{ path: 'forProviders.1' }] },
    });
  });

  it.each([
    ['last_value * 1.1', '220.00'],
    ['last_year_value + 1', '301.00'],
    ['(last_value + last_year_value) / 2', '250.00'],
    ['collections * 2', '80.00'],
    ['net_production', '200.00'],
    ['1234.5', '1234.50'],
    ['last_value / adjustments', null],
    ['calls', null],
  ])('take %s for a target of %s', async (targetFormula, target) => {
    await rollUp('production', '2026-02-10', 200);
    await rollUp('production', '2025-03-10', 300);
    await rollUp('collections', '2026-02-10', 40);
    const body = { name: `Made of ${targetFormula}`, metric: 'production', timePeriod: 'monthly', targetFormula };
    const { id } = (await service.call('POST', `/clinics/${clinicId}/goal-templates`, { token: admin, body })).body;
    const answer = await fromTemplate({ templateId: id, startDate: '2026-03-01', forProviders: null });
    if (target === null) expect(outcome(answer)).toEqual([422, 'target-unknown']);
    else expect(answer.body.data).toMatchObject([{ targetValue: target, providerId: null }]);
    expect((await service.call('DELETE', `/clinics/${clinicId}/goal-templates/${id}`, { token: admin })).status).toBe(
      204,
    );
  });
});

describe('The same period a year ago', () => {
  it('is whole, also when it was the February of a leap year', async () => {
    await rollUp('production', '2024-02-10', 100);
    await rollUp('production', '2024-02-29', 29);
    await rollUp('production', '2024-03-01', 1000);
    const body = {
      name: 'Like last year',
      metric: 'production',
      timePeriod: 'monthly',
      targetFormula: 'last_year_value',
    };
    const { id } = (await service.call('POST', `/clinics/${clinicId}/goal-templates`, { token: admin, body })).body;
    const answer = await fromTemplate({ templateId: id, startDate: '2025-02-01', forProviders: null });
    expect(answer.body.data).toMatchObject([{ targetValue: '129.00' }]);
    await service.call('DELETE', `/clinics/${clinicId}/goal-templates/${id}`, { token: admin });
  });
});

describe('Goal templates', () => {
  const templates = (): string => `/clinics/${clinicId}/goal-templates`;
  const system = '/metrics/goal-templates';
  const body = { name: 'More crowns', metric: 'production', timePeriod: 'monthly', targetFormula: 'last_value * 2' };

  it('of the system are read by everybody signed in and written by admins', async () => {
    const operator = await service.tokenOf(demoAdmin);
    const patient = await as('patient');
    expect((await service.call('GET', system)).status).toBe(401);
    const { data } = (await service.call('GET', system, { token: patient })).body;
    expect(data.length).toBeGreaterThan(5);
    expect(data.every((each: { isSystemTemplate: boolean }) => each.isSystemTemplate)).toBe(true);
    const one = `${system}/${data[0].id}`;
    expect((await service.call('GET', one, { token: patient })).status).toBe(200);
    expect((await service.call('POST', system, { token: admin, body })).status).toBe(403);
    expect((await service.call('PATCH', one, { token: admin, body: { name: 'Mine' } })).status).toBe(403);
    const made = await service.call('POST', system, { token: operator, body });
    expect(made.body).toMatchObject({ isSystemTemplate: true, clinicId: null });
    const own = `${system}/${made.body.id}`;
    expect((await service.call('PATCH', own, { token: operator, body: { name: 'New' } })).body.name).toBe('New');
    expect((await service.call('DELETE', own, { token: operator })).status).toBe(204);
  });

  it('of a clinic are read by its members and written by its clinic_admin; the system ones stay as they are', async () => {
    for (const role of ['viewer', 'staff', 'provider'])
      expect((await service.call('POST', templates(), { token: await as(role), body })).status).toBe(403);
    const made = (await service.call('POST', templates(), { token: admin, body })).body;
    expect(made).toMatchObject({ clinicId, isSystemTemplate: false, direction: 'at_least' });
    expect(outcome(await service.call('POST', templates(), { token: admin, body }))).toEqual([409, 'already-exists']);
    const listed = (await service.call('GET', `${templates()}?metric=production`, { token: await as('viewer') })).body;
    expect(listed.data.map((each: { name: string }) => each.name)).toContain('More crowns');
    const stranger = await as('clinic_admin', 'southbank');
    expect((await service.call('GET', `${system}/${made.id}`, { token: stranger })).status).toBe(404);
    const systems = listed.data.find((each: { isSystemTemplate: boolean }) => each.isSystemTemplate);
    const change = { token: admin, body: { name: 'Ours' } };
    expect(outcome(await service.call('PATCH', `${templates()}/${systems.id}`, change))).toEqual([403, 'forbidden']);
    expect(outcome(await service.call('DELETE', `${templates()}/${systems.id}`, { token: admin }))).toEqual([
      403,
      'forbidden',
    ]);
    const changed = await service.call('PATCH', `${templates()}/${made.id}`, {
      ...{ token: admin, body: { metric: 'collections', targetFormula: '5' } },
    });
    expect(changed.body).toMatchObject({ metric: 'collections', targetFormula: '5' });
    expect((await service.call('DELETE', `${templates()}/${made.id}`, { token: admin })).status).toBe(204);
  });

  it.each(['last_vlaue * 2', 'last_value *', 'Math.max(1, 2)', 'last_value ** 2', ''])(
    'with the formula %j are refused when they are saved',
    async (targetFormula) => {
      const refused = await service.call('POST', templates(), { token: admin, body: { ...body, targetFormula } });
      expect(refused.body.errors).toMatchObject([{ path: 'targetFormula' }]);
      expect(outcome(refused)).toEqual(targetFormula === '' ? [400, 'invalid-request'] : [422, 'invalid-formula']);
    },
  );

  it('keep the metrics that their formulas name', async () => {
    const definitions = `/clinics/${clinicId}/metrics/definitions`;
    const metric = {
      code: 'chair_hours',
      name: 'Chair hours',
      dataType: 'decimal',
      calculationFormula: 'appointments / 2',
    };
    const { id } = (await service.call('POST', definitions, { token: admin, body: metric })).body;
    const formula = { targetFormula: 'last_value + (chair_hours * 200)' };
    const made = (await service.call('POST', templates(), { token: admin, body: { ...body, ...formula } })).body;
    const refused = await service.call('DELETE', `${definitions}/${id}`, { token: admin });
    expect(outcome(refused)).toEqual([409, 'still-referenced']);
    expect(refused.body.detail).toContain('More crowns');
    const other = { token: admin, body: { targetFormula: 'last_value + chair_hours_2 * 0 + 1' } };
    expect(outcome(await service.call('PATCH', `${templates()}/${made.id}`, other))).toEqual([422, 'invalid-formula']);
    expect((await service.call('DELETE', `${templates()}/${made.id}`, { token: admin })).status).toBe(204);
    expect((await service.call('DELETE', `${definitions}/${id}`, { token: admin })).status).toBe(204);
  });

  it('of an unknown metric are refused', async () => {
    const unknown = { ...body, metric: 'nothing_known' };
    expect((await service.call('POST', templates(), { token: admin, body: unknown })).body).toMatchObject({
      ...{ status: 422, code: 'unknown-reference', errors: [{ path: 'metric' }] },
    });
  });
});
