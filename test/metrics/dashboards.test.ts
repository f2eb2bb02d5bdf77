import { once } from 'node:events';
import { type IncomingMessage, request as open } from 'node:http';
import { text } from 'node:stream/consumers';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { comparedDays, daysOf } from '../../src/modules/metrics/dashboards/widget-range.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let foreignClinicId: string;

beforeAll(async () => {
  service = await startService();
  clinicId = await firstClinicOf('northside');
  foreignClinicId = await firstClinicOf('southbank');
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const series = { metrics: ['production', 'collections'], granularity: 'daily', range: 'last_30_days' };
const nowhere = '00000000-0000-7000-8000-000000000000';

async function firstClinicOf(slug: string): Promise<string> {
  return (await service.call('GET', '/clinics', { token: await as('viewer', slug) })).body.data[0].id;
}
async function send(role: string, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
  const token = role === 'admin' ? await service.tokenOf(demoAdmin) : await as(role);
  return service.call(method, `/clinics/${clinicId}/dashboards${path}`, { token, body, headers });
}
const newDashboard = async (role: string, more = {}): Promise<Answer['body']> =>
  (await send(role, 'POST', '', { name: 'Mornings', ...more })).body;
const newWidget = async (role: string, dashboardId: string, config: object = series): Promise<Answer['body']> =>
  (await send(role, 'POST', `/${dashboardId}/widgets`, { kind: 'line', title: 'Production', config })).body;
const placed = (widgetId: string, x = 0, y = 0) => ({ widgetId, x, y, width: 6, height: 4 });

describe('A dashboard', () => {
  it('is made by any member, empty and their own; the answer says where it is', async () => {
    const made = await send('viewer', 'POST', '', { name: 'Mornings' });
    expect([made.status, made.body]).toMatchObject([
      201,
      { name: 'Mornings', isShared: false, isDefault: false, layout: { placements: [] }, widgets: [] },
    ]);
    expect(made.headers.get('location')).toBe(`/api/v1/clinics/${clinicId}/dashboards/${made.body.id}`);
    const read = await send('viewer', 'GET', `/${made.body.id}`);
    expect([read.body, read.headers.get('etag')]).toEqual([made.body, made.headers.get('etag')]);
  });

  it('is seen by nobody else until it is shared: not listed, and not told from one that is not there', async () => {
    const { id } = await newDashboard('viewer', { name: 'Private' });
    for (const role of ['staff', 'clinic_admin', 'owner']) {
      expect(outcome(await send(role, 'GET', `/${id}`))).toEqual([404, 'not-found']);
      expect(outcome(await send(role, 'PATCH', `/${id}`, { name: 'Mine' }))).toEqual([404, 'not-found']);
      expect(outcome(await send(role, 'DELETE', `/${id}`))).toEqual([404, 'not-found']);
      const { body } = await send(role, 'GET', '?limit=200');
      expect(body.data.map((each: { id: string }) => each.id)).not.toContain(id);
    }
  });

  it('that is shared is read with its widgets by every member, and changed by its owner alone', async () => {
    const { id } = await newDashboard('staff', { name: 'For all', isShared: true });
    const widget = await newWidget('staff', id);
    const read = await send('viewer', 'GET', `/${id}`);
    expect([read.status, read.body.widgets]).toEqual([200, [widget]]);
    for (const role of ['viewer', 'clinic_admin']) {
      const refused = [
        await send(role, 'PATCH', `/${id}`, { name: 'Mine' }),
        await send(role, 'DELETE', `/${id}`),
        await send(role, 'POST', `/${id}/widgets`, { kind: 'number', title: 'Mine', config: series }),
        await send(role, 'PATCH', `/${id}/widgets/${widget.id}`, { title: 'Mine' }),
        await send(role, 'DELETE', `/${id}/widgets/${widget.id}`),
      ];
      expect(refused.map(outcome)).toEqual(refused.map(() => [403, 'not-your-dashboard']));
    }
    const list = await send('viewer', 'GET', '?whose=shared&limit=200');
    expect(list.body.data.map((each: { name: string }) => each.name)).toEqual(['For all']);
  });

  it('of another clinic is not there, whatever it is', async () => {
    const token = await as('staff', 'southbank');
    const there = `/clinics/${foreignClinicId}/dashboards`;
    const { body } = await service.call('POST', there, { token, body: { name: 'Theirs', isShared: true } });
    expect(outcome(await send('clinic_admin', 'GET', `/${body.id}`))).toEqual([404, 'not-found']);
    expect(outcome(await service.call('GET', `${there}/${body.id}`, { token: await as('owner') }))).toEqual([
      404,
      'not-found',
    ]);
    const set = await send('clinic_admin', 'PUT', '/clinic-default', { dashboardId: body.id });
    expect(outcome(set)).toEqual([422, 'unknown-reference']);
  });

  it('is out of reach behind the policies too: a plain UPDATE of everything changes own rows alone', async () => {
    const { id } = await newDashboard('staff', { name: 'Kept', isShared: true });
    await newWidget('staff', id);
    const [viewer] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [
      demoAddress('viewer', 'northside'),
    ]);
    await service.database.sql(`DO $$ BEGIN PERFORM set_config('app.user_id', '${viewer?.id}', true);
      SET LOCAL ROLE authenticated;
      UPDATE dashboards SET name = 'Taken'; UPDATE widgets SET title = 'Taken'; DELETE FROM widgets; DELETE FROM dashboards; END $$`);
    const kept = await send('staff', 'GET', `/${id}`);
    expect([kept.body.name, kept.body.widgets.length]).toEqual(['Kept', 1]);
  });

  it('is listed page by page, by name', async () => {
    for (const name of ['C', 'A', 'B']) await newDashboard('provider', { name });
    const first = await send('provider', 'GET', '?whose=own&limit=2');
    const second = await send('provider', 'GET', `?whose=own&limit=2&cursor=${first.body.nextCursor}`);
    const names = [...first.body.data, ...second.body.data].map((each: { name: string }) => each.name);
    expect([names, second.body.nextCursor]).toEqual([['A', 'B', 'C'], null]);
  });

  it('is not changed on top of somebody’s newer version, of itself or of its widgets', async () => {
    const made = await send('viewer', 'POST', '', { name: 'Versions' });
    const before = { 'if-match': String(made.headers.get('etag')) };
    const widget = await newWidget('viewer', made.body.id);
    const late = await send('viewer', 'PATCH', `/${made.body.id}`, { name: 'Late' }, before);
    expect(outcome(late)).toEqual([412, 'precondition-failed']);
    const path = `/${made.body.id}/widgets/${widget.id}`;
    const tag = String((await send('viewer', 'GET', path)).headers.get('etag'));
    expect((await send('viewer', 'PATCH', path, { title: 'First' }, { 'if-match': tag })).status).toBe(200);
    expect(outcome(await send('viewer', 'PATCH', path, { title: 'Second' }, { 'if-match': tag }))).toEqual([
      412,
      'precondition-failed',
    ]);
  });

  it('is one of 50 at most, however many are made at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 60 }, (_, index) => send('manager', 'POST', '', { name: `Many ${index}` })),
    );
    const outcomes = made.map((answer) => outcome(answer).join(' '));
    expect(outcomes.filter((each) => each.startsWith('201'))).toHaveLength(50);
    expect(outcomes.filter((each) => each === '409 too-many-dashboards')).toHaveLength(10);
  });

  it('cannot be made in an inactive clinic', async () => {
    await service.database.sql(`UPDATE clinics SET status = 'inactive' WHERE id = $1`, [clinicId]);
    const refused = await send('staff', 'POST', '', { name: 'Late' });
    await service.database.sql(`UPDATE clinics SET status = 'active' WHERE id = $1`, [clinicId]);
    expect(outcome(refused)).toEqual([409, 'clinic-inactive']);
  });
});

