import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { UnknownMetric } from './aggregations.errors.js';
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
    const first = periodOf(granularity, from).start;
    const values = [clinicId, metrics, granularity, first, to, providerId];
    const rows = await this.database.query<PointRow>(selectSeries, values);
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

/** The definitions asked for, in order, and the base metrics that they are made of. */
const requested = `
  requested AS (
    SELECT r.position, r.code, d.name, d.data_type, d.is_composite, coalesce(d.postfix, ARRAY[d.code]) AS postfix, d.updated_at,
           CASE d.data_type WHEN 'integer' THEN 0 WHEN 'decimal' THEN 4 ELSE 2 END AS places
      FROM unnest($2::text[]) WITH ORDINALITY AS r (code, position)
      LEFT JOIN public.metric_definitions d ON d.code = r.code AND (d.is_system OR d.clinic_id = $1)
  ), parts AS (
    SELECT DISTINCT d.id, d.code, d.behaviour
      FROM requested r CROSS JOIN LATERAL unnest(r.postfix) AS part
      JOIN public.metric_definitions d ON d.code = part AND d.is_system
  )`;

const selectSeries = `
  WITH ${requested}, rolled AS MATERIALIZED (
    SELECT p.code, a.period_start, a.period_end, a.value, a.count, a.minimum, a.maximum, a.average, a.standard_deviation
      FROM parts p
      JOIN public.metric_aggregations a ON a.clinic_id = $1 AND a.aggregation_type = $3 AND a.metric_definition_id = p.id
       AND a.period_start BETWEEN $4 AND $5 AND a.provider_id IS NOT DISTINCT FROM $6::uuid
  ), worked_out AS (
    SELECT r.code, k.period_start, app.evaluate_postfix(r.postfix, k.parts) AS value
      FROM requested r
      CROSS JOIN (SELECT period_start, jsonb_object_agg(code, value) AS parts FROM rolled GROUP BY period_start) k
     WHERE r.is_composite
  ), points AS (
    SELECT code, period_start, value, count, minimum, maximum, average, standard_deviation FROM rolled
    UNION ALL
    SELECT code, period_start, value, NULL, NULL, NULL, NULL, NULL FROM worked_out
  )
  SELECT r.code AS metric, r.name, r.data_type, p.period_start::text, round(p.value, r.places)::text AS value, p.count,
         round(p.minimum, r.places)::text AS minimum, round(p.maximum, r.places)::text AS maximum,
         round(p.average::numeric, 4)::text AS average, round(p.standard_deviation::numeric, 4)::text AS standard_deviation,
         clinic.today, clinic.currency,
         (SELECT greatest(max(s.rolled_up_at), max(d.updated_at)) FROM requested d
            LEFT JOIN public.roll_up_states s ON s.clinic_id = $1) AS updated_at
    FROM requested r
    LEFT JOIN points p ON p.code = r.code
    LEFT JOIN (SELECT (now() AT TIME ZONE c.time_zone)::date::text AS today, c.currency
                 FROM public.clinics c WHERE c.id = $1) clinic ON true
   ORDER BY r.position, p.period_start`;

const value = `
  round(CASE WHEN r.is_composite THEN app.evaluate_postfix(r.postfix, k.parts) ELSE (k.parts ->> r.code)::numeric END,
        r.places)::text AS value`;

const sums = `
    SELECT a.provider_id, p.code,
           CASE p.behaviour WHEN 'last' THEN (array_agg(a.value ORDER BY a.period_start DESC))[1]
             WHEN 'mean' THEN sum(a.value * a.weight) / sum(a.weight) ELSE sum(a.value) END AS value
      FROM parts p
      JOIN public.metric_aggregations a ON a.clinic_id = $1 AND a.aggregation_type = 'daily' AND a.metric_definition_id = p.id
       AND a.period_start BETWEEN $3 AND $4`;

const selectTotals = `
  WITH ${requested}, sums AS (${sums} AND a.provider_id IS NOT DISTINCT FROM $5::uuid
     GROUP BY a.provider_id, p.code, p.behaviour
  ), known AS (
    SELECT coalesce(jsonb_object_agg(code, value), '{}') AS parts FROM sums
  )
  SELECT r.code AS metric, r.name, r.data_type, ${value} FROM requested r CROSS JOIN known k ORDER BY r.position`;

const selectTotalsByProvider = `
  WITH ${requested}, sums AS (${sums} AND a.provider_id IS NOT NULL
     GROUP BY a.provider_id, p.code, p.behaviour
  ), known AS (
    SELECT provider_id, jsonb_object_agg(code, value) AS parts FROM sums GROUP BY provider_id
  )
  SELECT v.id AS provider_id, v.name AS provider_name, r.code AS metric, r.name, r.data_type, ${value}
    FROM requested r
    CROSS JOIN public.providers v
    LEFT JOIN known k ON k.provider_id = v.id
   WHERE v.clinic_id = $1
   ORDER BY v.name, v.id, r.position`;

const selectTotalsByClinic = `
  SELECT c.id AS clinic_id, c.name AS clinic_name, c.currency, r.code AS metric, d.name, d.data_type,
         round(v.value, CASE d.data_type WHEN 'integer' THEN 0 WHEN 'decimal' THEN 4 ELSE 2 END)::text AS value
    FROM public.clinics c
    CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS r (code, position)
    LEFT JOIN public.metric_definitions d ON d.code = r.code AND (d.is_system OR d.clinic_id = c.id)
    LEFT JOIN LATERAL app.metric_values(c.id, NULL, $2, $3, $4) v ON v.code = r.code
   WHERE c.id = ANY ($1::uuid[])
   ORDER BY c.name, c.id, r.position`;
