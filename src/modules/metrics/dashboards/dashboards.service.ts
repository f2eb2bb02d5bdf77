import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { Forbidden, NotFound, UnknownReference } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { NotYourDashboard, TooManyDashboards } from './dashboards.errors.js';
import {
  type Dashboard,
  type DashboardChanges,
  type DashboardSummary,
  type Dashboards,
  type DashboardsQuery,
  dashboardVersion,
  type Layout,
  type NewDashboard,
} from './dashboards.schemas.js';
import type { Widget } from './widgets.schemas.js';

const purpose = 'dashboards';
const mostOfAPerson = 50;

type Row = DashboardSummary & { layout: Layout };

/** Dashboards of the caller, and those that others share with the clinic. */
@Injectable()
export class DashboardsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async list(clinicId: string, query: DashboardsQuery): Promise<Dashboards> {
    const [afterName, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const values = [clinicId, query.whose ?? null, afterName, afterId, query.limit + 1];
    const rows = await this.database.query<Row>(listDashboards, values);
    return toPage(rows, query.limit, ({ name, id }) => this.cursors.encode([name, id], purpose));
  }

  async get(clinicId: string, dashboardId: string): Promise<Dashboard> {
    const row = await this.database.first<Row>(getDashboard, [clinicId, dashboardId]);
    if (!row) throw new NotFound();
    return this.withWidgets(row);
  }

  /** What the caller sees first: the own default, else the clinic's. @throws NotFound where neither was chosen */
  async getDefault(clinicId: string): Promise<Dashboard> {
    const row = await this.database.first<Row>(getDefaultDashboard, [clinicId]);
    if (!row) throw new NotFound();
    return this.withWidgets(row);
  }

  /** @throws TooManyDashboards */
  async create(clinicId: string, { name, isShared = false, isDefault = false }: NewDashboard): Promise<Dashboard> {
    await this.database.query(lockDashboardsOfCaller);
    const count = await this.database.first<{ count: number }>(countOwn, [clinicId]);
    if ((count?.count ?? 0) >= mostOfAPerson) throw new TooManyDashboards();
    if (isDefault) await this.database.query(endOwnDefault, [clinicId, null]);
    const row = await this.database.first<{ id: string }>(insertDashboard, [clinicId, name, isShared, isDefault]);
    return this.get(clinicId, row?.id ?? '');
  }

  /** @throws NotFound, NotYourDashboard, PreconditionFailed, UnknownReference for a placement of no widget of it */
  async change(clinicId: string, dashboardId: string, changes: DashboardChanges, ifMatch?: string): Promise<Dashboard> {
    // Before the row: two who choose different defaults would else each hold the row that the other one ends.
    if (changes.isDefault) await this.database.query(lockDashboardsOfCaller);
    const present = await this.lockOwn(clinicId, dashboardId);
    assertIfMatch(ifMatch, etagOf(versionOf(present)));
    if (changes.layout) await this.refuseUnknownWidgets(clinicId, dashboardId, changes.layout);
    if (changes.isDefault) await this.database.query(endOwnDefault, [clinicId, dashboardId]);
    const update = partialUpdate({
      table: 'public.dashboards',
      where: { clinic_id: clinicId, id: dashboardId },
      changes,
      columns: changeable,
      returning: 'id',
    });
    if (update) await this.database.query(update.text, update.values);
    return this.get(clinicId, dashboardId);
  }

  /** Its widgets go with it, and where it was the clinic's default there is none. */
  async remove(clinicId: string, dashboardId: string): Promise<void> {
    await this.lockOwn(clinicId, dashboardId);
    await this.database.query(deleteDashboard, [clinicId, dashboardId]);
  }

  /** @throws UnknownReference, DashboardNotShared (by trigger) */
  async setClinicDefault(clinicId: string, dashboardId: string): Promise<void> {
    const row = await this.database.first<Row>(getDashboard, [clinicId, dashboardId]);
    if (!row) throw unknown('dashboardId', 'There is no dashboard of this id that you can see here.');
    const [set] = await this.database.query(setClinicDefault, [clinicId, dashboardId]);
    if (!set) throw new Forbidden();
  }

  async endClinicDefault(clinicId: string): Promise<void> {
    await this.database.query(endClinicDefault, [clinicId]);
  }

