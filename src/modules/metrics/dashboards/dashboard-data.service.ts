import { Injectable } from '@nestjs/common';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MetricReader } from '../aggregations/metric-reader.js';
import type { DashboardData, Shown, WidgetData } from './dashboard-data.schemas.js';
import { DashboardsService } from './dashboards.service.js';
import { comparedDays, type DayRange, daysOf } from './widget-range.js';
import type { MetricsConfig, Widget } from './widgets.schemas.js';

/** The figures of all widgets of a dashboard in one answer, as the caller may see them. Goals are read as goals. */
@Injectable()
export class DashboardDataService {
  constructor(
    private readonly database: Database,
    private readonly dashboards: DashboardsService,
    private readonly metrics: MetricReader,
  ) {}

  async get(clinicId: string, dashboardId: string): Promise<DashboardData> {
    const { widgets } = await this.dashboards.get(clinicId, dashboardId);
    const clinic = await this.database.first<{ today: string }>(getToday, [clinicId]);
    const today = clinic?.today ?? '';
    const data: WidgetData[] = [];
    for (const widget of widgets) {
      if (!('goalId' in widget.config)) data.push(await this.figures(clinicId, widget, widget.config, today));
    }
    return { today, data };
  }

  /** A metric that was deleted since takes its widget's figures, not those of the others. */
  private async figures(clinicId: string, widget: Widget, config: MetricsConfig, today: string): Promise<WidgetData> {
    const days = daysOf(config.range, today);
    try {
      const present = await this.shown(clinicId, config, days);
      const earlier = config.comparison ? comparedDays(days, config.comparison) : undefined;
      const compared = earlier ? await this.shown(clinicId, config, earlier) : null;
      return { widgetId: widget.id, present, compared, problem: null };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return { widgetId: widget.id, present: null, compared: null, problem: error.definition.code };
    }
  }

  private async shown(clinicId: string, config: MetricsConfig, { from, to }: DayRange): Promise<Shown> {
    const { metrics, granularity, providerId } = config;
    const totals = await this.metrics.totals({ clinicId, metrics, from, to, providerId });
    const series = await this.metrics.series({ clinicId, metrics, granularity, from, to, providerId });
    const totalOf = (code: string) => totals.find(({ metric }) => metric === code)?.value ?? null;
    return { from, to, series: series.map((each) => ({ ...each, total: totalOf(each.metric) })) };
  }
}

const getToday = `SELECT (now() AT TIME ZONE time_zone)::date::text AS today FROM public.clinics WHERE id = $1`;
