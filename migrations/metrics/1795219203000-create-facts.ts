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
 * The four kinds of facts: what happened at a clinic on one of its business days. Partitioned by year, with the tenant
 * and the day in the key.
 *
 * Three things follow every write, by statement: the day is noted for the roll-ups, the reference of its source is kept
 * unique over all years (the partition key is not in it, so no index of the tables could), and a day that has not come
 * yet is refused. Changes and deletions by hand are audited; of an import, the import is the trace.
 */
export class CreateFacts1795219203000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const { table, columns, constraints, comment } of facts) {
      await queryRunner.query(factTable(table, columns, constraints, comment));
    }
    await queryRunner.query(sources);
    await queryRunner.query(dirtyDays);
    await queryRunner.query(tracking);
    await queryRunner.query(partitions);
    for (const { table } of facts) {
      await touchUpdatedAt(queryRunner, `public.${table}`);
      await queryRunner.query(`INSERT INTO app.fact_tables VALUES ('public.${table}')`);
      await queryRunner.query(triggers(table));
    }
    await queryRunner.query('SELECT app.add_fact_partitions(year) FROM generate_series(2020, 2027) AS year');
    await declareFacts(queryRunner);
    await declareBookkeeping(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const tables = facts.map(({ table }) => `public.${table}`);
    await queryRunner.query(`
      DELETE FROM app.fact_tables WHERE table_name IN (${tables.map((table) => `'${table}'::regclass`).join(', ')});
      DROP TABLE ${tables.join(', ')}, public.fact_sources, public.metric_dirty_days;
      DROP FUNCTION app.add_fact_partitions(integer), app.close_partition(regclass), app.track_facts();
    `);
  }
}

interface FactTable {
  table: string;
  comment: string;
  columns: string;
  constraints: string;
}

const provider = (table: string): string =>
  `CONSTRAINT ${table}_provider_id_fkey FOREIGN KEY (clinic_id, provider_id) REFERENCES public.providers (clinic_id, id)`;

