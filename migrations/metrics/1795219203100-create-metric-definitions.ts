import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
  both,
  clinicRows,
  declareAccess,
  either,
  everyRow,
  everything,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * What is measured. A base definition is a measure that the roll-ups take from the facts; a composite one is a formula
 * over others, kept as it was written and, for evaluation, in postfix order over base codes.
 *
 * A rate is a formula over sums: the rate of a month is not the mean of the rates of its days.
 */
export class CreateMetricDefinitions1795219203100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(definitions);
    await queryRunner.query(ownCodes);
    await queryRunner.query(evaluation);
    await queryRunner.query(measures);
    await queryRunner.query(baseDefinitions);
    await queryRunner.query(compositeDefinitions);
    await touchUpdatedAt(queryRunner, 'public.metric_definitions');
    const own = both(activeClinicRows('clinic_id', 'clinic_admin'), 'NOT is_system');
    const described = ['name', 'description', 'data_type', 'category', 'calculation_formula', 'postfix'];
    await declareAccess(queryRunner, {
      table: 'public.metric_definitions',
      access: {
        authenticated: {
          select: { rows: either('is_system', clinicRows('clinic_id', 'viewer')) },
          insert: {
            rows: own,
            columns: ['id', 'clinic_id', 'code', ...described, 'is_composite', 'is_system', 'created_by'],
          },
          update: { rows: own, columns: described },
          delete: { rows: own },
        },
        super_admin: everything,
        service_role: { select: { rows: everyRow } },
      },
      audit: { clinic: 'clinic_id' },
    });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP VIEW app.measures;
      DROP TABLE public.metric_definitions;
      DROP FUNCTION app.keep_codes_apart(), app.evaluate_postfix(text[], jsonb);
    `);
  }
}

const definitions = `
  CREATE TABLE public.metric_definitions (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid,
    code text NOT NULL,
    name text NOT NULL,
    description text,
    data_type text NOT NULL,
    category text NOT NULL,
    is_composite boolean NOT NULL,
    calculation_formula text,
    postfix text[],
    behaviour text NOT NULL DEFAULT 'sum',
    is_system boolean NOT NULL DEFAULT false,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT metric_definitions_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT metric_definitions_code_key UNIQUE NULLS NOT DISTINCT (clinic_id, code),
    CONSTRAINT metric_definitions_code_check CHECK (code ~ '^[a-z][a-z0-9_]{0,59}$'),
    CONSTRAINT metric_definitions_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT metric_definitions_description_check CHECK (length(description) BETWEEN 1 AND 2000),
    CONSTRAINT metric_definitions_category_check CHECK (length(category) BETWEEN 1 AND 200),
    CONSTRAINT metric_definitions_data_type_check CHECK (data_type IN ('currency', 'integer', 'percentage', 'duration', 'decimal')),
    CONSTRAINT metric_definitions_behaviour_check CHECK (behaviour IN ('sum', 'last')),
    -- A row without a clinic is everybody's to read: only what the system itself brings may be one.
    CONSTRAINT metric_definitions_is_system_check CHECK (is_system = (clinic_id IS NULL)),
    -- What a clinic defines is a formula: base measures are what the roll-ups take from the facts.
    CONSTRAINT metric_definitions_is_composite_check CHECK (is_composite OR is_system),
    CONSTRAINT metric_definitions_calculation_formula_check CHECK (is_composite = (calculation_formula IS NOT NULL)),
    CONSTRAINT metric_definitions_postfix_check CHECK (is_composite = (postfix IS NOT NULL))
  );
  COMMENT ON TABLE public.metric_definitions IS 'What is measured: the system''s metrics, and each clinic''s own formulas over them';
  COMMENT ON COLUMN public.metric_definitions.code IS 'Stable: what formulas, routes and imports call it';
  COMMENT ON COLUMN public.metric_definitions.postfix IS
    'The formula in postfix order over base codes, for app.evaluate_postfix; formulas within it are written out';
  COMMENT ON COLUMN public.metric_definitions.behaviour IS
    'How days become a period: sum of all, or the last known (patients that are active are not added up)';
