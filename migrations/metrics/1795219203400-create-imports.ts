import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
  activeClinicRowsAs,
  both,
  clinicRows,
  declareAccess,
  either,
  everyRow,
  everything,
  ownRows,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * Imports: what came, in which state it is, what was refused and what it changed. A job brings the rows in as the person
 * who sent them, so the policies of that person hold; what waits in `import_files` is the service's alone.
 */
export class CreateImports1795219203400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(imports);
    await queryRunner.query(transitions);
    await queryRunner.query(details);
    await queryRunner.query(mappings);
    await touchUpdatedAt(queryRunner, 'public.imports');
    await touchUpdatedAt(queryRunner, 'public.column_mappings');
    await declareImports(queryRunner);
    await declareDetails(queryRunner);
    await declareMappings(queryRunner);
    await queryRunner.query(audited);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE public.column_mappings, public.import_changes, public.import_errors, public.import_files, public.imports;
      DROP FUNCTION app.check_import_transition();
    `);
  }
}

const targets = `'financial_metrics', 'appointment_metrics', 'call_metrics', 'patient_metrics'`;

const imports = `
  CREATE TABLE public.imports (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    format text NOT NULL,
    target_table text NOT NULL,
    mode text NOT NULL,
    is_dry_run boolean NOT NULL DEFAULT false,
    is_strict boolean NOT NULL DEFAULT false,
    mapping jsonb NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'receiving',
    attempts integer NOT NULL DEFAULT 0,
    rows_read integer NOT NULL DEFAULT 0,
    inserted integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    problem jsonb,
    started_at timestamptz,
    finished_at timestamptz,
    undone_at timestamptz,
    undone_by uuid,
    undo_attempts integer NOT NULL DEFAULT 0,
    details_removed_at timestamptz,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT imports_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id),
    CONSTRAINT imports_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT imports_source_check CHECK (source IN ('file', 'rows', 'sheet')),
    CONSTRAINT imports_format_check CHECK (format IN ('csv', 'xlsx', 'ndjson', 'rows')),
    CONSTRAINT imports_target_table_check CHECK (target_table IN (${targets})),
    CONSTRAINT imports_mode_check CHECK (mode IN ('insert', 'upsert')),
    CONSTRAINT imports_status_check CHECK
      (status IN ('receiving', 'queued', 'running', 'done', 'failed', 'cancelled', 'undoing', 'undone'))
  );
  COMMENT ON TABLE public.imports IS 'Files, rows and sheets that were brought into the facts of a clinic, and what came of them';
  COMMENT ON COLUMN public.imports.mapping IS 'As it was when the import was asked for, whatever became of a saved one since';
  COMMENT ON COLUMN public.imports.undone_by IS 'Whoever has asked for undoing, from then on: it is done as this person';
  CREATE INDEX imports_clinic_id_idx ON public.imports (clinic_id, id DESC);
  CREATE INDEX imports_open_idx ON public.imports (updated_at) WHERE status IN ('receiving', 'queued', 'running', 'undoing');
`;

/** The states as data; the same table stands in import-states.ts, and a test compares the two. */
const transitions = `
  CREATE FUNCTION app.check_import_transition() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.status <> OLD.status AND (OLD.status || ' ' || NEW.status) <> ALL (ARRAY[
      'receiving queued', 'receiving failed',
      'queued running', 'queued cancelled', 'queued failed',
      'running done', 'running failed',
      'done undoing',
      'undoing undone', 'undoing done'
    ]) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'import-state',
        DETAIL = format('An import that is %s cannot become %s.', OLD.status, NEW.status);
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.check_import_transition IS 'Refuses what the state machine of imports has no arrow for';
  CREATE TRIGGER check_transition BEFORE UPDATE ON public.imports
    FOR EACH ROW EXECUTE FUNCTION app.check_import_transition();
`;

const details = `
  CREATE TABLE public.import_files (
    clinic_id uuid NOT NULL,
    import_id uuid NOT NULL,
    number integer NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT import_files_pkey PRIMARY KEY (clinic_id, import_id, number),
    CONSTRAINT import_files_import_id_fkey FOREIGN KEY (clinic_id, import_id) REFERENCES public.imports (clinic_id, id)
  );
  COMMENT ON TABLE public.import_files IS 'Files in pieces until their import is over: any worker can take them up';
  -- Files are mostly text, but compressing them costs more time than writing them.
  ALTER TABLE public.import_files ALTER COLUMN bytes SET STORAGE EXTERNAL;

  CREATE TABLE public.import_errors (
    clinic_id uuid NOT NULL,
    import_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    line integer NOT NULL,
    column_name text,
    field text,
    code text NOT NULL,
    message text NOT NULL,
    CONSTRAINT import_errors_pkey PRIMARY KEY (clinic_id, import_id, line, id),
    CONSTRAINT import_errors_import_id_fkey FOREIGN KEY (clinic_id, import_id) REFERENCES public.imports (clinic_id, id)
  );
  COMMENT ON TABLE public.import_errors IS 'Why rows of an import were refused, without their values; kept for 90 days';

  CREATE TABLE public.import_changes (
    clinic_id uuid NOT NULL,
    import_id uuid NOT NULL,
    fact_id uuid NOT NULL,
    fact_date date NOT NULL,
    image jsonb NOT NULL,
    left_at timestamptz NOT NULL,
    restored_at timestamptz,
    CONSTRAINT import_changes_pkey PRIMARY KEY (clinic_id, import_id, fact_id),
    CONSTRAINT import_changes_import_id_fkey FOREIGN KEY (clinic_id, import_id) REFERENCES public.imports (clinic_id, id)
  );
  COMMENT ON TABLE public.import_changes IS 'Facts as they were before an import changed them; kept for 90 days';
  COMMENT ON COLUMN public.import_changes.left_at IS
    'The updated_at that the import left: a fact with another one was changed since';
  COMMENT ON COLUMN public.import_changes.restored_at IS 'The updated_at that undoing left';
  CREATE INDEX import_changes_fact_id_idx ON public.import_changes (clinic_id, fact_id);