const facts: readonly FactTable[] = [
  {
    table: 'financial_metrics',
    comment: 'Money of a day: produced, collected, adjusted, written off, refunded or spent',
    columns: `
      metric_type text NOT NULL,
      category text,
      amount numeric(12,2) NOT NULL,
      provider_id uuid,
      insurance_carrier text,
      payment_method text,
      procedure_code text,
      notes text,`,
    constraints: `
      ${provider('financial_metrics')},
      CONSTRAINT financial_metrics_metric_type_check CHECK
        (metric_type IN ('production', 'collection', 'adjustment', 'write_off', 'refund', 'expense')),
      CONSTRAINT financial_metrics_category_check CHECK (length(category) BETWEEN 1 AND 200),
      CONSTRAINT financial_metrics_insurance_carrier_check CHECK (length(insurance_carrier) BETWEEN 1 AND 200),
      CONSTRAINT financial_metrics_payment_method_check CHECK (length(payment_method) BETWEEN 1 AND 200),
      CONSTRAINT financial_metrics_procedure_code_check CHECK (length(procedure_code) BETWEEN 1 AND 50),
      CONSTRAINT financial_metrics_notes_check CHECK (length(notes) BETWEEN 1 AND 2000)`,
  },
  {
    table: 'appointment_metrics',
    comment:
      'Appointments of a day, by provider and type: minutes each, money produced, percent of the chair time used',
    columns: `
      provider_id uuid,
      appointment_type text,
      scheduled_count integer NOT NULL DEFAULT 0,
      completed_count integer NOT NULL DEFAULT 0,
      cancelled_count integer NOT NULL DEFAULT 0,
      no_show_count integer NOT NULL DEFAULT 0,
      average_duration numeric(7,2),
      production_amount numeric(12,2),
      utilization_rate numeric(5,2),`,
    constraints: `
      ${provider('appointment_metrics')},
      CONSTRAINT appointment_metrics_appointment_type_check CHECK (length(appointment_type) BETWEEN 1 AND 200),
      CONSTRAINT appointment_metrics_scheduled_count_check CHECK
        (scheduled_count BETWEEN 0 AND 1000000 AND completed_count + cancelled_count + no_show_count <= scheduled_count),
      CONSTRAINT appointment_metrics_completed_count_check CHECK (completed_count BETWEEN 0 AND 1000000),
      CONSTRAINT appointment_metrics_cancelled_count_check CHECK (cancelled_count BETWEEN 0 AND 1000000),
      CONSTRAINT appointment_metrics_no_show_count_check CHECK (no_show_count BETWEEN 0 AND 1000000),
      CONSTRAINT appointment_metrics_average_duration_check CHECK (average_duration >= 0),
      CONSTRAINT appointment_metrics_utilization_rate_check CHECK (utilization_rate BETWEEN 0 AND 100)`,
  },
  {
    table: 'call_metrics',
    comment: 'Telephone calls of a day, by kind and who answered: seconds each, appointments that came of them',
    columns: `
      call_type text,
      total_calls integer NOT NULL DEFAULT 0,
      connected_calls integer NOT NULL DEFAULT 0,
      voicemails integer NOT NULL DEFAULT 0,
      appointments_scheduled integer NOT NULL DEFAULT 0,
      conversion_rate numeric GENERATED ALWAYS AS
        (round(100.0 * appointments_scheduled / nullif(connected_calls, 0), 2)) STORED,
      average_call_duration numeric(9,2),
      staff_member_id uuid,`,
    constraints: `
      -- Whoever leaves the clinic leaves the calls behind.
      CONSTRAINT call_metrics_staff_member_id_fkey FOREIGN KEY (clinic_id, staff_member_id)
        REFERENCES public.user_clinic_roles (clinic_id, user_id) ON DELETE SET NULL (staff_member_id),
      CONSTRAINT call_metrics_call_type_check CHECK (length(call_type) BETWEEN 1 AND 200),
      CONSTRAINT call_metrics_total_calls_check CHECK
        (total_calls BETWEEN 0 AND 1000000 AND connected_calls + voicemails <= total_calls),
      CONSTRAINT call_metrics_connected_calls_check CHECK (connected_calls BETWEEN 0 AND 1000000),
      CONSTRAINT call_metrics_voicemails_check CHECK (voicemails BETWEEN 0 AND 1000000),
      CONSTRAINT call_metrics_appointments_scheduled_check CHECK (appointments_scheduled BETWEEN 0 AND 1000000),
      CONSTRAINT call_metrics_average_call_duration_check CHECK (average_call_duration >= 0)`,
  },
  {
    table: 'patient_metrics',
    comment: 'The patient base on a day: counts, rates in percent, and the value of a patient in money',
    columns: `
      active_patients integer,
      new_patients integer,
      reactivated_patients integer,
      lost_patients integer,
      patient_retention_rate numeric(5,2),
      average_patient_value numeric(12,2),
      recare_compliance_rate numeric(5,2),
      treatment_acceptance_rate numeric(5,2),`,
    constraints: `
      CONSTRAINT patient_metrics_active_patients_check CHECK (active_patients BETWEEN 0 AND 100000000),
      CONSTRAINT patient_metrics_new_patients_check CHECK (new_patients BETWEEN 0 AND 100000000),
      CONSTRAINT patient_metrics_reactivated_patients_check CHECK (reactivated_patients BETWEEN 0 AND 100000000),
      CONSTRAINT patient_metrics_lost_patients_check CHECK (lost_patients BETWEEN 0 AND 100000000),
      CONSTRAINT patient_metrics_patient_retention_rate_check CHECK (patient_retention_rate BETWEEN 0 AND 100),
      CONSTRAINT patient_metrics_recare_compliance_rate_check CHECK (recare_compliance_rate BETWEEN 0 AND 100),
      CONSTRAINT patient_metrics_treatment_acceptance_rate_check CHECK (treatment_acceptance_rate BETWEEN 0 AND 100)`,
  },
];

/** created_by and updated_by name profiles, which stay for ever: a key would cost a look-up per imported row. */
const factTable = (table: string, columns: string, constraints: string, comment: string): string => `
  CREATE TABLE public.${table} (
    id uuid NOT NULL DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    date date NOT NULL,
    ${columns.trim()}
    source_reference text,
    import_id uuid,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ${table}_pkey PRIMARY KEY (clinic_id, date, id),
    CONSTRAINT ${table}_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id),
    CONSTRAINT ${table}_date_check CHECK (date >= '1990-01-01'),
    CONSTRAINT ${table}_source_reference_check CHECK (length(source_reference) BETWEEN 1 AND 200),
    ${constraints.trim()}
  ) PARTITION BY RANGE (date);
  COMMENT ON TABLE public.${table} IS '${comment}';
  COMMENT ON COLUMN public.${table}.date IS 'The business day, in the time zone of the clinic';
  COMMENT ON COLUMN public.${table}.source_reference IS 'What the source calls it: an import that brings it again changes this row';
  COMMENT ON COLUMN public.${table}.import_id IS 'The import that brought it; null when it was entered by hand';
  CREATE TABLE public.${table}_1990_2019 PARTITION OF public.${table} FOR VALUES FROM ('1990-01-01') TO ('2020-01-01');
  CREATE TABLE public.${table}_default PARTITION OF public.${table} DEFAULT;`;

