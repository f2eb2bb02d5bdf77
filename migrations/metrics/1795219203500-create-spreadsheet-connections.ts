import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
  both,
  clinicRows,
  declareAccess,
  either,
  everyRow,
  ownRows,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/** Google accounts of a clinic, the spreadsheets that are read through them, and what each reading brought. */
export class CreateSpreadsheetConnections1795219203500 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [authorizations, credentials, connections, runs, states]) await queryRunner.query(part);
    for (const table of ['google_credentials', 'spreadsheet_connections', 'sync_runs'])
      await touchUpdatedAt(queryRunner, `public.${table}`);
    await this.declareAuthorizations(queryRunner);
    await this.declareCredentials(queryRunner);
    await this.declareConnections(queryRunner);
    await this.declareRuns(queryRunner);
    await queryRunner.query(quietAudit);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE public.column_mappings DROP CONSTRAINT column_mappings_spreadsheet_connection_id_fkey;
      DROP TABLE public.sync_runs;
      DROP TABLE public.spreadsheet_connections;
      DROP TABLE public.google_credentials;
      DROP TABLE public.google_authorizations;
      DROP FUNCTION app.guard_connection_status();
      DROP FUNCTION app.guard_run_status();
    `);
  }

  private async declareAuthorizations(queryRunner: QueryRunner): Promise<void> {
    await declareAccess(queryRunner, {
      table: 'public.google_authorizations',
      access: {
        authenticated: {
          select: { rows: ownRows('user_id') },
          insert: { rows: both(ownRows('user_id'), activeClinicRows('clinic_id', 'clinic_admin')) },
          delete: { rows: ownRows('user_id') },
        },
        super_admin: {
          select: { rows: ownRows('user_id') },
          insert: { rows: ownRows('user_id') },
          delete: { rows: ownRows('user_id') },
        },
        service_role: { select: { rows: everyRow, columns: ['expires_at'] }, delete: { rows: everyRow } },
      },
      // Ten minutes in the life of a browser; what comes of it leaves its trace as a credential.
      audit: false,
    });
  }

  private async declareCredentials(queryRunner: QueryRunner): Promise<void> {
    const visible = [
      ...['id', 'clinic_id', 'user_id', 'google_email', 'scopes', 'status', 'expires_at'],
      ...['created_at', 'updated_at'],
    ];
    const theirs = either(ownRows('user_id'), activeClinicRows('clinic_id', 'clinic_admin'));
    await declareAccess(queryRunner, {
      table: 'public.google_credentials',
      access: {
        authenticated: {
          select: { rows: either(ownRows('user_id'), clinicRows('clinic_id', 'clinic_admin')), columns: visible },
          insert: {
            rows: both(ownRows('user_id'), activeClinicRows('clinic_id', 'clinic_admin')),
            columns: ['clinic_id', 'user_id'],
          },
          delete: { rows: theirs },
        },
        super_admin: {
          select: { rows: everyRow, columns: visible },
          insert: { rows: ownRows('user_id'), columns: ['clinic_id', 'user_id'] },
          delete: { rows: everyRow },
        },
        service_role: {
          select: { rows: everyRow },
          update: {
            rows: everyRow,
            columns: [
              ...['google_email', 'access_token_sealed', 'refresh_token_sealed', 'scopes', 'expires_at'],
              ...['status', 'refreshing_until'],
            ],
          },
        },
      },
      audit: { clinic: 'clinic_id', masked: ['access_token_sealed', 'refresh_token_sealed'] },
    });
  }

  private async declareConnections(queryRunner: QueryRunner): Promise<void> {
    const administered = activeClinicRows('clinic_id', 'clinic_admin');
    const chosen = ['google_credential_id', 'name', 'sheet_names', 'sync_frequency', 'sync_status', 'next_sync_at'];
    const made = ['clinic_id', 'google_credential_id', 'spreadsheet_id', 'name', 'sheet_names', 'sync_frequency'];
    const update = [...chosen, 'last_problem'];
    await declareAccess(queryRunner, {
      table: 'public.spreadsheet_connections',
      access: {
        authenticated: {
          select: { rows: clinicRows('clinic_id', 'viewer') },
          insert: { rows: administered, columns: [...made, 'next_sync_at', 'created_by'] },
          update: { rows: administered, columns: update },
          delete: { rows: administered },
        },
        super_admin: {
          select: { rows: everyRow },
          insert: { rows: everyRow, columns: [...made, 'next_sync_at', 'created_by'] },
          update: { rows: everyRow, columns: update },
          delete: { rows: everyRow },
        },
        service_role: {
          select: { rows: everyRow },
          update: { rows: everyRow, columns: ['sync_status', 'last_sync_at', 'next_sync_at', 'last_problem'] },
        },
      },
      audit: { clinic: 'clinic_id' },
    });
  }

  private async declareRuns(queryRunner: QueryRunner): Promise<void> {
    const progress = [
      ...['status', 'attempts', 'started_at', 'finished_at', 'imports', 'problem', 'errors'],
      ...['rows_read', 'rows_inserted', 'rows_updated', 'rows_unchanged', 'rows_rejected'],
    ];
    await declareAccess(queryRunner, {
      table: 'public.sync_runs',
      access: {
        authenticated: { select: { rows: clinicRows('clinic_id', 'viewer') } },
        super_admin: { select: { rows: everyRow } },
        service_role: {
          select: { rows: everyRow },
          insert: {
            rows: everyRow,
            columns: ['id', 'clinic_id', 'spreadsheet_connection_id', 'cause', 'requested_by'],
          },
          update: { rows: everyRow, columns: progress },
        },
      },
      // A run is a record itself: of who asked for it, and of what it did.
      audit: false,
    });
  }
}

const authorizations = `
  CREATE TABLE public.google_authorizations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid NOT NULL,
    state_hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT google_authorizations_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT google_authorizations_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT google_authorizations_state_hash_key UNIQUE (state_hash)
  );
  COMMENT ON TABLE public.google_authorizations IS
    'Consents that somebody was sent to give: used once, within ten minutes, by the same person in the same session';
  COMMENT ON COLUMN public.google_authorizations.state_hash IS 'SHA-256 of the state in the address';
  CREATE INDEX google_authorizations_clinic_id_idx ON public.google_authorizations (clinic_id);
  CREATE INDEX google_authorizations_user_id_idx ON public.google_authorizations (user_id);