  /** The caller's own dashboard, locked: what is changed of it or its widgets is changed one after the other. */
  async lockOwn(clinicId: string, dashboardId: string): Promise<Row> {
    const own = await this.database.first<Row>(lockOwnDashboard, [clinicId, dashboardId]);
    if (own) return own;
    const shared = await this.database.first<Row>(getDashboard, [clinicId, dashboardId]);
    throw shared ? new NotYourDashboard() : new NotFound();
  }

  private async refuseUnknownWidgets(clinicId: string, dashboardId: string, { placements }: Layout): Promise<void> {
    const widgets = await this.database.query<{ id: string }>(listWidgets, [clinicId, dashboardId]);
    const known = new Set(widgets.map(({ id }) => id));
    const index = placements.findIndex(({ widgetId }) => !known.has(widgetId));
    if (index >= 0) throw unknown(`layout.placements.${index}.widgetId`, 'The dashboard has no widget of this id.');
  }

  private async withWidgets(row: Row): Promise<Dashboard> {
    const widgets = await this.database.query<Widget>(listWidgets, [row.clinicId, row.id]);
    return { ...row, widgets };
  }
}

function versionOf({ updatedAt, isClinicDefault }: Row): string {
  return dashboardVersion({ updatedAt: (updatedAt as Date).toISOString(), isClinicDefault });
}

function unknown(path: string, message: string): InstanceType<typeof UnknownReference> {
  return new UnknownReference(undefined, { errors: [{ path, code: 'unknown-reference', message }] });
}

const columns = `d.id, d.clinic_id, d.user_id, d.name, d.layout, d.is_shared, d.is_default, d.created_at, d.updated_at,
  EXISTS (SELECT FROM public.clinic_default_dashboards c
           WHERE c.clinic_id = d.clinic_id AND c.dashboard_id = d.id) AS is_clinic_default`;

const listDashboards = `
  SELECT ${columns} FROM public.dashboards d
   WHERE d.clinic_id = $1
     AND ($2::text IS NULL OR (d.user_id = app.user_id()) = ($2 = 'own'))
     AND ($3::text IS NULL OR (d.name, d.id) > ($3, $4::uuid))
   ORDER BY d.name, d.id LIMIT $5`;

const getDashboard = `SELECT ${columns} FROM public.dashboards d WHERE d.clinic_id = $1 AND d.id = $2`;

const lockOwnDashboard = `${getDashboard} AND d.user_id = app.user_id() FOR UPDATE OF d`;

/** The own default sorts before the clinic's. */
const getDefaultDashboard = `
  SELECT ${columns} FROM public.dashboards d
   WHERE d.clinic_id = $1
     AND ((d.is_default AND d.user_id = app.user_id())
       OR d.id = (SELECT c.dashboard_id FROM public.clinic_default_dashboards c WHERE c.clinic_id = $1))
   ORDER BY (d.is_default AND d.user_id = app.user_id()) DESC LIMIT 1`;

/** A count that nobody else of the same person makes at the same time, and one change of default after the other. */
const lockDashboardsOfCaller = `SELECT pg_advisory_xact_lock(hashtextextended('dashboards ' || app.user_id(), 0))`;

const countOwn = `
  SELECT count(*)::int AS count FROM public.dashboards WHERE clinic_id = $1 AND user_id = app.user_id()`;

const endOwnDefault = `
  UPDATE public.dashboards SET is_default = false
   WHERE clinic_id = $1 AND user_id = app.user_id() AND is_default AND id IS DISTINCT FROM $2::uuid`;

const insertDashboard = `
  INSERT INTO public.dashboards (clinic_id, user_id, name, is_shared, is_default)
  VALUES ($1, app.user_id(), $2, $3, $4) RETURNING id`;

const deleteDashboard = 'DELETE FROM public.dashboards WHERE clinic_id = $1 AND id = $2';

const setClinicDefault = `
  INSERT INTO public.clinic_default_dashboards (clinic_id, dashboard_id, created_by) VALUES ($1, $2, app.user_id())
  ON CONFLICT (clinic_id) DO UPDATE SET dashboard_id = excluded.dashboard_id
  RETURNING clinic_id`;

const endClinicDefault = 'DELETE FROM public.clinic_default_dashboards WHERE clinic_id = $1';

const listWidgets = `
  SELECT id, dashboard_id, kind, title, config, created_at, updated_at FROM public.widgets
   WHERE clinic_id = $1 AND dashboard_id = $2 ORDER BY id`;

const changeable = { name: 'name', layout: 'layout', isShared: 'is_shared', isDefault: 'is_default' };