const sources = `
  CREATE TABLE public.fact_sources (
    clinic_id uuid NOT NULL,
    fact_table text NOT NULL,
    source_reference text NOT NULL,
    date date NOT NULL,
    fact_id uuid NOT NULL,
    CONSTRAINT fact_sources_pkey PRIMARY KEY (clinic_id, fact_table, source_reference)
  );
  COMMENT ON TABLE public.fact_sources IS
    'Where the fact of a source reference lies, once per clinic and table over all years; kept by app.track_facts';
`;

const dirtyDays = `
  CREATE TABLE public.metric_dirty_days (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    clinic_id uuid NOT NULL,
    date date NOT NULL
  );
  COMMENT ON TABLE public.metric_dirty_days IS
    'Days whose facts changed since their roll-up. Only ever appended to, so that writers of one clinic do not wait for each other';
  CREATE INDEX metric_dirty_days_clinic_id_idx ON public.metric_dirty_days (clinic_id);
`;

const tracking = `
  CREATE FUNCTION app.track_facts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF TG_OP = 'DELETE' THEN
      INSERT INTO public.metric_dirty_days (clinic_id, date) SELECT DISTINCT o.clinic_id, o.date FROM old_rows o;
    ELSIF TG_OP = 'INSERT' THEN
      INSERT INTO public.metric_dirty_days (clinic_id, date) SELECT DISTINCT n.clinic_id, n.date FROM new_rows n;
    ELSE
      INSERT INTO public.metric_dirty_days (clinic_id, date)
      SELECT o.clinic_id, o.date FROM old_rows o UNION SELECT n.clinic_id, n.date FROM new_rows n;
    END IF;

    IF TG_OP <> 'DELETE' THEN
      IF EXISTS (SELECT FROM (SELECT n.clinic_id, max(n.date) AS latest FROM new_rows n GROUP BY n.clinic_id) f
                   JOIN public.clinics c ON c.id = f.clinic_id
                  WHERE f.latest > (now() AT TIME ZONE c.time_zone)::date + 1) THEN
        RAISE EXCEPTION USING ERRCODE = 'PC422', MESSAGE = 'date-out-of-range';
      END IF;
    END IF;

    IF TG_OP = 'DELETE' THEN
      DELETE FROM public.fact_sources s USING old_rows o
       WHERE s.clinic_id = o.clinic_id AND s.fact_table = TG_TABLE_NAME AND s.source_reference = o.source_reference;
    ELSIF TG_OP = 'UPDATE' THEN
      DELETE FROM public.fact_sources s USING old_rows o JOIN new_rows n ON n.clinic_id = o.clinic_id AND n.id = o.id
       WHERE s.clinic_id = o.clinic_id AND s.fact_table = TG_TABLE_NAME AND s.source_reference = o.source_reference
         AND (o.source_reference, o.date) IS DISTINCT FROM (n.source_reference, n.date);
      INSERT INTO public.fact_sources (clinic_id, fact_table, source_reference, date, fact_id)
      SELECT n.clinic_id, TG_TABLE_NAME, n.source_reference, n.date, n.id
        FROM new_rows n JOIN old_rows o ON n.clinic_id = o.clinic_id AND n.id = o.id
       WHERE n.source_reference IS NOT NULL AND (o.source_reference, o.date) IS DISTINCT FROM (n.source_reference, n.date);
    ELSE
      INSERT INTO public.fact_sources (clinic_id, fact_table, source_reference, date, fact_id)
      SELECT n.clinic_id, TG_TABLE_NAME, n.source_reference, n.date, n.id FROM new_rows n WHERE n.source_reference IS NOT NULL;
    END IF;
    RETURN NULL;
  EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = 'The source reference is taken',
      TABLE = TG_TABLE_NAME, CONSTRAINT = TG_TABLE_NAME || '_source_reference_key';
  END $$;
  COMMENT ON FUNCTION app.track_facts IS
    'What follows every write of facts. SECURITY DEFINER: no role of the API writes the two tables that it keeps';
`;

/** Audited by statement and only by hand: two hundred thousand rows of an import would leave as many lines. */
const triggers = (table: string): string => {
  const byHand = `FOR EACH STATEMENT WHEN (coalesce(current_setting('app.import_id', true), '') = '')
    EXECUTE FUNCTION audit.record('clinic_id', '', 'notes')`;
  return `
  CREATE TRIGGER track_insert AFTER INSERT ON public.${table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.track_facts();
  CREATE TRIGGER track_update AFTER UPDATE ON public.${table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.track_facts();
  CREATE TRIGGER track_delete AFTER DELETE ON public.${table} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.track_facts();
  CREATE TRIGGER audit_update AFTER UPDATE ON public.${table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows ${byHand};
  CREATE TRIGGER audit_delete AFTER DELETE ON public.${table} REFERENCING OLD TABLE AS old_rows ${byHand};
  SELECT app.close_partition('public.${table}_1990_2019'), app.close_partition('public.${table}_default');`;
};