`;

const mappings = `
  CREATE TABLE public.column_mappings (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    name text NOT NULL,
    target_table text NOT NULL,
    sheet text,
    mapping_config jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1,
    is_active boolean NOT NULL DEFAULT true,
    spreadsheet_connection_id uuid,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT column_mappings_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id),
    CONSTRAINT column_mappings_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT column_mappings_name_key UNIQUE (clinic_id, name),
    CONSTRAINT column_mappings_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT column_mappings_target_table_check CHECK (target_table IN (${targets}))
  );
  COMMENT ON TABLE public.column_mappings IS 'Which columns of a file or sheet become which fields, saved for the next time';
  CREATE INDEX column_mappings_clinic_id_idx ON public.column_mappings (clinic_id, name, id);
`;

/** Progress and outcome are written with app.import_id set: the row itself tells them, the log need not. */
const audited = `
  CREATE TRIGGER audit_insert AFTER INSERT ON public.imports REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('clinic_id', '', 'mapping');
  CREATE TRIGGER audit_update AFTER UPDATE ON public.imports REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (coalesce(current_setting('app.import_id', true), '') = '')
    EXECUTE FUNCTION audit.record('clinic_id', '', 'mapping');
`;

const workers = activeClinicRowsAs('clinic_id', 'staff', 'provider', 'clinic_admin');
const administered = activeClinicRows('clinic_id', 'clinic_admin');
/** Whoever may enter facts of a table may import them: everybody from staff on, but for calls. */
const importers = either(
  both(`target_table <> 'call_metrics'`, workers),
  activeClinicRowsAs('clinic_id', 'staff', 'clinic_admin'),
);
const outcome = ['rows_read', 'inserted', 'updated', 'unchanged', 'rejected', 'problem', 'started_at', 'finished_at'];

async function declareImports(queryRunner: QueryRunner): Promise<void> {
  const asked = ['id', 'clinic_id', 'source', 'name', 'format', 'target_table', 'mode', 'is_dry_run', 'is_strict'];
  const undoing = ['undone_at', 'undone_by'];
  await declareAccess(queryRunner, {
    table: 'public.imports',
    access: {
      authenticated: {
        select: { rows: clinicRows('clinic_id', 'viewer') },
        insert: {
          rows: both(ownRows('created_by'), importers),
          columns: [...asked, 'mapping', 'options', 'status', 'created_by'],
        },
        update: {
          rows: either(both(ownRows('created_by'), workers), administered),
          columns: ['status', ...outcome, ...undoing],
        },
      },
      super_admin: { select: { rows: everyRow }, insert: { rows: everyRow }, update: { rows: everyRow } },
      service_role: {
        select: { rows: everyRow },
        update: {
          rows: everyRow,
          columns: ['status', 'attempts', ...outcome, 'undone_by', 'undo_attempts', 'details_removed_at'],
        },
      },
    },
    audit: false,
  });
  await declareAccess(queryRunner, {
    table: 'public.import_files',
    access: {
      service_role: { select: { rows: everyRow }, insert: { rows: everyRow }, delete: { rows: everyRow } },
    },
    audit: false,
  });
}

/** What an import leaves is written in its own transaction, as the person, and only ever added to. */
async function declareDetails(queryRunner: QueryRunner): Promise<void> {
  const read = { rows: clinicRows('clinic_id', 'viewer') };
  const service = { select: { rows: everyRow }, delete: { rows: everyRow } };
  await declareAccess(queryRunner, {
    table: 'public.import_errors',
    access: {
      authenticated: { select: read, insert: { rows: workers } },
      super_admin: { select: { rows: everyRow }, insert: { rows: everyRow } },
      service_role: service,
    },
    audit: false,
  });
  await declareAccess(queryRunner, {
    table: 'public.import_changes',
    access: {
      authenticated: {
        select: read,
        insert: { rows: workers },
        update: { rows: administered, columns: ['restored_at'] },
      },
      super_admin: { select: { rows: everyRow }, insert: { rows: everyRow }, update: { rows: everyRow } },
      service_role: service,
    },
    audit: false,
  });
}

async function declareMappings(queryRunner: QueryRunner): Promise<void> {
  const editable = [
    'name',
    'target_table',
    'sheet',
    'mapping_config',
    'version',
    'is_active',
    'spreadsheet_connection_id',
  ];
  await declareAccess(queryRunner, {
    table: 'public.column_mappings',
    access: {
      authenticated: {
        select: { rows: clinicRows('clinic_id', 'viewer') },
        insert: { rows: administered, columns: ['clinic_id', ...editable, 'created_by'] },
        update: { rows: administered, columns: editable },
        delete: { rows: administered },
      },
      super_admin: everything,
      service_role: { select: { rows: everyRow } },
    },
    audit: { clinic: 'clinic_id' },
  });
}