`;

const ownCodes = `
  CREATE FUNCTION app.keep_codes_apart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF EXISTS (SELECT FROM public.metric_definitions d WHERE d.code = NEW.code AND d.is_system <> NEW.is_system) THEN
      RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = 'The code is taken', TABLE = 'metric_definitions',
        CONSTRAINT = 'metric_definitions_code_key';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.keep_codes_apart IS
    'A code means one thing in a clinic: its own are none of the system''s. SECURITY DEFINER: it asks over all clinics';
  CREATE TRIGGER keep_codes_apart BEFORE INSERT ON public.metric_definitions
    FOR EACH ROW EXECUTE FUNCTION app.keep_codes_apart();
`;

const evaluation = `
  CREATE FUNCTION app.evaluate_postfix(p_postfix text[], p_values jsonb) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
  DECLARE
    v_token text;
    v_stack numeric[] := '{}';
    v_depth integer := 0;
    v_right numeric;
    v_is_known boolean := false;
  BEGIN
    FOREACH v_token IN ARRAY p_postfix LOOP
      IF v_token ~ '^[a-z]' THEN
        v_is_known := v_is_known OR p_values ->> v_token IS NOT NULL;
        v_depth := v_depth + 1;
        v_stack[v_depth] := coalesce((p_values ->> v_token)::numeric, 0);
      ELSIF v_token ~ '^[0-9]' THEN
        v_depth := v_depth + 1;
        v_stack[v_depth] := v_token::numeric;
      ELSIF v_token = '~' THEN
        v_stack[v_depth] := -v_stack[v_depth];
      ELSE
        v_right := v_stack[v_depth];
        v_depth := v_depth - 1;
        v_stack[v_depth] := CASE v_token
          WHEN '+' THEN v_stack[v_depth] + v_right
          WHEN '-' THEN v_stack[v_depth] - v_right
          WHEN '*' THEN v_stack[v_depth] * v_right
          WHEN '/' THEN v_stack[v_depth] / nullif(v_right, 0)
        END;
      END IF;
    END LOOP;
    RETURN CASE WHEN v_is_known OR NOT EXISTS (SELECT FROM unnest(p_postfix) t WHERE t ~ '^[a-z]') THEN v_stack[1] END;
  END $$;
  COMMENT ON FUNCTION app.evaluate_postfix IS
    'Codes, numbers and + - * / ~ (negation) over code -> value. A part without a value counts 0, all without one give '
    'null, and so does division by zero';
  GRANT EXECUTE ON FUNCTION app.evaluate_postfix TO authenticated, super_admin, service_role;
`;

const measures = `
  -- Rates of a fact are weighted with what they are rates of, so that sums of them can be divided again.
  CREATE VIEW app.measures WITH (security_invoker = true) AS
    SELECT f.clinic_id, f.date, f.provider_id, f.id AS fact_id,
           CASE f.metric_type WHEN 'production' THEN 'production' WHEN 'collection' THEN 'collections'
             WHEN 'adjustment' THEN 'adjustments' WHEN 'write_off' THEN 'write_offs' WHEN 'refund' THEN 'refunds'
             WHEN 'expense' THEN 'expenses' END AS code,
           f.amount::numeric AS value
      FROM public.financial_metrics f
    UNION ALL
    SELECT f.clinic_id, f.date, f.provider_id, f.id, m.code, m.value
      FROM public.appointment_metrics f CROSS JOIN LATERAL (VALUES
        ('appointments', f.scheduled_count::numeric),
        ('completed_appointments', f.completed_count::numeric),
        ('cancelled_appointments', f.cancelled_count::numeric),
        ('no_shows', f.no_show_count::numeric),
        ('appointment_production', f.production_amount),
        ('appointment_minutes', f.average_duration * f.completed_count),
        ('appointments_with_duration', CASE WHEN f.average_duration IS NOT NULL THEN f.completed_count::numeric END),
        ('utilization_points', f.utilization_rate * f.scheduled_count),
        ('appointments_with_utilization', CASE WHEN f.utilization_rate IS NOT NULL THEN f.scheduled_count::numeric END)
      ) AS m (code, value) WHERE m.value IS NOT NULL
    UNION ALL
    SELECT f.clinic_id, f.date, NULL::uuid, f.id, m.code, m.value
      FROM public.call_metrics f CROSS JOIN LATERAL (VALUES
        ('calls', f.total_calls::numeric),
        ('connected_calls', f.connected_calls::numeric),
        ('voicemails', f.voicemails::numeric),
        ('calls_booked', f.appointments_scheduled::numeric),
        ('call_seconds', f.average_call_duration * f.connected_calls),
        ('calls_with_duration', CASE WHEN f.average_call_duration IS NOT NULL THEN f.connected_calls::numeric END)
      ) AS m (code, value) WHERE m.value IS NOT NULL
    UNION ALL
    SELECT f.clinic_id, f.date, NULL::uuid, f.id, m.code, m.value
      FROM public.patient_metrics f CROSS JOIN LATERAL (VALUES
        ('active_patients', f.active_patients::numeric),
        ('new_patients', f.new_patients::numeric),
        ('reactivated_patients', f.reactivated_patients::numeric),
        ('lost_patients', f.lost_patients::numeric),
        ('retention_points', f.patient_retention_rate * coalesce(f.active_patients, 1)),
        ('patients_with_retention', CASE WHEN f.patient_retention_rate IS NOT NULL THEN coalesce(f.active_patients, 1)::numeric END),
        ('patient_value_total', f.average_patient_value * coalesce(f.active_patients, 1)),
        ('patients_with_value', CASE WHEN f.average_patient_value IS NOT NULL THEN coalesce(f.active_patients, 1)::numeric END),
        ('recare_points', f.recare_compliance_rate * coalesce(f.active_patients, 1)),
        ('patients_with_recare', CASE WHEN f.recare_compliance_rate IS NOT NULL THEN coalesce(f.active_patients, 1)::numeric END),
        ('acceptance_points', f.treatment_acceptance_rate * coalesce(f.active_patients, 1)),
        ('patients_with_acceptance', CASE WHEN f.treatment_acceptance_rate IS NOT NULL THEN coalesce(f.active_patients, 1)::numeric END)
      ) AS m (code, value) WHERE m.value IS NOT NULL;
  COMMENT ON VIEW app.measures IS 'Every fact as one row per measure: what the roll-ups add up, and what they are checked against';
  GRANT SELECT ON app.measures TO service_role;
