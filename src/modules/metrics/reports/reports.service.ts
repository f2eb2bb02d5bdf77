import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MetricReader, type MetricTotal } from '../aggregations/metric-reader.js';
import { GoalsReader } from '../goals/goals-reader.js';
import { chartsOf } from './chart-data.js';
import { compare } from './comparison.js';
import { type Period, periodNamed, type ReportKind } from './period.js';
import { groups, providerMetrics, reportedMetrics } from './report-metrics.js';
import { type Span, type Spans, spansOf } from './report-spans.js';
import { reportedGoal } from './reported-goal.js';
import { PeriodAhead } from './reports.errors.js';
import type { Report, Total } from './reports.schemas.js';

interface Clinic {
  id: string;
  name: string;
  location: string | null;
  timeZone: string;
  currency: string;
  /** The clinic's present day. */
  today: string;
}

/** Makes the report of a clinic for a week or a month, as the caller: what they may not see is not in it. */
@Injectable()
export class ReportsService {
  constructor(
    private readonly database: Database,
    private readonly metrics: MetricReader,
    private readonly goals: GoalsReader,
  ) {}

  /** @throws NotFound for a clinic that is not the caller's, PeriodAhead */
  async make(clinicId: string, kind: ReportKind, name: string): Promise<Report> {
    const { today, ...clinic } = await this.clinicOf(clinicId);
    const period = periodNamed(kind, name);
    if (!period) throw new NotFound();
    if (period.from > today) throw new PeriodAhead(`In ${clinic.timeZone} it is ${today}.`);
    const spans = spansOf(period, today);
    const totals = await this.totals(clinicId, spans);
    return {
      ...heading(period, spans),
      clinic,
      generatedAt: new Date(),
      isEmpty: totals.every(({ value }) => value === null),
      totals,
      goals: (await this.goals.forPeriod(clinicId, period.from, period.to)).map(reportedGoal),
      providers: await this.providers(clinicId, spans.present),
      charts: await chartsOf(this.metrics, clinicId, period),
    };
  }

  private async clinicOf(clinicId: string): Promise<Clinic> {
    const clinic = await this.database.first<Clinic>(getClinic, [clinicId]);
    if (!clinic) throw new NotFound();
    return clinic;
  }

  private async totals(clinicId: string, spans: Spans): Promise<Total[]> {
    const present = await this.totalsOf(clinicId, spans.present);
    const previous = await this.totalsOf(clinicId, spans.previous);
    const lastYear = await this.totalsOf(clinicId, spans.lastYear);
    return groups.flatMap(([group, metrics]) =>
      metrics.flatMap((metric) => {
        const now = present.get(metric);
        if (!now) return [];
        const { name, dataType, value } = now;
        return {
          ...{ metric, name, group, dataType, value },
          previousPeriod: compare(metric, value, previous.get(metric)?.value ?? null),
          lastYear: compare(metric, value, lastYear.get(metric)?.value ?? null),
        };
      }),
    );
  }

  private async totalsOf(clinicId: string, { from, to }: Span): Promise<Map<string, MetricTotal>> {
    const totals = await this.metrics.totals({ clinicId, metrics: reportedMetrics, from, to });
    return new Map(totals.map((total) => [total.metric, total]));
  }

  /** Those who have any figure in the period; the columns of which nobody has one are left out. */
  private async providers(clinicId: string, { from, to }: Span): Promise<Report['providers']> {
    const all = await this.metrics.totalsByProvider({ clinicId, metrics: providerMetrics, from, to });
    const rows = all.filter(({ totals }) => totals.some(({ value }) => value !== null));
    const isUsed = (code: string) =>
      rows.some(({ totals }) => totals.some((each) => each.metric === code && each.value !== null));
    const columns = (rows[0]?.totals ?? []).filter(({ metric }) => isUsed(metric));
    return {
      columns: columns.map(({ metric, name, dataType }) => ({ metric, name, dataType })),
      rows: rows.map(({ providerId, providerName, totals }) => ({
        providerId,
        name: providerName,
        values: totals.filter(({ metric }) => isUsed(metric)).map(({ metric, value }) => ({ metric, value })),
      })),
    };
  }
}

const monthAndYear = new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' });

function heading({ kind, name, from, to }: Period, { previous, lastYear, isPartial }: Spans) {
  const title = kind === 'weekly' ? `Weekly report ${name}` : `Monthly report ${monthAndYear.format(Date.parse(from))}`;
  return { kind, period: name, title, from, to, partial: isPartial, previousPeriod: previous, lastYear };
}

const getClinic = `
  SELECT id, name, location, time_zone, currency, (now() AT TIME ZONE time_zone)::date::text AS today
    FROM public.clinics WHERE id = $1`;
