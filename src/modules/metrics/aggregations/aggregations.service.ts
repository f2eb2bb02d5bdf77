import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MembershipsService } from '../../clinics/memberships.service.js';
import { RangeTooLong } from './aggregations.errors.js';
import type {
  Aggregations,
  AggregationsQuery,
  Overview,
  OverviewQuery,
  Performance,
  PerformanceQuery,
} from './aggregations.schemas.js';
import {
  type MetricPoint,
  MetricReader,
  type MetricSeries,
  type MetricTotal,
  maximumPeriods,
  type SeriesQuery,
} from './metric-reader.js';
import { comparedPeriods, type Granularity, type Period, periodsBetween } from './periods.js';

const overviewMetrics = [
  'production',
  'collections',
  'collection_rate',
  'appointments',
  'no_show_rate',
  'new_patients',
];
const providerMetrics = [
  'production',
  'collections',
  'appointments',
  'completed_appointments',
  'completion_rate',
  'no_show_rate',
  'utilization',
];

@Injectable()
export class AggregationsService {
  constructor(
    private readonly database: Database,
    private readonly reader: MetricReader,
    private readonly memberships: MembershipsService,
  ) {}

  async list(clinicId: string, query: AggregationsQuery): Promise<Aggregations> {
    const { metrics, granularity, from, to, provider, compare } = query;
    const periods = countedPeriods(granularity, from, to);
    if (provider !== undefined) await this.requireProvider(clinicId, provider);
    const asked = { clinicId, metrics, granularity, providerId: provider };
    const { series, freshness } = await this.reader.seriesWithFreshness({ ...asked, from, to });
    const compared = compare && comparedPeriods(granularity, periods, compare);
    const earlier = compared && (await this.earlierSeries(asked, compared));
    return {
      granularity,
      ...freshness,
      metrics: series.map((one, index) => ({
        ...one,
        points: besideEarlier(one.points, compared ?? [], earlier?.[index]?.points ?? []),
      })),
    };
  }

  /** A clinic's own metric stands beside its own clinic alone; a code that none of them knows is refused. */
  async overview({ metrics = overviewMetrics, from, to }: OverviewQuery): Promise<Overview> {
    const clinics = await this.memberships.clinicsOfCaller();
    return {
      clinics: await this.reader.totalsByClinic(
        clinics.map(({ id }) => id),
        { metrics, from, to },
      ),
    };
  }

  async performance(clinicId: string, providerId: string, query: PerformanceQuery): Promise<Performance> {
    const { from, to, granularity } = query;
    countedPeriods(granularity, from, to);
    const name = await this.requireProvider(clinicId, providerId);
    const asked = { clinicId, metrics: providerMetrics, from, to };
    const own = await this.reader.totals({ ...asked, providerId });
    const all = await this.reader.totals(asked);
    const series = await this.reader.series({ ...asked, granularity, providerId });
    return {
      providerId,
      name,
      totals: own.map((total, index) => besideClinic(total, all[index]?.value ?? null)),
      series: series.map(({ metric, points }) => ({ metric, points })),
    };
  }

  private async earlierSeries(
    asked: Omit<SeriesQuery, 'from' | 'to'>,
    periods: readonly Period[],
  ): Promise<MetricSeries[]> {
    const from = periods[0]?.start ?? '';
    return this.reader.series({ ...asked, from, to: periods.at(-1)?.end ?? from });
  }

  private async requireProvider(clinicId: string, providerId: string): Promise<string> {
    const row = await this.database.first<{ name: string }>(selectProvider, [clinicId, providerId]);
    if (!row) throw new NotFound();
    return row.name;
  }
}

const selectProvider = 'SELECT name FROM public.providers WHERE clinic_id = $1 AND id = $2';

function countedPeriods(granularity: Granularity, from: string, to: string): Period[] {
  const periods = periodsBetween(granularity, from, to, maximumPeriods);
  if (periods.length > maximumPeriods) throw new RangeTooLong();
  return periods;
}

/** By their days and not by their places: of two years that are compared, one may have a day more. */
function besideEarlier(points: readonly MetricPoint[], compared: readonly Period[], earlier: readonly MetricPoint[]) {
  const byStart = new Map(earlier.map((point) => [point.periodStart, point]));
  return points.map((point, index) => {
    const other = byStart.get(compared[index]?.start ?? '');
    if (!other) return { ...point, compared: null };
    const { periodStart, periodEnd, value } = other;
    return { ...point, compared: { periodStart, periodEnd, value, changePercent: change(value, point.value) } };
  });
}

function besideClinic(total: MetricTotal, clinicValue: string | null): Performance['totals'][number] {
  const isPart = total.dataType === 'currency' || total.dataType === 'integer';
  return { ...total, clinicValue, sharePercent: isPart ? percent(total.value, clinicValue) : null };
}

function change(before: string | null, now: string | null): string | null {
  if (before === null || now === null || Number(before) === 0) return null;
  return (((Number(now) - Number(before)) / Math.abs(Number(before))) * 100).toFixed(1);
}

function percent(part: string | null, whole: string | null): string | null {
  if (part === null || whole === null || Number(whole) === 0) return null;
  return ((Number(part) / Number(whole)) * 100).toFixed(1);
}