`;

const credentials = `
  CREATE TABLE public.google_credentials (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    user_id uuid NOT NULL,
    google_email text,
    access_token_sealed text,
    refresh_token_sealed text,
    scopes text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    status text NOT NULL DEFAULT 'pending',
    refreshing_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT google_credentials_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT google_credentials_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT google_credentials_user_id_key UNIQUE (clinic_id, user_id),
    CONSTRAINT google_credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT google_credentials_status_check CHECK (status IN ('pending', 'active', 'reauthorize')),
    CONSTRAINT google_credentials_refresh_token_sealed_check CHECK (
      status <> 'active' OR (access_token_sealed IS NOT NULL AND refresh_token_sealed IS NOT NULL AND expires_at IS NOT NULL))
  );
  COMMENT ON TABLE public.google_credentials IS
    'What a person allowed the clinic to read in their Google account; the tokens are sealed, and read by jobs alone';
  COMMENT ON COLUMN public.google_credentials.expires_at IS 'End of the access token, which is renewed before';
  COMMENT ON COLUMN public.google_credentials.refreshing_until IS 'Somebody asks Google for a new access token: one does, others wait';
  CREATE INDEX google_credentials_user_id_idx ON public.google_credentials (user_id);
`;

const connections = `
  CREATE TABLE public.spreadsheet_connections (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    google_credential_id uuid,
    spreadsheet_id text NOT NULL,
    name text NOT NULL,
    sheet_names text[] NOT NULL,
    sync_frequency text NOT NULL DEFAULT 'manual',
    sync_status text NOT NULL DEFAULT 'idle',
    last_problem text,
    last_sync_at timestamptz,
    next_sync_at timestamptz,
    legacy_id text,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT spreadsheet_connections_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT spreadsheet_connections_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT spreadsheet_connections_spreadsheet_id_key UNIQUE (clinic_id, spreadsheet_id),
    CONSTRAINT spreadsheet_connections_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT spreadsheet_connections_google_credential_id_fkey FOREIGN KEY (clinic_id, google_credential_id)
      REFERENCES public.google_credentials (clinic_id, id) ON DELETE SET NULL (google_credential_id),
    CONSTRAINT spreadsheet_connections_sheet_names_check CHECK (cardinality(sheet_names) BETWEEN 1 AND 50),
    CONSTRAINT spreadsheet_connections_sync_frequency_check
      CHECK (sync_frequency IN ('manual', 'hourly', 'daily', 'weekly')),
    CONSTRAINT spreadsheet_connections_sync_status_check
      CHECK (sync_status IN ('idle', 'syncing', 'ok', 'failed', 'reauthorize'))
  );
  COMMENT ON TABLE public.spreadsheet_connections IS 'Google spreadsheets whose rows become facts of the clinic';
  COMMENT ON COLUMN public.spreadsheet_connections.google_credential_id IS
    'Whose Google account reads it; null once that person has disconnected';
  COMMENT ON COLUMN public.spreadsheet_connections.last_problem IS 'Code of the problem that ended the last run';
  CREATE INDEX spreadsheet_connections_clinic_id_idx ON public.spreadsheet_connections (clinic_id, name, id);
  CREATE INDEX spreadsheet_connections_google_credential_id_idx ON public.spreadsheet_connections (google_credential_id);
  -- What the schedule asks every minute.
  CREATE INDEX spreadsheet_connections_next_sync_at_idx ON public.spreadsheet_connections (next_sync_at)
    WHERE next_sync_at IS NOT NULL;

  ALTER TABLE public.column_mappings ADD CONSTRAINT column_mappings_spreadsheet_connection_id_fkey
    FOREIGN KEY (clinic_id, spreadsheet_connection_id) REFERENCES public.spreadsheet_connections (clinic_id, id)
    ON DELETE SET NULL (spreadsheet_connection_id);
