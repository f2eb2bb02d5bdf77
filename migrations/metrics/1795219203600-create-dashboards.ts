import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
  both,
  clinicRows,
  declareAccess,
  either,
  everything,
  ownRows,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/** What people look at every day: dashboards of their own, some shared in the clinic, one of them the clinic's default. */
export class CreateDashboards1795219203600 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(dashboards);
    await queryRunner.query(widgets);
    await queryRunner.query(clinicDefaults);
    await touchUpdatedAt(queryRunner, 'public.dashboards');
    await touchUpdatedAt(queryRunner, 'public.widgets');
    await this.declareAccess(queryRunner);
    await queryRunner.query(sharing);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE public.clinic_default_dashboards, public.widgets, public.dashboards;
      DROP FUNCTION app.require_shared_dashboard(), app.end_default_of_unshared();
    `);
  }

  private async declareAccess(queryRunner: QueryRunner): Promise<void> {
    const member = clinicRows('clinic_id', 'viewer');
    const own = both(activeClinicRows('clinic_id', 'viewer'), ownRows('user_id'));
    const editable = ['name', 'layout', 'is_shared', 'is_default'];
    await declareAccess(queryRunner, {
      table: 'public.dashboards',
      access: {
        authenticated: {
          select: { rows: both(member, either(ownRows('user_id'), 'is_shared')) },
          insert: { rows: own, columns: ['clinic_id', 'user_id', ...editable] },
          update: { rows: own, columns: editable },
          delete: { rows: own },
        },
        super_admin: everything,
      },
      // How somebody arranges their screen decides nothing: it needs no trace.
      audit: false,
    });

    // The policies of the dashboards hold inside these questions: whoever reads a dashboard reads its widgets.
    const ofReadable = both(member, dashboardOf('true'));
    const ofOwn = both(activeClinicRows('clinic_id', 'viewer'), dashboardOf('d.user_id = (SELECT app.user_id())'));
    await declareAccess(queryRunner, {
      table: 'public.widgets',
      access: {
        authenticated: {
          select: { rows: ofReadable },
          insert: { rows: ofOwn, columns: ['clinic_id', 'dashboard_id', 'kind', 'title', 'config'] },
          update: { rows: ofOwn, columns: ['kind', 'title', 'config'] },
          delete: { rows: ofOwn },
        },
        super_admin: everything,
      },
      audit: false,
    });

    const administered = activeClinicRows('clinic_id', 'clinic_admin');
    await declareAccess(queryRunner, {
      table: 'public.clinic_default_dashboards',
      access: {
        authenticated: {
          select: { rows: member },
          insert: { rows: administered, columns: ['clinic_id', 'dashboard_id', 'created_by'] },
          update: { rows: administered, columns: ['dashboard_id'] },
          delete: { rows: administered },
        },
        super_admin: everything,
      },
      // What everybody in a clinic is shown first is somebody's decision.
      audit: { clinic: 'clinic_id' },
    });
  }
}

const dashboardOf = (condition: string): string =>
  `EXISTS (SELECT FROM public.dashboards d WHERE d.clinic_id = widgets.clinic_id AND d.id = widgets.dashboard_id AND ${condition})`;

const dashboards = `
  CREATE TABLE public.dashboards (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    layout jsonb NOT NULL DEFAULT '{"placements": []}',
    is_shared boolean NOT NULL DEFAULT false,
    is_default boolean NOT NULL DEFAULT false,
    legacy_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dashboards_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT dashboards_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT dashboards_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles (id),
    CONSTRAINT dashboards_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT dashboards_layout_check CHECK (jsonb_typeof(layout -> 'placements') = 'array')
  );
  COMMENT ON TABLE public.dashboards IS 'Widgets that somebody looks at together; own, or shared with the clinic';
  COMMENT ON COLUMN public.dashboards.user_id IS 'Whose it is: a profile, which stays when the user is deleted';
  COMMENT ON COLUMN public.dashboards.layout IS 'Where each widget stands on a grid of twelve columns';
  COMMENT ON COLUMN public.dashboards.is_default IS 'The one that its owner sees first in this clinic';
  CREATE INDEX dashboards_clinic_id_idx ON public.dashboards (clinic_id, name, id);
  CREATE INDEX dashboards_user_id_idx ON public.dashboards (user_id, clinic_id);
  -- One default of a person in a clinic, and any number that are none.
  CREATE UNIQUE INDEX dashboards_is_default_key ON public.dashboards (clinic_id, user_id) WHERE is_default;
`;

const widgets = `
  CREATE TABLE public.widgets (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    config jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT widgets_dashboard_id_fkey
      FOREIGN KEY (clinic_id, dashboard_id) REFERENCES public.dashboards (clinic_id, id) ON DELETE CASCADE,
    CONSTRAINT widgets_kind_check CHECK (kind IN ('number', 'line', 'bar', 'table', 'goal')),
    CONSTRAINT widgets_config_check CHECK (jsonb_typeof(config) = 'object')
  );
  COMMENT ON TABLE public.widgets IS 'What a dashboard shows: some metrics as a number, a line, bars or a table, or a goal';
  COMMENT ON COLUMN public.widgets.config IS 'Metrics, granularity, range, provider and comparison; or the goal';
  CREATE INDEX widgets_dashboard_id_idx ON public.widgets (clinic_id, dashboard_id, id);
`;

/** A table of its own, since who marks it (a clinic_admin) is not who may change the dashboard (its owner). */
const clinicDefaults = `
  CREATE TABLE public.clinic_default_dashboards (
    clinic_id uuid PRIMARY KEY,
    dashboard_id uuid NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT clinic_default_dashboards_dashboard_id_fkey
      FOREIGN KEY (clinic_id, dashboard_id) REFERENCES public.dashboards (clinic_id, id) ON DELETE CASCADE
  );
  COMMENT ON TABLE public.clinic_default_dashboards IS 'What members of a clinic see first until they choose for themselves';
  CREATE INDEX clinic_default_dashboards_dashboard_id_idx ON public.clinic_default_dashboards (clinic_id, dashboard_id);
`;

const sharing = `
  -- The lock makes a default and an owner who stops sharing wait for one another.
  CREATE FUNCTION app.require_shared_dashboard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_is_shared boolean;
  BEGIN
    SELECT d.is_shared INTO v_is_shared FROM public.dashboards d
     WHERE d.clinic_id = NEW.clinic_id AND d.id = NEW.dashboard_id FOR SHARE;
    IF NOT v_is_shared THEN
      RAISE EXCEPTION USING ERRCODE = 'PC422', MESSAGE = 'dashboard-not-shared';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.require_shared_dashboard IS
    'SECURITY DEFINER: locks a row that the clinic_admin who marks it may read and not change';
  CREATE TRIGGER require_shared_dashboard BEFORE INSERT OR UPDATE ON public.clinic_default_dashboards
    FOR EACH ROW EXECUTE FUNCTION app.require_shared_dashboard();

  CREATE FUNCTION app.end_default_of_unshared() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    DELETE FROM public.clinic_default_dashboards c WHERE c.clinic_id = NEW.clinic_id AND c.dashboard_id = NEW.id;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.end_default_of_unshared IS
    'What is no longer shared is no default. SECURITY DEFINER: its owner need not be a clinic_admin';
  CREATE TRIGGER end_default_of_unshared AFTER UPDATE OF is_shared ON public.dashboards
    FOR EACH ROW WHEN (OLD.is_shared AND NOT NEW.is_shared) EXECUTE FUNCTION app.end_default_of_unshared();
`;
