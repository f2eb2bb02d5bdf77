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
 * The rate of a month is not the mean of the rates of its days: it is a formula over sums, or, where the facts bring a
 * rate, weighted with what that is a rate of.
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
    CONSTRAINT metric_definitions_behaviour_check CHECK (behaviour IN ('sum', 'mean', 'last')),
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
    'How facts become a period: their sum, their mean weighted with what they are rates of, or the last known';
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
  -- A rate comes with what it is a rate of: roll-ups weight it with that. Where nothing happened there is no rate.
  CREATE VIEW app.measures WITH (security_invoker = true) AS
    SELECT f.clinic_id, f.date, f.provider_id,
           CASE f.metric_type WHEN 'production' THEN 'production' WHEN 'collection' THEN 'collections'
             WHEN 'adjustment' THEN 'adjustments' WHEN 'write_off' THEN 'write_offs' WHEN 'refund' THEN 'refunds'
             WHEN 'expense' THEN 'expenses' END AS code,
           f.amount::numeric AS value, NULL::integer AS weight, NULL::uuid AS level_of
      FROM public.financial_metrics f
    UNION ALL
    SELECT f.clinic_id, f.date, f.provider_id, m.code, m.value, m.weight, NULL::uuid
      FROM public.appointment_metrics f CROSS JOIN LATERAL (VALUES
        ('appointments', f.scheduled_count::numeric, NULL::integer),
        ('completed_appointments', f.completed_count::numeric, NULL),
        ('cancelled_appointments', f.cancelled_count::numeric, NULL),
        ('no_shows', f.no_show_count::numeric, NULL),
        ('appointment_production', f.production_amount, NULL),
        ('average_appointment_duration', f.average_duration, f.completed_count),
        ('utilization', f.utilization_rate, f.scheduled_count)
      ) AS m (code, value, weight) WHERE m.value IS NOT NULL AND m.weight IS DISTINCT FROM 0
    UNION ALL
    SELECT f.clinic_id, f.date, NULL::uuid, m.code, m.value, m.weight, NULL::uuid
      FROM public.call_metrics f CROSS JOIN LATERAL (VALUES
        ('calls', f.total_calls::numeric, NULL::integer),
        ('connected_calls', f.connected_calls::numeric, NULL),
        ('voicemails', f.voicemails::numeric, NULL),
        ('calls_booked', f.appointments_scheduled::numeric, NULL),
        ('average_call_duration', f.average_call_duration, f.connected_calls)
      ) AS m (code, value, weight) WHERE m.value IS NOT NULL AND m.weight IS DISTINCT FROM 0
    UNION ALL
    SELECT f.clinic_id, f.date, NULL::uuid, m.code, m.value, m.weight, CASE m.code WHEN 'active_patients' THEN f.id END
      FROM public.patient_metrics f CROSS JOIN LATERAL (VALUES
        ('active_patients', f.active_patients::numeric, NULL::integer),
        ('new_patients', f.new_patients::numeric, NULL),
        ('reactivated_patients', f.reactivated_patients::numeric, NULL),
        ('lost_patients', f.lost_patients::numeric, NULL),
        ('retention', f.patient_retention_rate, coalesce(f.active_patients, 1)),
        ('average_patient_value', f.average_patient_value, coalesce(f.active_patients, 1)),
        ('recare_compliance', f.recare_compliance_rate, coalesce(f.active_patients, 1)),
        ('treatment_acceptance', f.treatment_acceptance_rate, coalesce(f.active_patients, 1))
      ) AS m (code, value, weight) WHERE m.value IS NOT NULL AND m.weight IS DISTINCT FROM 0;
  COMMENT ON VIEW app.measures IS 'Every fact as one row per measure: what roll-ups are made of and checked against';
  COMMENT ON COLUMN app.measures.weight IS 'Of a rate: what it is a rate of';
  COMMENT ON COLUMN app.measures.level_of IS 'Of a level, the fact: the last of a day counts, 900 patients twice are not 1,800';
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
    ('average_appointment_duration', 'Average duration of an appointment', 'Minutes; weighted with the completed appointments', 'duration', 'appointments', 'mean'),
    ('utilization', 'Utilization', 'Percent of the chair time used; weighted with the scheduled appointments', 'percentage', 'appointments', 'mean'),
    ('calls', 'Calls', NULL, 'integer', 'calls', 'sum'),
    ('connected_calls', 'Connected calls', NULL, 'integer', 'calls', 'sum'),
    ('voicemails', 'Voicemails', NULL, 'integer', 'calls', 'sum'),
    ('calls_booked', 'Appointments booked by telephone', NULL, 'integer', 'calls', 'sum'),
    ('average_call_duration', 'Average duration of a call', 'Seconds; weighted with the connected calls', 'duration', 'calls', 'mean'),
    ('active_patients', 'Active patients', 'As last reported', 'integer', 'patients', 'last'),
    ('new_patients', 'New patients', NULL, 'integer', 'patients', 'sum'),
    ('reactivated_patients', 'Reactivated patients', NULL, 'integer', 'patients', 'sum'),
    ('lost_patients', 'Lost patients', NULL, 'integer', 'patients', 'sum'),
    ('retention', 'Patient retention', 'Percent; weighted with the active patients', 'percentage', 'patients', 'mean'),
    ('average_patient_value', 'Average value of a patient', 'Weighted with the active patients', 'currency', 'patients', 'mean'),
    ('recare_compliance', 'Recare compliance', 'Percent; weighted with the active patients', 'percentage', 'patients', 'mean'),
    ('treatment_acceptance', 'Treatment acceptance', 'Percent; weighted with the active patients', 'percentage', 'patients', 'mean')
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
    ('call_conversion', 'Call conversion', 'Appointments booked in percent of the connected calls', 'percentage', 'calls',
     'calls_booked / connected_calls * 100', 'calls_booked connected_calls / 100 *')
  ) AS composite (code, name, description, data_type, category, formula, postfix);
`;