describe('A default', () => {
  it('of a person is one: the next takes its place, also when several are chosen at once', async () => {
    const ids = await Promise.all(
      ['One', 'Two', 'Three'].map(async (name) => (await newDashboard('staff', { name, isDefault: true })).id),
    );
    await Promise.all(ids.map((id) => send('staff', 'PATCH', `/${id}`, { isDefault: true })));
    const { body } = await send('staff', 'GET', '?whose=own&limit=200');
    const defaults = body.data.filter((each: { isDefault: boolean }) => each.isDefault);
    expect(defaults).toHaveLength(1);
    expect((await send('staff', 'GET', '/default')).body.id).toBe(defaults[0].id);
  });

  it('of the clinic is what a member sees who has chosen none; the own one goes before it', async () => {
    expect(outcome(await send('clinic_admin', 'GET', '/default'))).toEqual([404, 'not-found']);
    const shared = await newDashboard('provider', { name: 'Clinic', isShared: true });
    const set = await send('clinic_admin', 'PUT', '/clinic-default', { dashboardId: shared.id });
    expect(set.status).toBe(204);
    const seen = await send('viewer', 'GET', '/default');
    expect([seen.body.id, seen.body.isClinicDefault]).toEqual([shared.id, true]);
    const path = `/${shared.id}`;
    const known = { 'if-none-match': String((await send('viewer', 'GET', path)).headers.get('etag')) };
    expect((await send('viewer', 'GET', path, undefined, known)).status).toBe(304);
    await send('clinic_admin', 'DELETE', '/clinic-default');
    const changed = await send('viewer', 'GET', path, undefined, known);
    expect([changed.status, changed.body?.isClinicDefault]).toEqual([200, false]);
    const own = await newDashboard('viewer', { name: 'My own', isDefault: true });
    expect((await send('viewer', 'GET', '/default')).body.id).toBe(own.id);
  });

  it('of the clinic is chosen by a clinic_admin, among what is shared', async () => {
    const shared = await newDashboard('staff', { name: 'Shared', isShared: true });
    for (const role of ['viewer', 'staff', 'provider']) {
      const refused = await send(role, 'PUT', '/clinic-default', { dashboardId: shared.id });
      expect(outcome(refused)).toEqual([403, 'role-too-low']);
    }
    const own = await newDashboard('clinic_admin', { name: 'Not shared' });
    const refused = [
      await send('clinic_admin', 'PUT', '/clinic-default', { dashboardId: own.id }),
      await send('clinic_admin', 'PUT', '/clinic-default', { dashboardId: nowhere }),
    ];
    expect(refused.map(outcome)).toEqual([
      [422, 'dashboard-not-shared'],
      [422, 'unknown-reference'],
    ]);
  });

  it('of the clinic ends when its owner shares it no more or deletes it, and when it is taken back', async () => {
    const ends = [
      (id: string) => send('staff', 'PATCH', `/${id}`, { isShared: false }),
      (id: string) => send('staff', 'DELETE', `/${id}`),
      () => send('clinic_admin', 'DELETE', '/clinic-default'),
    ];
    for (const end of ends) {
      const { id } = await newDashboard('staff', { name: 'For a time', isShared: true });
      await send('clinic_admin', 'PUT', '/clinic-default', { dashboardId: id });
      expect((await send('clinic_admin', 'GET', '/default')).body.id).toBe(id);
      expect((await end(id)).status).toBeLessThan(300);
      expect(outcome(await send('clinic_admin', 'GET', '/default'))).toEqual([404, 'not-found']);
    }
  });
});