const partitions = `
  CREATE FUNCTION app.close_partition(p_partition regclass) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_partition);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_partition);
    EXECUTE format('CREATE POLICY owner_all ON %s TO polyclinic_owner USING (true) WITH CHECK (true)', p_partition);
    EXECUTE format('COMMENT ON TABLE %s IS %L', p_partition, 'A partition: reached through its parent alone');
  END $$;
  COMMENT ON FUNCTION app.close_partition IS 'Shuts the way past the parent''s policies. No role of the API may call it';

  CREATE FUNCTION app.add_fact_partitions(p_year integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_table text;
    v_partition text;
    v_columns text;
    v_added integer := 0;
  BEGIN
    FOR v_table IN SELECT c.relname FROM app.fact_tables f JOIN pg_catalog.pg_class c ON c.oid = f.table_name AND c.relkind = 'p' LOOP
      v_partition := v_table || '_' || p_year;
      CONTINUE WHEN p_year <= 2019 OR to_regclass('public.' || quote_ident(v_partition)) IS NOT NULL;
      -- Rows of that year that came before their partition lie in the default one, and move.
      SELECT string_agg(quote_ident(a.attname), ', ') INTO v_columns FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = to_regclass('public.' || quote_ident(v_table)) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
      EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)', v_partition, v_table);
      EXECUTE format('INSERT INTO public.%I (%s) SELECT %s FROM public.%I WHERE date >= %L AND date < %L',
        v_partition, v_columns, v_columns, v_table || '_default', make_date(p_year, 1, 1), make_date(p_year + 1, 1, 1));
      EXECUTE format('DELETE FROM public.%I WHERE date >= %L AND date < %L',
        v_table || '_default', make_date(p_year, 1, 1), make_date(p_year + 1, 1, 1));
      EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        v_table, v_partition, make_date(p_year, 1, 1), make_date(p_year + 1, 1, 1));
      PERFORM app.close_partition(to_regclass('public.' || quote_ident(v_partition)));
      v_added := v_added + 1;
    END LOOP;
    RETURN v_added;
  END $$;
  COMMENT ON FUNCTION app.add_fact_partitions IS
    'Makes the partitions of a year that are missing and answers how many. SECURITY DEFINER: only the owner may make tables; '
    'what it executes is built from the tables of app.fact_tables and a number';
  GRANT EXECUTE ON FUNCTION app.add_fact_partitions TO service_role;
`;

async function declareFacts(queryRunner: QueryRunner): Promise<void> {
  for (const { table, columns } of facts) {
    const isCalls = table === 'call_metrics';
    const own = columnNames(columns);
    const workers = isCalls ? ['staff', 'clinic_admin'] : ['staff', 'provider', 'clinic_admin'];
    const everywhere = activeClinicRowsAs('clinic_id', 'staff', 'clinic_admin');
    const ownEntries = both(activeClinicRowsAs('clinic_id', 'provider'), ownRows('created_by'));
    await declareAccess(queryRunner, {
      table: `public.${table}`,
      access: {
        authenticated: {
          select: { rows: clinicRows('clinic_id', 'viewer') },
          insert: {
            rows: both(activeClinicRowsAs('clinic_id', ...workers), ownRows('created_by')),
            columns: ['id', 'clinic_id', 'date', ...own, 'source_reference', 'import_id', 'created_by'],
          },
          update: {
            rows: isCalls ? everywhere : either(everywhere, ownEntries),
            columns: ['date', ...own, 'source_reference'],
          },
          delete: { rows: activeClinicRows('clinic_id', 'clinic_admin') },
        },
        super_admin: everything,
        service_role: { select: { rows: everyRow } },
      },
      audit: false,
    });
  }
}

/** No trace: both follow from the facts, and only triggers and jobs write them. */
async function declareBookkeeping(queryRunner: QueryRunner): Promise<void> {
  await declareAccess(queryRunner, {
    table: 'public.fact_sources',
    access: {
      authenticated: { select: { rows: clinicRows('clinic_id', 'viewer') } },
      super_admin: { select: { rows: everyRow } },
    },
    audit: false,
  });
  await declareAccess(queryRunner, {
    table: 'public.metric_dirty_days',
    access: {
      super_admin: { select: { rows: everyRow } },
      service_role: { select: { rows: everyRow }, delete: { rows: everyRow } },
    },
    audit: false,
  });
}

/** The columns that are written: all but the generated one. */
function columnNames(columns: string): string[] {
  return [...columns.matchAll(/^ {6}(\w+) (?!.*GENERATED)/gm)].map(([, name]) => name ?? '');
}
