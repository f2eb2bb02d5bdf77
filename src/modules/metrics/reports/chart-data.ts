import type { MetricReader } from '../aggregations/metric-reader.js';
import { daysBetween, type Period, shifted } from './period.js';
import { chartPlans } from './report-metrics.js';
import type { Chart } from './reports.schemas.js';

type Series = Awaited<ReturnType<MetricReader['series']>>;

const trendLength = 12;

/** The series of all charts of a report, in two questions: by day of the period, and by period up to it. */
export async function chartsOf(metrics: MetricReader, clinicId: string, period: Period): Promise<Chart[]> {
  const first = shifted(period, 1 - trendLength);
  const codesOf = (of: 'days' | 'periods') => [
    ...new Set(chartPlans.filter((plan) => plan.of === of).flatMap((plan) => plan.metrics.map(({ metric }) => metric))),
  ];
  const { from, to } = period;
  const days = await metrics.series({ clinicId, metrics: codesOf('days'), granularity: 'daily', from, to });
  const trend = { clinicId, metrics: codesOf('periods'), granularity: period.kind, from: first.from, to };
  const periods = await metrics.series(trend);
  const starts = Array.from({ length: trendLength }, (_, index) => shifted(first, index));
  return chartPlans.map((plan) =>
    plan.of === 'days'
      ? chartOf(plan, period, days, dayLabels(period))
      : chartOf(plan, period, periods, new Map(starts.map((each) => [each.from, periodLabel(each)]))),
  );
}

function chartOf(
  plan: (typeof chartPlans)[number],
  { kind }: Period,
  series: Series,
  labels: ReadonlyMap<string, string>,
): Chart {
  const lines = plan.metrics.flatMap(({ metric, name }) => {
    const found = series.find((each) => each.metric === metric);
    if (!found) return [];
    const values = new Map(found.points.map(({ periodStart, value }) => [periodStart, value]));
    const line = { metric, name: name ?? found.name, values: [...labels.keys()].map((day) => values.get(day) ?? null) };
    return [{ line, dataType: found.dataType }];
  });
  return {
    id: plan.id,
    title: plan.title[kind],
    shape: plan.shape,
    dataType: lines[0]?.dataType ?? 'decimal',
    labels: [...labels.values()],
    series: lines.map(({ line }) => line),
  };
}

const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', timeZone: 'UTC' });
const month = new Intl.DateTimeFormat('en-GB', { month: 'short', timeZone: 'UTC' });

/** `Mon 16` in a week; the day's number in a month, where there are many. */
function dayLabels({ kind, from, to }: Period): Map<string, string> {
  return new Map(
    daysBetween(from, to).map((day) => [
      day,
      kind === 'weekly' ? weekday.format(Date.parse(day)) : String(Number(day.slice(8))),
    ]),
  );
}

function periodLabel({ kind, name, from }: Period): string {
  return kind === 'weekly' ? name.slice(5) : month.format(Date.parse(from));
}
