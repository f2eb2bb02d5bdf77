import { createHash } from 'node:crypto';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { compare } from '../../src/modules/metrics/reports/comparison.js';
import { daysBetween, periodNamed, periodOn, shifted, yearBefore } from '../../src/modules/metrics/reports/period.js';
import { spansOf } from '../../src/modules/metrics/reports/report-spans.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;

beforeAll(async () => {
  service = await startService();
  clinicId = await firstClinicOf('northside');
  await fill();
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];

async function firstClinicOf(slug: string): Promise<string> {
  return (await service.call('GET', '/clinics', { token: await as('viewer', slug) })).body.data[0].id;
}
async function read(path: string, token?: string, clinic = clinicId): Promise<Answer> {
  return service.call('GET', `/clinics/${clinic}/reports/${path}`, { token: token ?? (await as('viewer')) });
}

/** A month of one practice and the same month of the year before, as facts; then rolled up as the worker does. */
async function fill(): Promise<void> {
  await service.database.sql(
    `INSERT INTO providers (clinic_id, name) VALUES ($1, '<script>alert("Dr. X")</script> & Söhne')`,
    [clinicId],
  );
  await service.database.sql(
    `WITH days AS (
       SELECT d::date AS date, y.factor FROM (VALUES (date '2026-02-01', 1.0), (date '2025-02-01', 0.5)) y (start, factor),
              generate_series(y.start, y.start + 58, '1 day') d WHERE extract(isodow FROM d) < 6),
     money AS (
       INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, provider_id)
       SELECT $1, d.date, t.type, t.amount * d.factor, p.id FROM days d, providers p,
              (VALUES ('production', 1000.25), ('collection', 900.10)) t (type, amount) WHERE p.clinic_id = $1)
     INSERT INTO appointment_metrics (clinic_id, date, provider_id, appointment_type, scheduled_count, completed_count, cancelled_count, no_show_count)
     SELECT $1, d.date, p.id, 'hygiene', 20, 16, 3, 1 FROM days d, providers p WHERE p.clinic_id = $1`,
    [clinicId],
  );
  await rollUp();
}
async function rollUp(): Promise<void> {
  await service.database.sql('SELECT app.roll_up_dirty_days(100)');
}
// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into freely, as a client would
const totalOf = (report: any, metric: string) =>
  report.totals.find((each: { metric: string }) => each.metric === metric);

describe('A report', () => {
  it('of a week adds up its days, against the week before and the same week of last year', async () => {
    const { status, headers, text } = await read('weekly/2026-W10');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    const report = JSON.parse(text);
    expect(report).toMatchObject({ from: '2026-03-02', to: '2026-03-08', partial: false, isEmpty: false });
    expect([report.previousPeriod.period, report.lastYear.period]).toEqual(['2026-W09', '2025-W10']);
    // Three providers, five days.
    expect(totalOf(report, 'production')).toMatchObject({
      name: 'Production',
      value: '15003.75',
      previousPeriod: { value: '15003.75', change: '0.00', changePercent: '0.0', verdict: 'same' },
      lastYear: { changePercent: '100.0', verdict: 'better' },
    });
    expect(totalOf(report, 'active_patients')).toMatchObject({
      value: null,
      previousPeriod: { value: null, change: null, changePercent: null, verdict: null },
    });
    expect(Number(totalOf(report, 'no_show_rate').value)).toBe(5);
  });

  it('of a month compares with the month before, and shows each provider and each day', async () => {
    const report = JSON.parse((await read('monthly/2026-03')).text);
    expect([report.title, report.previousPeriod.period, report.lastYear.period]).toEqual([
      'Monthly report March 2026',
      '2026-02',
      '2025-03',
    ]);
    expect(report.providers.rows).toHaveLength(3);
    expect(report.providers.columns.map(({ metric }: { metric: string }) => metric)).toEqual([
      'production',
      'collections',
      'completed_appointments',
      'no_show_rate',
    ]);
    const [daily, trend] = report.charts;
    expect([daily.labels.length, daily.series[0].values[1], daily.series[0].values[6]]).toEqual([31, '3000.75', null]);
    expect([trend.labels.length, trend.labels.at(-1)]).toEqual([12, 'Mar']);
    expect(trend.series[0].values.slice(-2)).toEqual(['60015.00', '66016.50']);
  });

  it('shows the goals that ran in the period, and how they stand', async () => {
    const token = await as('clinic_admin');
    const goal = { metric: 'production', timePeriod: 'monthly', startDate: '2026-03-01', targetValue: '60000' };
    const made = await service.call('POST', `/clinics/${clinicId}/goals`, { token, body: goal });
    expect(made.status).toBe(201);
    await rollUp();
    const { goals } = JSON.parse((await read('monthly/2026-03')).text);
    expect(goals).toMatchObject([
      { id: made.body.id, metric: 'production', target: '60000.00', endsOn: '2026-03-31', providerName: null },
    ]);
    expect(JSON.parse((await read('monthly/2026-02')).text).goals).toEqual([]);
    const page = await read('weekly/2026-W10?format=html');
    expect(page.text).toContain('<h2>Goals</h2>');
    expect(page.text).toContain('€60,000');
    expect((await read('weekly/2026-W10?format=pdf')).status).toBe(200);
  });

  it('adds up exactly to the facts, to the cent', async () => {
    const [row] = await service.database.sql<{ sum: string }>(
      `SELECT sum(amount)::text FROM financial_metrics WHERE clinic_id = $1 AND metric_type = 'collection'
          AND date BETWEEN '2026-03-01' AND '2026-03-31'`,
      [clinicId],
    );
    const report = JSON.parse((await read('monthly/2026-03')).text);
    expect(totalOf(report, 'collections').value).toBe(row?.sum);
  });

  it('of a period without figures says so, and shows no table of dashes', async () => {
    const report = JSON.parse((await read('monthly/2012-05')).text);
    expect([report.isEmpty, report.providers.rows]).toEqual([true, []]);
    const page = await read('monthly/2012-05?format=html');
    expect(page.text).toContain('No figures were recorded in this period.');
    expect(page.text).not.toContain('<table');
    expect((await read('monthly/2012-05?format=pdf')).text.slice(0, 5)).toBe('%PDF-');
  });

  it('of the present period is partial, and is compared with as many days', async () => {
    const today = await todayThere();
    const { name, from } = periodOn('monthly', today);
    const report = JSON.parse((await read(`monthly/${name}`)).text);
    const days = daysBetween(from, today).length;
    expect(report.partial).toBe(true);
    const { from: first, to: last } = report.previousPeriod;
    expect(daysBetween(first, last).length).toBe(Math.min(days, Number(periodOn('monthly', first).to.slice(8))));
    expect((await read(`monthly/${name}?format=html`)).text).toContain('partial');
  });

  it('of a period that has not begun is refused, and so is what names none', async () => {
    const next = shifted(periodOn('weekly', await todayThere()), 1).name;
    expect(outcome(await read(`weekly/${next}`))).toEqual([422, 'period-ahead']);
    for (const wrong of ['weekly/2025-W53', 'weekly/2026-W00', 'weekly/2026-10', 'monthly/2026-13', 'monthly/2026-W10'])
      expect(outcome(await read(wrong))).toEqual([400, 'invalid-request']);
    expect(outcome(await read('weekly/2026-W10?format=docx'))).toEqual([400, 'invalid-request']);
    expect(outcome(await read('weekly/2026-W10?clinic=x'))).toEqual([400, 'invalid-request']);
    expect(outcome(await read('daily/2026-03-01'))).toEqual([404, 'not-found']);
  });

  it('is for members of the clinic: to others it is not there, in any format', async () => {
    for (const format of ['json', 'html', 'pdf']) {
      const path = `weekly/2026-W10?format=${format}`;
      expect(outcome(await read(path, await as('clinic_admin', 'southbank')))).toEqual([404, 'not-found']);
      expect((await read(path, await as('owner'))).status).toBe(200);
      expect((await read(path, await service.tokenOf(demoAdmin))).status).toBe(200);
    }
  });

  async function todayThere(): Promise<string> {
    const [row] = await service.database.sql<{ today: string }>(
      'SELECT (now() AT TIME ZONE time_zone)::date::text AS today FROM clinics WHERE id = $1',
      [clinicId],
    );
    return row?.today ?? '';
  }
});

describe('The page of a report', () => {
  it('needs nothing else and may do nothing: no script, no address, and a policy that allows its one style sheet', async () => {
    const page = await read('weekly/2026-W10?format=html');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.text).not.toMatch(
      /<script|javascript:|<link|<img|<iframe|<object|\son\w+=|\sstyle=|@import|url\((?!#)/i,
    );
    expect(page.text.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:/);
    expect(page.text.match(/<style/g)).toHaveLength(1);
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(page.text) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(page.headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('writes names as text, whatever they hold', async () => {
    const { text } = await read('weekly/2026-W10?format=html');
    expect(text).toContain('&lt;script&gt;alert(&quot;Dr. X&quot;)&lt;/script&gt; &amp; Söhne');
    expect(text).not.toContain('alert("');
  });

  it('draws the charts, with figures in the clinic’s currency', async () => {
    const { text } = await read('monthly/2026-03?format=html');
    expect(text.match(/<svg [^>]*viewBox="0 0 (350|720) /g)).toHaveLength(3);
    expect(text).toContain('<td class="now">€66,017</td>');
    expect(text).toMatch(/<text[^>]*>€\d/);
    expect(text).toContain('(Europe/Berlin)');
  });
});

describe('The PDF of a report', () => {
  it('is a document of A4 pages with its fonts in it, under the name of clinic and period', async () => {
    const { status, headers, text } = await read('monthly/2026-03?format=pdf');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/pdf']);
    expect(headers.get('content-disposition')).toContain('filename="Northside Dental 2026-03.pdf"');
    expect(text.slice(0, 5)).toBe('%PDF-');
    expect(text.trimEnd().slice(-5)).toBe('%%EOF');
    expect(Number(/\/Type \/Pages\s+\/Count (\d+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(1);
    expect(text).toContain('/MediaBox [0 0 595.28 841.89]');
    expect(text).toContain('/FontFile2');
  });

  it('is made for a clinic of any name, whatever script it is written in', async () => {
    const { body: clinic } = await service.call('GET', `/clinics/${clinicId}`, { token: await as('owner') });
    for (const name of ['東京歯科 医院', 'Стоматология', 'عيادة الأسنان', 'Zahn 🦷 & <b>Söhne</b>', '\\'.repeat(200)]) {
      await service.call('PATCH', `/clinics/${clinicId}`, { token: await as('owner'), body: { name } });
      for (const format of ['pdf', 'html'])
        expect([name, (await read(`weekly/2026-W10?format=${format}`)).status]).toEqual([name, 200]);
    }
    await service.call('PATCH', `/clinics/${clinicId}`, { token: await as('owner'), body: { name: clinic.name } });
  });

  it('is made for many at once', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, () => read('monthly/2026-03?format=pdf')));
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 200));
  });
});

describe('Periods', () => {
  it('are ISO weeks, which begin on Monday and belong to the year of their Thursday', () => {
    expect(periodNamed('weekly', '2026-W01')).toMatchObject({ from: '2025-12-29', to: '2026-01-04' });
    expect(periodNamed('weekly', '2026-W53')).toMatchObject({ from: '2026-12-28', to: '2027-01-03' });
    expect(periodNamed('weekly', '2025-W53')).toBeUndefined();
    expect(periodOn('weekly', '2027-01-03').name).toBe('2026-W53');
    expect(periodOn('monthly', '2024-02-10')).toMatchObject({ from: '2024-02-01', to: '2024-02-29' });
  });

  it('come one after the other without a gap, and every day is in one of its name', () => {
    for (const kind of ['weekly', 'monthly'] as const) {
      let period = periodOn(kind, '1999-12-31');
      for (let step = 0; step < 700; step += 1) {
        const next = shifted(period, 1);
        expect(daysBetween(period.to, next.from)).toHaveLength(2);
        expect(periodNamed(kind, next.name)).toEqual(next);
        expect(shifted(next, -1)).toEqual(period);
        period = next;
      }
    }
  });

  it('have one a year before: the month of the same number, the week 52 weeks earlier', () => {
    const yearEarlier = (kind: 'weekly' | 'monthly', name: string) => {
      const period = periodNamed(kind, name);
      return period && yearBefore(period).name;
    };
    expect(yearEarlier('weekly', '2026-W47')).toBe('2025-W47');
    expect(yearEarlier('weekly', '2026-W53')).toBe('2026-W01');
    expect(yearEarlier('weekly', '2027-W10')).toBe('2026-W11');
    expect(yearEarlier('monthly', '2024-02')).toBe('2023-02');
  });

  it('that are not over are compared with their first days, and with none of the next period', () => {
    const march = periodNamed('monthly', '2026-03');
    if (!march) throw new Error('March is a month.');
    expect(spansOf(march, '2026-03-10')).toMatchObject({
      isPartial: true,
      previous: { from: '2026-02-01', to: '2026-02-10' },
      lastYear: { from: '2025-03-01', to: '2025-03-10' },
    });
    expect(spansOf(march, '2026-03-30').previous).toMatchObject({ to: '2026-02-28' });
    expect(spansOf(march, '2026-04-01')).toMatchObject({ isPartial: false, previous: { to: '2026-02-28' } });
  });
});

describe('A comparison', () => {
  it('is exact, of amounts that no floating point number holds', () => {
    expect(compare('production', '9007199254740993.01', '9007199254740992.02')).toMatchObject({ change: '0.99' });
    expect(compare('production', '0.3', '0.1')).toMatchObject({ change: '0.2', changePercent: '200.0' });
    expect(compare('production', '100', '-50.5')).toMatchObject({ change: '150.5', changePercent: '298.0' });
  });

  it('knows what is good: of no-shows and refunds, less', () => {
    expect(compare('production', '1', '2').verdict).toBe('worse');
    expect(compare('no_show_rate', '1', '2').verdict).toBe('better');
    expect(compare('refunds', '2', '1').verdict).toBe('worse');
    expect(compare('production', '1.0', '1').verdict).toBe('same');
    expect(compare('average_call_duration', '2', '1').verdict).toBeNull();
  });

  it('that would be written as nothing is neither good nor bad', () => {
    expect(compare('collection_rate', '90.0004', '90')).toMatchObject({ change: '0.0004', verdict: 'same' });
    expect(compare('collection_rate', '89.9', '90')).toMatchObject({ change: '-0.1', verdict: 'worse' });
  });

  it('is null where there is nothing to compare with, and in percent where it was nothing', () => {
    expect(compare('production', '5', null)).toEqual({ value: null, change: null, changePercent: null, verdict: null });
    expect(compare('production', null, '5')).toEqual({ value: '5', change: null, changePercent: null, verdict: null });
    expect(compare('production', '5', '0')).toMatchObject({ change: '5', changePercent: null, verdict: 'better' });
  });
});