describe('A widget', () => {
  it('is placed on the grid, and leaves it when it is deleted', async () => {
    const { id } = await newDashboard('provider', { name: 'Grid' });
    const [one, two] = [await newWidget('provider', id), await newWidget('provider', id)];
    const placements = [placed(one.id), placed(two.id, 6)];
    const laid = await send('provider', 'PATCH', `/${id}`, { layout: { placements } });
    expect([laid.status, laid.body.layout]).toEqual([200, { placements }]);
    expect((await send('provider', 'DELETE', `/${id}/widgets/${one.id}`)).status).toBe(204);
    const left = await send('provider', 'GET', `/${id}`);
    expect([left.body.layout.placements, left.body.widgets]).toEqual([[placed(two.id, 6)], [two]]);
    expect(outcome(await send('provider', 'DELETE', `/${id}/widgets/${one.id}`))).toEqual([404, 'not-found']);
  });

  it('is placed once, beside the others, within twelve columns, and is one of this dashboard', async () => {
    const { id } = await newDashboard('provider', { name: 'Misplaced' });
    const [one, two] = [await newWidget('provider', id), await newWidget('provider', id)];
    const elsewhere = await newWidget('provider', (await newDashboard('provider', { name: 'Other' })).id);
    const lay = async (...placements: object[]) => {
      const { status, body } = await send('provider', 'PATCH', `/${id}`, { layout: { placements } });
      return [status, body.errors?.[0]?.path];
    };
    expect(await lay(placed(one.id), placed(two.id, 5, 3))).toEqual([400, 'layout.placements.1']);
    expect(await lay(placed(one.id), placed(one.id, 0, 9))).toEqual([400, 'layout.placements.1']);
    expect(await lay(placed(one.id, 7))).toEqual([400, 'layout.placements.0']);
    expect(await lay(placed(one.id), placed(elsewhere.id, 6))).toEqual([422, 'layout.placements.1.widgetId']);
    expect(await lay({ ...placed(one.id), color: 'red' })).toEqual([400, 'layout.placements.0.color']);
    expect((await send('provider', 'GET', `/${id}`)).body.layout.placements).toEqual([]);
  });

  it('that names what is not there is refused when it is saved', async () => {
    const { id } = await newDashboard('provider', { name: 'Misfits' });
    const [foreign] = await service.database.sql<{ id: string }>('SELECT id FROM providers WHERE clinic_id = $1', [
      foreignClinicId,
    ]);
    const save = async (kind: string, config: object) => {
      const { status, body } = await send('provider', 'POST', `/${id}/widgets`, { kind, title: 'X', config });
      return [status, body.errors?.[0]?.path];
    };
    expect(await save('line', { ...series, providerId: foreign?.id })).toEqual([422, 'config.providerId']);
    expect(await save('goal', series)).toEqual([422, 'config']);
    expect(await save('line', { ...series, metrics: [] })).toMatchObject([400, expect.stringMatching(/^config/)]);
    expect(await save('line', { ...series, metrics: ['production', 'profit'] })).toEqual([422, 'config.metrics']);
    expect(await save('goal', { goalId: nowhere })).toEqual([422, 'config.goalId']);
    expect(await save('pie', series)).toEqual([400, 'kind']);
    expect(await save('line', { ...series, clinicId: foreignClinicId })).toMatchObject([400, expect.anything()]);
    expect((await send('provider', 'GET', `/${id}/widgets`)).body.data).toEqual([]);
  });

  it('is one of 50 at most, however many are added at once', async () => {
    const { id } = await newDashboard('provider', { name: 'Crowded' });
    const body = { kind: 'number', title: 'Production', config: series };
    const made = await Promise.all(Array.from({ length: 55 }, () => send('provider', 'POST', `/${id}/widgets`, body)));
    const outcomes = made.map((answer) => outcome(answer).join(' '));
    expect(outcomes.filter((each) => each.startsWith('201'))).toHaveLength(50);
    expect(outcomes.filter((each) => each === '409 too-many-widgets')).toHaveLength(5);
  });
});