`;

const runs = `
  CREATE TABLE public.sync_runs (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    spreadsheet_connection_id uuid NOT NULL,
    cause text NOT NULL,
    requested_by uuid,
    status text NOT NULL DEFAULT 'queued',
    attempts integer NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    rows_read integer NOT NULL DEFAULT 0,
    rows_inserted integer NOT NULL DEFAULT 0,
    rows_updated integer NOT NULL DEFAULT 0,
    rows_unchanged integer NOT NULL DEFAULT 0,
    rows_rejected integer NOT NULL DEFAULT 0,
    imports jsonb NOT NULL DEFAULT '[]',
    problem jsonb,
    errors jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sync_runs_spreadsheet_connection_id_fkey FOREIGN KEY (clinic_id, spreadsheet_connection_id)
      REFERENCES public.spreadsheet_connections (clinic_id, id) ON DELETE CASCADE,
    CONSTRAINT sync_runs_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT sync_runs_cause_check CHECK (cause IN ('person', 'schedule')),
    CONSTRAINT sync_runs_requested_by_check CHECK ((cause = 'person') = (requested_by IS NOT NULL)),
    CONSTRAINT sync_runs_status_check CHECK (status IN ('queued', 'running', 'waiting', 'done', 'failed')),
    CONSTRAINT sync_runs_finished_at_check CHECK ((finished_at IS NOT NULL) = (status IN ('done', 'failed')))
  );
  COMMENT ON TABLE public.sync_runs IS 'Each reading of a connected spreadsheet, and what it changed';
  COMMENT ON COLUMN public.sync_runs.imports IS 'One import per sheet and mapping: {importId, sheet, mappingId, mappingVersion, table}';
  COMMENT ON COLUMN public.sync_runs.problem IS '{code, detail} of what ended it';
  COMMENT ON COLUMN public.sync_runs.errors IS 'The first rows that were refused; all are in the errors of the imports';
  -- One at a time of each connection: of two that begin at once the second finds this.
  CREATE UNIQUE INDEX sync_runs_spreadsheet_connection_id_key ON public.sync_runs (spreadsheet_connection_id)
    WHERE status IN ('queued', 'running', 'waiting');
  CREATE INDEX sync_runs_clinic_id_idx ON public.sync_runs (clinic_id, spreadsheet_connection_id, id);
`;

const states = `
  CREATE FUNCTION app.guard_run_status() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF (OLD.status, NEW.status) NOT IN (
      ('queued', 'running'), ('queued', 'failed'), ('running', 'running'), ('running', 'waiting'),
      ('running', 'done'), ('running', 'failed'), ('waiting', 'running'), ('waiting', 'failed')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'sync-over';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_run_status IS 'The transitions of a run, as src/modules/metrics/sheets/sync-states.ts has them';
  CREATE TRIGGER guard_status BEFORE UPDATE OF status ON public.sync_runs
    FOR EACH ROW EXECUTE FUNCTION app.guard_run_status();

  CREATE FUNCTION app.guard_connection_status() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.google_credential_id IS NULL THEN
      NEW.sync_status := 'reauthorize';
    ELSIF NEW.sync_status <> OLD.sync_status AND (OLD.sync_status, NEW.sync_status) NOT IN (
      ('idle', 'syncing'), ('idle', 'reauthorize'), ('ok', 'syncing'), ('ok', 'reauthorize'),
      ('failed', 'syncing'), ('failed', 'reauthorize'),
      ('syncing', 'ok'), ('syncing', 'failed'), ('syncing', 'reauthorize'),
      ('reauthorize', 'idle'), ('reauthorize', 'syncing')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'sync-over';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_connection_status IS
    'The transitions of a connection, as src/modules/metrics/sheets/sync-states.ts has them; without an account it needs a new consent';
  CREATE TRIGGER guard_status BEFORE UPDATE OF sync_status, google_credential_id ON public.spreadsheet_connections
    FOR EACH ROW EXECUTE FUNCTION app.guard_connection_status();
`;

/** What jobs do each hour would bury what people changed; it is in the runs. */
const quietAudit = `
  DROP TRIGGER audit_update ON public.google_credentials;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.google_credentials
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (current_setting('app.route', true) IS DISTINCT FROM 'synchronise sheets')
    EXECUTE FUNCTION audit.record('clinic_id', '', 'access_token_sealed,refresh_token_sealed');
  DROP TRIGGER audit_update ON public.spreadsheet_connections;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.spreadsheet_connections
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (current_setting('app.route', true) IS DISTINCT FROM 'synchronise sheets')
    EXECUTE FUNCTION audit.record('clinic_id', '', '');
`;
