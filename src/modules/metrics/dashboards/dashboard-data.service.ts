import { Injectable } from '@nestjs/common';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MetricReader } from '../aggregations/metric-reader.js';
import { type Shown, WidgetData } from './dashboard-data.schemas.js';
import { DashboardsService } from './dashboards.service.js';
import { comparedDays, type DayRange, daysOf } from './widget-range.js';
import type { MetricsConfig } from './widgets.schemas.js';

interface FiguresWidget {
  id: string;
  config: MetricsConfig;
}

/** The figures of all widgets of a dashboard in one answer, as the caller may see them. Goals are read as goals. */
@Injectable()
export class DashboardDataService {
  constructor(
    private readonly database: Database,
    private readonly dashboards: DashboardsService,
    private readonly metrics: MetricReader,
  ) {}

  /**
   * Fifty widgets of twelve months by day, compared, are 18 MB: each is read when the client has taken the one before,
   * so that the memory holds one of each reader.
   */
  async get(clinicId: string, dashboardId: string): Promise<StreamedAnswer> {
    const { widgets } = await this.dashboards.get(clinicId, dashboardId);
    const clinic = await this.database.first<{ today: string }>(getToday, [clinicId]);
    if (!clinic) throw new NotFound();
    const shown = widgets.flatMap(({ id, config }) => ('goalId' in config ? [] : [{ id, config }]));
    const parts = this.parts(clinicId, shown, clinic.today);
    const stream = this.database.stream(parts, { objectMode: false });
    return { stream, contentType: 'application/json; charset=utf-8' };
  }

  private async *parts(clinicId: string, widgets: FiguresWidget[], today: string): AsyncGenerator<string> {
    yield `{"today":${JSON.stringify(today)},"data":[`;
    for (const [index, widget] of widgets.entries()) {
      const data = await this.database.separately(() => this.figures(clinicId, widget, today));
      yield `${index === 0 ? '' : ','}${JSON.stringify(WidgetData.parse(data))}`;
    }
    yield ']}';
  }

  /** A metric that was deleted since takes its widget's figures, not those of the others. */
  private async figures(clinicId: string, { id, config }: FiguresWidget, today: string): Promise<WidgetData> {
    const days = daysOf(config.range, today);
    try {
      const present = await this.shown(clinicId, config, days);
      const earlier = config.comparison ? comparedDays(days, config.comparison) : undefined;
      const compared = earlier ? await this.shown(clinicId, config, earlier) : null;
      return { widgetId: id, present, compared, problem: null };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return { widgetId: id, present: null, compared: null, problem: error.definition.code };
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
