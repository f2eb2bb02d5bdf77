import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import type { FieldError } from '../../../kernel/errors/domain-error.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound, UnknownReference } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { UnknownMetric } from '../aggregations/aggregations.errors.js';
import { MetricReader } from '../aggregations/metric-reader.js';
import { TooManyWidgets } from './dashboards.errors.js';
import { DashboardsService } from './dashboards.service.js';
import type { NewWidget, Widget, WidgetChanges, WidgetConfig, Widgets } from './widgets.schemas.js';

const mostOfADashboard = 50;
const columns = 'id, dashboard_id, kind, title, config, created_at, updated_at';

/** What a dashboard shows. Each change locks the dashboard first, and shows in its ETag. */
@Injectable()
export class WidgetsService {
  constructor(
    private readonly database: Database,
    private readonly dashboards: DashboardsService,
    private readonly metrics: MetricReader,
  ) {}

  async list(clinicId: string, dashboardId: string): Promise<Widgets> {
    const { widgets } = await this.dashboards.get(clinicId, dashboardId);
    return { data: widgets };
  }

  async get(clinicId: string, dashboardId: string, widgetId: string): Promise<Widget> {
    const row = await this.database.first<Widget>(getWidget, [clinicId, dashboardId, widgetId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** @throws NotFound, NotYourDashboard, TooManyWidgets, UnknownReference */
  async create(clinicId: string, dashboardId: string, { kind, title, config }: NewWidget): Promise<Widget> {
    await this.dashboards.lockOwn(clinicId, dashboardId);
    await this.refuseMisfit(clinicId, kind, config);
    const values = [clinicId, dashboardId, kind, title, config, mostOfADashboard];
    const [row] = await this.database.query<Widget>(insertWidget, values);
    if (!row) throw new TooManyWidgets();
    await this.database.query(touchDashboard, [clinicId, dashboardId]);
    return row;
  }

  /** @throws NotFound, NotYourDashboard, PreconditionFailed, UnknownReference */
  async change(
    path: { clinicId: string; dashboardId: string; widgetId: string },
    changes: WidgetChanges,
    ifMatch?: string,
  ): Promise<Widget> {
    const { clinicId, dashboardId, widgetId } = path;
    await this.dashboards.lockOwn(clinicId, dashboardId);
    const present = await this.get(clinicId, dashboardId, widgetId);
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    // One whose metric is gone since can still be given another title.
    if (changes.kind || changes.config)
      await this.refuseMisfit(clinicId, changes.kind ?? present.kind, changes.config ?? present.config);
    const update = partialUpdate({
      table: 'public.widgets',
      where: { clinic_id: clinicId, id: widgetId },
      changes,
      columns: { kind: 'kind', title: 'title', config: 'config' },
      returning: columns,
    });
    if (!update) return present;
    const [row] = await this.database.query<Widget>(update.text, update.values);
    await this.database.query(touchDashboard, [clinicId, dashboardId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** Its place in the layout goes with it. */
  async remove(clinicId: string, dashboardId: string, widgetId: string): Promise<void> {
    await this.dashboards.lockOwn(clinicId, dashboardId);
    const [removed] = await this.database.query(deleteWidget, [clinicId, dashboardId, widgetId]);
    if (!removed) throw new NotFound();
    await this.database.query(endPlacement, [clinicId, dashboardId, widgetId]);
  }

  /** What shows nothing, or another clinic's, is refused when it is saved, not found out later. @throws UnknownMetric */
  private async refuseMisfit(clinicId: string, kind: string, config: WidgetConfig): Promise<void> {
    const isOfGoal = 'goalId' in config;
    if (isOfGoal !== (kind === 'goal'))
      throw misfit('config', 'Widgets of the kind `goal` name a goal, others name metrics.');
    if (isOfGoal) return this.refuseUnknownGoal(clinicId, config.goalId);
    await this.metrics.totals({ clinicId, metrics: config.metrics, ...anyDay }).catch(withinConfig);
    if (!config.providerId) return;
    const provider = await this.database.first(getProvider, [clinicId, config.providerId]);
    if (!provider) throw misfit('config.providerId', 'The clinic has no provider of this id.');
  }

  private async refuseUnknownGoal(clinicId: string, goalId: string): Promise<void> {
    const goal = await this.database.first(getGoal, [clinicId, goalId]);
    if (!goal) throw misfit('config.goalId', 'The clinic has no goal of this id.');
  }
}

/** Which day is all the same: it is asked for what the reader refuses, a code that it does not know. */
const anyDay = { from: '2026-01-01', to: '2026-01-01' };

/** The reader names the parameter as its own route has it. */
function withinConfig(error: unknown): never {
  if (!(error instanceof UnknownMetric)) throw error;
  const errors = error.errors?.map((each) => ({ ...each, path: `config.${each.path}` }));
  throw new UnknownMetric(undefined, { ...(errors && { errors }) });
}

function misfit(path: string, message: string): InstanceType<typeof UnknownReference> {
  const error: FieldError = { path, code: 'unknown-reference', message };
  return new UnknownReference(undefined, { errors: [error] });
}

const getWidget = `SELECT ${columns} FROM public.widgets WHERE clinic_id = $1 AND dashboard_id = $2 AND id = $3`;

/** The dashboard is locked, so the count holds. */
const insertWidget = `
  INSERT INTO public.widgets (clinic_id, dashboard_id, kind, title, config)
  SELECT $1, $2, $3, $4, $5::jsonb
   WHERE (SELECT count(*) FROM public.widgets WHERE clinic_id = $1 AND dashboard_id = $2) < $6
  RETURNING ${columns}`;

const deleteWidget = 'DELETE FROM public.widgets WHERE clinic_id = $1 AND dashboard_id = $2 AND id = $3 RETURNING id';

/** The trigger sets `updated_at`, of which the ETag is made. */
const touchDashboard = 'UPDATE public.dashboards SET layout = layout WHERE clinic_id = $1 AND id = $2';

const endPlacement = `
  UPDATE public.dashboards d SET layout = jsonb_build_object('placements', coalesce(
           (SELECT jsonb_agg(p ORDER BY n) FROM jsonb_array_elements(d.layout -> 'placements') WITH ORDINALITY AS e (p, n)
             WHERE p ->> 'widgetId' <> $3::text), '[]'))
   WHERE d.clinic_id = $1 AND d.id = $2`;

const getGoal = 'SELECT id FROM public.goals WHERE clinic_id = $1 AND id = $2';

const getProvider = 'SELECT id FROM public.providers WHERE clinic_id = $1 AND id = $2';