`;

const baseDefinitions = `
  INSERT INTO public.metric_definitions (code, name, description, data_type, category, is_composite, is_system, behaviour)
  SELECT code, name, description, data_type, category, false, true, behaviour FROM (VALUES
    ('production', 'Production', 'Value of the treatments performed', 'currency', 'financial', 'sum'),
    ('collections', 'Collections', 'Payments received', 'currency', 'financial', 'sum'),
    ('adjustments', 'Adjustments', 'Discounts and corrections of what was produced', 'currency', 'financial', 'sum'),
    ('write_offs', 'Write-offs', 'What will not be collected any more', 'currency', 'financial', 'sum'),
    ('refunds', 'Refunds', 'Payments given back', 'currency', 'financial', 'sum'),
    ('expenses', 'Expenses', 'What the clinic spent', 'currency', 'financial', 'sum'),
    ('appointments', 'Appointments', 'Appointments that were scheduled', 'integer', 'appointments', 'sum'),
    ('completed_appointments', 'Completed appointments', NULL, 'integer', 'appointments', 'sum'),
    ('cancelled_appointments', 'Cancelled appointments', NULL, 'integer', 'appointments', 'sum'),
    ('no_shows', 'No-shows', 'Appointments to which nobody came', 'integer', 'appointments', 'sum'),
    ('appointment_production', 'Production of appointments', 'What the appointments themselves name', 'currency', 'appointments', 'sum'),
    ('appointment_minutes', 'Minutes of appointments', 'Average duration times completed appointments', 'duration', 'parts', 'sum'),
    ('appointments_with_duration', 'Appointments with a duration', NULL, 'integer', 'parts', 'sum'),
    ('utilization_points', 'Utilization, weighted', 'Percent times scheduled appointments', 'decimal', 'parts', 'sum'),
    ('appointments_with_utilization', 'Appointments with a utilization', NULL, 'integer', 'parts', 'sum'),
    ('calls', 'Calls', NULL, 'integer', 'calls', 'sum'),
    ('connected_calls', 'Connected calls', NULL, 'integer', 'calls', 'sum'),
    ('voicemails', 'Voicemails', NULL, 'integer', 'calls', 'sum'),
    ('calls_booked', 'Appointments booked by telephone', NULL, 'integer', 'calls', 'sum'),
    ('call_seconds', 'Seconds of calls', 'Average duration times connected calls', 'duration', 'parts', 'sum'),
    ('calls_with_duration', 'Calls with a duration', NULL, 'integer', 'parts', 'sum'),
    ('active_patients', 'Active patients', 'As last reported', 'integer', 'patients', 'last'),
    ('new_patients', 'New patients', NULL, 'integer', 'patients', 'sum'),
    ('reactivated_patients', 'Reactivated patients', NULL, 'integer', 'patients', 'sum'),
    ('lost_patients', 'Lost patients', NULL, 'integer', 'patients', 'sum'),
    ('retention_points', 'Retention, weighted', 'Percent times active patients', 'decimal', 'parts', 'sum'),
    ('patients_with_retention', 'Patients with a retention', NULL, 'integer', 'parts', 'sum'),
    ('patient_value_total', 'Value of all patients', 'Average value times active patients', 'currency', 'parts', 'sum'),
    ('patients_with_value', 'Patients with a value', NULL, 'integer', 'parts', 'sum'),
    ('recare_points', 'Recare compliance, weighted', 'Percent times active patients', 'decimal', 'parts', 'sum'),
    ('patients_with_recare', 'Patients with a recare compliance', NULL, 'integer', 'parts', 'sum'),
    ('acceptance_points', 'Treatment acceptance, weighted', 'Percent times active patients', 'decimal', 'parts', 'sum'),
    ('patients_with_acceptance', 'Patients with a treatment acceptance', NULL, 'integer', 'parts', 'sum')
  ) AS base (code, name, description, data_type, category, behaviour);