describe('The figures of a dashboard', () => {
  it('are those of each widget over its range, beside those that they are compared with', async () => {
    const { id } = await newDashboard('provider', { name: 'Figures', isShared: true });
    const config = { metrics: ['production', 'collection_rate'], granularity: 'daily', range: 'last_7_days' };
    const widget = await newWidget('provider', id, { ...config, comparison: 'previous_period' });
    const [day] = await service.database.sql<{ today: string; earlier: string }>(
      `SELECT (now() AT TIME ZONE time_zone)::date::text AS today, ((now() AT TIME ZONE time_zone)::date - 7)::text AS earlier
         FROM clinics WHERE id = $1`,
      [clinicId],
    );
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount)
       VALUES ($1, $2, 'production', 200), ($1, $2, 'collection', 150), ($1, $3, 'production', 100.50)`,
      [clinicId, day?.today, day?.earlier],
    );
    await service.database.sql('SELECT app.roll_up_dirty_days(100)');
    const { status, body } = await send('viewer', 'GET', `/${id}/data`);
    expect([status, body.today]).toEqual([200, day?.today]);
    expect(body.data).toMatchObject([{ widgetId: widget.id, problem: null }]);
    const [{ present, compared }] = body.data;
    expect(present.series.map(({ metric, total }: { metric: string; total: string }) => [metric, total])).toEqual([
      ['production', '200.00'],
      ['collection_rate', '75.00'],
    ]);
    expect(present.series[0].points).toHaveLength(7);
    expect(present.series[0].points[6]).toMatchObject({ periodStart: day?.today, value: '200.00', partial: true });
    expect([compared.to, compared.series[0].total]).toEqual([day?.earlier, '100.50']);
  });

  it('are there for the other widgets when a metric of one is gone', async () => {
    const { id } = await newDashboard('provider', { name: 'Gone' });
    const [one] = [await newWidget('provider', id), await newWidget('provider', id)];
    await service.database.sql(`UPDATE widgets SET config = jsonb_set(config, '{metrics}', '["gone"]') WHERE id = $1`, [
      one.id,
    ]);
    const { body } = await send('provider', 'GET', `/${id}/data`);
    expect(body.data).toMatchObject([
      { widgetId: one.id, problem: 'unknown-metric', present: null },
      { problem: null, present: { series: [{ metric: 'production' }, { metric: 'collections' }] } },
    ]);
    const widget = `/${id}/widgets/${one.id}`;
    expect((await send('provider', 'PATCH', widget, { title: 'Of before' })).body).toMatchObject({
      title: 'Of before',
    });
    expect(outcome(await send('provider', 'PATCH', widget, { kind: 'bar' }))).toEqual([422, 'unknown-metric']);
  });

  it('are read as the client takes them, so that many at once fill no memory; who loses their role gets no more', async () => {
    const { id } = await newDashboard('provider', { name: 'Large', isShared: true });
    const metrics = ['production', 'collections', 'net_production', 'collection_rate', 'appointments', 'calls'];
    const config = { metrics, granularity: 'daily', range: 'last_12_months', comparison: 'previous_year' };
    await service.database.sql(
      `INSERT INTO widgets (clinic_id, dashboard_id, kind, title, config)
       SELECT $1, $2, 'line', 'Large ' || n, $3::jsonb FROM generate_series(1, 50) AS n`,
      [clinicId, id, JSON.stringify(config)],
    );
    const headers = { authorization: `Bearer ${await as('viewer')}` };
    const request = open(`${service.url}/api/v1/clinics/${clinicId}/dashboards/${id}/data`, { headers }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await once(response, 'readable');
    const become = (isActive: boolean) =>
      service.database.sql(`UPDATE user_clinic_roles SET is_active = $2 WHERE clinic_id = $1 AND role = 'viewer'`, [
        ...[clinicId, isActive],
      ]);
    await become(false);
    const taken = text(response).then(({ length }) => length);
    await expect(taken).rejects.toThrow('aborted');
    await become(true);
  });

  it.each([
    ['last_7_days', '2026-11-15'],
    ['last_30_days', '2026-10-23'],
    ['last_12_weeks', '2026-08-31'],
    ['last_12_months', '2025-12-01'],
    ['this_week', '2026-11-16'],
    ['this_month', '2026-11-01'],
    ['this_year', '2026-01-01'],
  ] as const)('of %s begin on %s', (range, from) => {
    expect(daysOf(range, '2026-11-21')).toEqual({ from, to: '2026-11-21' });
  });

  it('are compared with as many days before, or with the same of last year', () => {
    const days = { from: '2024-02-20', to: '2024-02-29' };
    expect(comparedDays(days, 'previous_period')).toEqual({ from: '2024-02-10', to: '2024-02-19' });
    expect(comparedDays(days, 'previous_year')).toEqual({ from: '2023-02-20', to: '2023-02-28' });
  });
});
