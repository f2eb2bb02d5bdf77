import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { UnknownMetric } from './aggregations.errors.js';
import { selectSeries, selectTotals, selectTotalsByClinic, selectTotalsByProvider } from './metric-statements.js';
import { type Granularity, type Period, periodOf, periodsBetween } from './periods.js';

export type DataType = 'currency' | 'integer' | 'percentage' | 'duration' | 'decimal';

/** Values are decimal strings with the places of their data type: two, four for `decimal`, none for `integer`. */
export interface MetricPoint {
  periodStart: string;
  periodEnd: string;
  /** The period has not ended in the time zone of the clinic. */
  partial: boolean;
  /** Null where no fact says anything. */
  value: string | null;
  /** Of the facts that went in; null for a formula, which has none of its own. */
  count: number | null;
  minimum: string | null;
  maximum: string | null;
  average: string | null;
  standardDeviation: string | null;
}

export interface MetricSeries {
  metric: string;
  name: string;
  dataType: DataType;
  points: MetricPoint[];
}

export interface MetricTotal {
  metric: string;
  name: string;
  dataType: DataType;
  value: string | null;
}

export interface ProviderTotals {
  providerId: string;
  providerName: string;
  totals: MetricTotal[];
}

export interface ClinicTotals {
  clinicId: string;
  name: string;
  currency: string;
  totals: MetricTotal[];
}

/** How fresh roll-ups and definitions are, and which day it is at the clinic. */
export interface Freshness {
  currency: string;
  today: string;
  updatedAt: Date;
}

export interface SeriesQuery {
  clinicId: string;
  /** Codes; the answer has one series for each, in this order. */
  metrics: readonly string[];
  granularity: Granularity;
  from: string;
  to: string;
  /** One provider; the whole clinic without. */
  providerId?: string | null | undefined;
}

export interface TotalsQuery {
  clinicId: string;
  metrics: readonly string[];
  from: string;
  to: string;
  providerId?: string | null | undefined;
}

/** More periods of a metric than these are no answer but an export. */
export const maximumPeriods = 1_100;

/**
 * The roll-ups as everybody reads them: under the caller's policies, formulas worked out from the roll-ups of their
 * parts. A code that is not known is refused, not left out.
 */
@Injectable()
export class MetricReader {
  constructor(private readonly database: Database) {}

  /** One point for each period of the range, also where nothing is known. @throws UnknownMetric */
  async series(query: SeriesQuery): Promise<MetricSeries[]> {
    const { series } = await this.seriesWithFreshness(query);
    return series;
  }

  async seriesWithFreshness(query: SeriesQuery): Promise<{ series: MetricSeries[]; freshness: Freshness }> {
    const { clinicId, metrics, granularity, from, to, providerId = null } = query;
    const range = [periodOf(granularity, from).start, periodOf(granularity, to).end];
    const values = [clinicId, metrics, granularity, ...range, providerId];
    const rows = await this.database.query<PointRow>(selectSeries(granularity), values);
    assertKnown(rows);
    const { today, currency, updatedAt } = rows[0] ?? { today: '', currency: '', updatedAt: new Date(0) };
    const freshness = { today, currency, updatedAt };
    const periods = periodsBetween(granularity, from, to, maximumPeriods);
    return { series: toSeries(rows, periods, freshness.today), freshness };
  }

  /** Over any days, from the daily roll-ups. @throws UnknownMetric */
  async totals(query: TotalsQuery): Promise<MetricTotal[]> {
    const { clinicId, metrics, from, to, providerId = null } = query;
    const rows = await this.database.query<TotalRow>(selectTotals, [clinicId, metrics, from, to, providerId]);
    assertKnown(rows);
    return rows.map(({ metric, name, dataType, value }) => ({ metric, name, dataType, value }));
  }

  /** Of each provider of the clinic, by name, those without facts included. @throws UnknownMetric */
  async totalsByProvider({ clinicId, metrics, from, to }: Omit<TotalsQuery, 'providerId'>): Promise<ProviderTotals[]> {
    const rows = await this.database.query<TotalRow & { providerId: string; providerName: string }>(
      selectTotalsByProvider,
      [clinicId, metrics, from, to],
    );
    assertKnown(rows);
    return grouped(
      rows,
      ({ providerId }) => providerId,
      ({ providerId, providerName }) => ({ providerId, providerName, totals: [] }),
    );
  }

  /** Of several clinics side by side, each with what it knows of these codes. @throws UnknownMetric for what none knows */
  async totalsByClinic(clinicIds: readonly string[], query: Omit<TotalsQuery, 'clinicId'>): Promise<ClinicTotals[]> {
    const { metrics, from, to } = query;
    const rows = await this.database.query<TotalRow & ClinicTotals & { clinicName: string }>(selectTotalsByClinic, [
      clinicIds,
      metrics,
      from,
      to,
    ]);
    const known = new Set(rows.filter(({ dataType }) => dataType !== null).map(({ metric }) => metric));
    assertKnown(rows.filter(({ metric }) => !known.has(metric)));
    return grouped(
      rows,
      ({ clinicId }) => clinicId,
      ({ clinicId, clinicName, currency }) => ({ clinicId, name: clinicName, currency, totals: [] }),
    );
  }
}

/** One thing for each key, with the totals of all its rows. */
function grouped<Row extends TotalRow, Group extends { totals: MetricTotal[] }>(
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  start: (row: Row) => Group,
): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const group = groups.get(keyOf(row)) ?? start(row);
    const { metric, name, dataType, value } = row;
    if (dataType !== null) group.totals.push({ metric, name, dataType, value });
    groups.set(keyOf(row), group);
  }
  return [...groups.values()];
}

interface DefinitionRow {
  metric: string;
  name: string;
  /** Null where the code is not known, which `assertKnown` refuses. */
  dataType: DataType;
}

interface PointRow extends DefinitionRow, Omit<MetricPoint, 'periodStart' | 'partial'> {
  /** Null in the one row of a metric without roll-ups. */
  periodStart: string | null;
  today: string;
  currency: string;
  updatedAt: Date;
}

interface TotalRow extends DefinitionRow {
  value: string | null;
}

function assertKnown(rows: readonly DefinitionRow[]): void {
  const unknown = [...new Set(rows.filter(({ dataType }) => dataType === null).map(({ metric }) => metric))];
  if (unknown.length === 0) return;
  const errors = unknown.map((code) => ({
    path: 'metrics',
    code: 'unknown-metric',
    message: `There is no metric '${code}' here.`,
  }));
  throw new UnknownMetric(undefined, { errors });
}

function toSeries(rows: readonly PointRow[], periods: readonly Period[], today: string): MetricSeries[] {
  const series = new Map<string, MetricSeries & { known: Map<string, PointRow> }>();
  for (const row of rows) {
    const { metric, name, dataType, periodStart } = row;
    const one = series.get(metric) ?? { metric, name, dataType, points: [], known: new Map<string, PointRow>() };
    if (periodStart !== null) one.known.set(periodStart, row);
    series.set(metric, one);
  }
  return [...series.values()].map(({ metric, name, dataType, known }) => ({
    metric,
    name,
    dataType,
    points: periods.map((period) => toPoint(period, known.get(period.start), today)),
  }));
}

function toPoint({ start, end }: Period, row: PointRow | undefined, today: string): MetricPoint {
  return {
    periodStart: start,
    periodEnd: end,
    partial: end >= today,
    value: row?.value ?? null,
    count: row?.count ?? null,
    minimum: row?.minimum ?? null,
    maximum: row?.maximum ?? null,
    average: row?.average ?? null,
    standardDeviation: row?.standardDeviation ?? null,
  };
}