`;

const compositeDefinitions = `
  INSERT INTO public.metric_definitions
    (code, name, description, data_type, category, is_composite, is_system, calculation_formula, postfix)
  SELECT code, name, description, data_type, category, true, true, formula, string_to_array(postfix, ' ') FROM (VALUES
    ('net_production', 'Net production', 'Production less adjustments and write-offs', 'currency', 'financial',
     'production - adjustments - write_offs', 'production adjustments - write_offs -'),
    ('collection_rate', 'Collection rate', 'Collections in percent of the net production', 'percentage', 'financial',
     'collections / net_production * 100', 'collections production adjustments - write_offs - / 100 *'),
    ('completion_rate', 'Completion rate', 'Completed in percent of the scheduled appointments', 'percentage', 'appointments',
     'completed_appointments / appointments * 100', 'completed_appointments appointments / 100 *'),
    ('no_show_rate', 'No-show rate', 'No-shows in percent of the scheduled appointments', 'percentage', 'appointments',
     'no_shows / appointments * 100', 'no_shows appointments / 100 *'),
    ('cancellation_rate', 'Cancellation rate', 'Cancelled in percent of the scheduled appointments', 'percentage', 'appointments',
     'cancelled_appointments / appointments * 100', 'cancelled_appointments appointments / 100 *'),
    ('utilization', 'Utilization', 'Percent of the chair time used, weighted with the appointments', 'percentage', 'appointments',
     'utilization_points / appointments_with_utilization', 'utilization_points appointments_with_utilization /'),
    ('average_appointment_duration', 'Average duration of an appointment', 'Minutes', 'duration', 'appointments',
     'appointment_minutes / appointments_with_duration', 'appointment_minutes appointments_with_duration /'),
    ('call_conversion', 'Call conversion', 'Appointments booked in percent of the connected calls', 'percentage', 'calls',
     'calls_booked / connected_calls * 100', 'calls_booked connected_calls / 100 *'),
    ('average_call_duration', 'Average duration of a call', 'Seconds', 'duration', 'calls',
     'call_seconds / calls_with_duration', 'call_seconds calls_with_duration /'),
    ('retention', 'Patient retention', 'Percent, weighted with the active patients', 'percentage', 'patients',
     'retention_points / patients_with_retention', 'retention_points patients_with_retention /'),
    ('average_patient_value', 'Average value of a patient', 'Weighted with the active patients', 'currency', 'patients',
     'patient_value_total / patients_with_value', 'patient_value_total patients_with_value /'),
    ('recare_compliance', 'Recare compliance', 'Percent, weighted with the active patients', 'percentage', 'patients',
     'recare_points / patients_with_recare', 'recare_points patients_with_recare /'),
    ('treatment_acceptance', 'Treatment acceptance', 'Percent, weighted with the active patients', 'percentage', 'patients',
     'acceptance_points / patients_with_acceptance', 'acceptance_points patients_with_acceptance /')
  ) AS composite (code, name, description, data_type, category, formula, postfix);
`;
