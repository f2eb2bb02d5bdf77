import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
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
 * What a clinic, or one of its providers, wants to reach by when.
 *
 * Values follow the roll-ups: `app.after_roll_up` measures the goals of the clinics whose roll-ups changed. What holds
 * of a goal whoever writes it is held here: which state follows which, that nobody edits a closed one, that only a
 * clinic_admin edits what is to be reached, that there is one active goal per metric, provider and period.
 */
export class CreateGoals1795219203300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // Comparing for equality within an exclusion constraint. PostgreSQL's own, and trusted since version 13.
    await queryRunner.query('CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public');
    for (const statement of [ownProviders, templates, goals, progress, checks, measuring, closing, targets])
      await queryRunner.query(statement);
    await queryRunner.query(systemTemplates);
    await queryRunner.query(afterRollUp('PERFORM app.measure_goals(p_clinics);'));
    await touchUpdatedAt(queryRunner, 'public.goal_templates');
    await touchUpdatedAt(queryRunner, 'public.goals');
    await declareTemplates(queryRunner);
    await declareGoals(queryRunner);
    await queryRunner.query(auditedByHand);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(afterRollUp('NULL;'));
    await queryRunner.query(`
      DROP TRIGGER keep_metrics_of_templates ON public.metric_definitions;
      DROP TABLE public.goal_progress, public.goals, public.goal_templates;
      DROP FUNCTION app.goal_target(uuid, uuid, uuid, text[], text, date, date);
      DROP FUNCTION app.close_goals(timestamptz), app.measure_goals_of_new_days(timestamptz);
      DROP FUNCTION app.measure_goals(uuid[], timestamptz);
      DROP FUNCTION app.keep_metrics_of_templates(), app.check_goal(), app.check_goal_template(), app.measure_goal(), app.record_goal_progress();
      DROP FUNCTION app.metric_accumulates(uuid), app.goal_period_end(text, date), app.goal_period_length(text);
      DROP FUNCTION app.own_provider_ids();
      DROP EXTENSION btree_gist;
    `);
  }
}

const ownProviders = `
  CREATE FUNCTION app.own_provider_ids() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_user uuid := app.user_id();
  BEGIN
    RETURN ARRAY(SELECT p.id FROM public.providers p WHERE p.user_id = v_user);
  END $$;
  COMMENT ON FUNCTION app.own_provider_ids IS
    'The provider records of the caller, in all clinics. SECURITY DEFINER as app.clinic_ids: a policy asks it';
  GRANT EXECUTE ON FUNCTION app.own_provider_ids TO authenticated;
`;

const templates = `
  CREATE TABLE public.goal_templates (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid,
    name text NOT NULL,
    description text,
    category text,
    metric_definition_id uuid NOT NULL,
    direction text NOT NULL DEFAULT 'at_least',
    target_formula text NOT NULL,
    time_period text NOT NULL,
    is_system_template boolean NOT NULL DEFAULT false,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT goal_templates_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    -- Not with the tenant: the system's definitions have none. app.check_goal_template asks whose it is.
    CONSTRAINT goal_templates_metric_definition_id_fkey FOREIGN KEY (metric_definition_id)
      REFERENCES public.metric_definitions (id),
    CONSTRAINT goal_templates_name_key UNIQUE NULLS NOT DISTINCT (clinic_id, name),
    CONSTRAINT goal_templates_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT goal_templates_description_check CHECK (length(description) BETWEEN 1 AND 2000),
    CONSTRAINT goal_templates_category_check CHECK (length(category) BETWEEN 1 AND 200),
    CONSTRAINT goal_templates_direction_check CHECK (direction IN ('at_least', 'at_most')),
    CONSTRAINT goal_templates_target_formula_check CHECK (length(target_formula) BETWEEN 1 AND 500),
    CONSTRAINT goal_templates_time_period_check CHECK (time_period IN ('weekly', 'monthly', 'quarterly', 'yearly')),
    -- A row without a clinic is everybody's to read: only what the system itself brings may be one.
    CONSTRAINT goal_templates_is_system_template_check CHECK (is_system_template = (clinic_id IS NULL))
  );
  COMMENT ON TABLE public.goal_templates IS 'Goals to be set again and again: a metric, a period, and a formula for the target';
  COMMENT ON COLUMN public.goal_templates.target_formula IS
    'Over last_value and last_year_value (the metric over the period before, and over the same a year ago), metrics over '
    'the period before, and numbers';
  CREATE INDEX goal_templates_metric_definition_id_idx ON public.goal_templates (metric_definition_id);
`;

const goals = `
  CREATE TABLE public.goals (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    provider_id uuid,
    metric_definition_id uuid NOT NULL,
    template_id uuid,
    name text NOT NULL,
    time_period text NOT NULL,
    start_date date NOT NULL,
    end_date date NOT NULL,
    target_value numeric(16,2) NOT NULL,
    direction text NOT NULL,
    status text NOT NULL,
    current_value numeric,
    progress numeric GENERATED ALWAYS AS (round(100 * current_value / nullif(target_value, 0), 2)) STORED,
    measured_on date,
    closed_at timestamptz,
    closing_note text,
    legacy_id text,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT goals_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT goals_clinic_id_id_key UNIQUE (clinic_id, id),
    CONSTRAINT goals_provider_id_fkey FOREIGN KEY (clinic_id, provider_id) REFERENCES public.providers (clinic_id, id),
    -- Not with the tenant: the system's definitions and templates have none. app.check_goal asks whose they are.
    CONSTRAINT goals_metric_definition_id_fkey FOREIGN KEY (metric_definition_id) REFERENCES public.metric_definitions (id),
    CONSTRAINT goals_template_id_fkey FOREIGN KEY (template_id) REFERENCES public.goal_templates (id) ON DELETE SET NULL,
    CONSTRAINT goals_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT goals_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT goals_time_period_check CHECK (time_period IN ('weekly', 'monthly', 'quarterly', 'yearly', 'custom')),
    CONSTRAINT goals_start_date_check CHECK (start_date BETWEEN '1990-01-01' AND '2199-12-31'),
    CONSTRAINT goals_end_date_check CHECK (end_date > start_date AND end_date <= '2299-12-31'),
    CONSTRAINT goals_direction_check CHECK (direction IN ('at_least', 'at_most')),
    -- Nothing is no target to reach, though it may well be a limit: no appointment missed.
    CONSTRAINT goals_target_value_check CHECK (target_value > 0 OR (target_value = 0 AND direction = 'at_most')),
    CONSTRAINT goals_status_check CHECK (status IN ('draft', 'active', 'achieved', 'missed', 'cancelled')),
    CONSTRAINT goals_closed_at_check CHECK ((closed_at IS NOT NULL) = (status IN ('achieved', 'missed', 'cancelled'))),
    CONSTRAINT goals_closing_note_check CHECK (closing_note IS NULL OR (closing_note = 'no-data' AND status = 'missed')),
    -- One at a time of one kind of period: a year's goal stands beside those of its months. A provider of NULL is the
    -- whole clinic, which is one too: compared as it is, it would differ from itself.
    CONSTRAINT goals_metric_definition_id_excl EXCLUDE USING gist (
      clinic_id WITH =, metric_definition_id WITH =, (coalesce(provider_id, '00000000-0000-0000-0000-000000000000')) WITH =,
      time_period WITH =, (daterange(start_date, end_date, '[]')) WITH &&) WHERE (status = 'active')
  );
  COMMENT ON TABLE public.goals IS 'What a clinic (provider null) or a provider is to reach in a metric, from when to when';
  COMMENT ON COLUMN public.goals.current_value IS 'The metric from the start to measured_on; null without facts';
  COMMENT ON COLUMN public.goals.progress IS 'The current value in percent of the target';
  COMMENT ON COLUMN public.goals.measured_on IS 'The last day that went in: today where the clinic is, at most the end';
  COMMENT ON COLUMN public.goals.closing_note IS 'Why it was missed, where the value does not say: no-data';
  CREATE INDEX goals_clinic_id_idx ON public.goals (clinic_id, start_date DESC, id DESC);
  CREATE INDEX goals_provider_id_idx ON public.goals (provider_id);
  CREATE INDEX goals_metric_definition_id_idx ON public.goals (metric_definition_id);
  CREATE INDEX goals_template_id_idx ON public.goals (template_id);
  CREATE INDEX goals_end_date_idx ON public.goals (end_date) WHERE status = 'active';
`;

const progress = `
  CREATE TABLE public.goal_progress (
    clinic_id uuid NOT NULL,
    goal_id uuid NOT NULL,
    date date NOT NULL,
    value numeric,
    target_value numeric NOT NULL,
    progress numeric,
    CONSTRAINT goal_progress_pkey PRIMARY KEY (clinic_id, goal_id, date),
    CONSTRAINT goal_progress_goal_id_fkey FOREIGN KEY (clinic_id, goal_id) REFERENCES public.goals (clinic_id, id) ON DELETE CASCADE
  );
  COMMENT ON TABLE public.goal_progress IS
    'How far a goal was on each of its days, as it was known on that day; kept by app.record_goal_progress';

  CREATE FUNCTION app.record_goal_progress() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    INSERT INTO public.goal_progress AS p (clinic_id, goal_id, date, value, target_value, progress)
    SELECT n.clinic_id, n.id, n.measured_on, n.current_value, n.target_value, n.progress
      FROM new_rows n WHERE n.status IN ('active', 'achieved', 'missed') AND n.measured_on IS NOT NULL
        ON CONFLICT ON CONSTRAINT goal_progress_pkey DO UPDATE
       SET value = excluded.value, target_value = excluded.target_value, progress = excluded.progress;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.record_goal_progress IS
    'One row per goal and day, the last value of the day. SECURITY DEFINER: no role of the API writes the table';
  CREATE TRIGGER record_progress_insert AFTER INSERT ON public.goals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.record_goal_progress();
  CREATE TRIGGER record_progress_update AFTER UPDATE ON public.goals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.record_goal_progress();
`;

const checks = `
  CREATE FUNCTION app.check_goal() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_is_by_hand boolean := current_user IN ('authenticated', 'super_admin');
  BEGIN
    IF TG_OP = 'INSERT' THEN
      IF v_is_by_hand AND NEW.status NOT IN ('draft', 'active') THEN
        RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'goal-transition';
      END IF;
      IF NOT EXISTS (SELECT FROM public.metric_definitions d
                      WHERE d.id = NEW.metric_definition_id AND (d.is_system OR d.clinic_id = NEW.clinic_id)) THEN
        RAISE EXCEPTION USING ERRCODE = '23503', MESSAGE = 'The metric is not there', TABLE = 'goals',
          CONSTRAINT = 'goals_metric_definition_id_fkey';
      END IF;
      IF NEW.template_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM public.goal_templates t WHERE t.id = NEW.template_id
              AND (t.is_system_template OR t.clinic_id = NEW.clinic_id)) THEN
        RAISE EXCEPTION USING ERRCODE = '23503', MESSAGE = 'The template is not there', TABLE = 'goals',
          CONSTRAINT = 'goals_template_id_fkey';
      END IF;
      RETURN NEW;
    END IF;

    -- The same table as in goal-states.ts; a goal is achieved or missed by its value alone, never by hand.
    IF NEW.status <> OLD.status AND NOT EXISTS (
         SELECT FROM (VALUES ('draft', 'active', true), ('draft', 'cancelled', true), ('active', 'cancelled', true),
                             ('active', 'achieved', false), ('active', 'missed', false)) AS t (from_status, to_status, is_by_hand)
          WHERE t.from_status = OLD.status AND t.to_status = NEW.status AND t.is_by_hand >= v_is_by_hand) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'goal-transition';
    END IF;
    IF v_is_by_hand AND OLD.closed_at IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'goal-closed';
    END IF;
    -- Asked in a statement of its own: only this role may call the function.
    IF current_user = 'authenticated' THEN
      IF (NEW.target_value, NEW.direction, NEW.start_date, NEW.end_date)
           IS DISTINCT FROM (OLD.target_value, OLD.direction, OLD.start_date, OLD.end_date)
         AND NEW.clinic_id <> ALL (app.active_clinic_ids('clinic_admin')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'forbidden',
          DETAIL = 'Only a clinic_admin changes what a goal is to reach, and by when.';
      END IF;
    END IF;
    IF NEW.status = 'cancelled' THEN
      NEW.closed_at := coalesce(NEW.closed_at, now());
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.check_goal IS 'What a goal may become, and through whom';
  CREATE TRIGGER check_goal BEFORE INSERT OR UPDATE ON public.goals FOR EACH ROW EXECUTE FUNCTION app.check_goal();

  CREATE FUNCTION app.check_goal_template() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NOT EXISTS (SELECT FROM public.metric_definitions d
                    WHERE d.id = NEW.metric_definition_id AND (d.is_system OR d.clinic_id = NEW.clinic_id)) THEN
      RAISE EXCEPTION USING ERRCODE = '23503', MESSAGE = 'The metric is not there', TABLE = 'goal_templates',
        CONSTRAINT = 'goal_templates_metric_definition_id_fkey';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.check_goal_template IS 'A template is about a metric of the system or of its own clinic';
  CREATE TRIGGER check_goal_template BEFORE INSERT OR UPDATE OF metric_definition_id ON public.goal_templates
    FOR EACH ROW EXECUTE FUNCTION app.check_goal_template();

  CREATE FUNCTION app.keep_metrics_of_templates() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_templates text;
  BEGIN
    -- With a clinic go its metrics and templates, in whichever order.
    IF OLD.clinic_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.clinics c WHERE c.id = OLD.clinic_id) THEN
      RETURN OLD;
    END IF;
    SELECT string_agg(DISTINCT t.name, ', ' ORDER BY t.name) INTO v_templates FROM public.goal_templates t
     WHERE (OLD.is_system OR t.clinic_id = OLD.clinic_id) AND OLD.code NOT IN ('last_value', 'last_year_value')
       AND t.target_formula ~ ('\\m' || OLD.code || '\\M');
    IF v_templates IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'still-referenced',
        DETAIL = 'Formulas of goal templates rest on it: ' || v_templates || '.';
    END IF;
    RETURN OLD;
  END $$;
  COMMENT ON FUNCTION app.keep_metrics_of_templates IS
    'A metric stays while the formula of a template names it: no foreign key leads from within a text';
  CREATE TRIGGER keep_metrics_of_templates BEFORE DELETE ON public.metric_definitions
    FOR EACH ROW EXECUTE FUNCTION app.keep_metrics_of_templates();
`;

const measuring = `
  CREATE FUNCTION app.measure_goal() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    SELECT CASE WHEN NEW.start_date <= d.day THEN least(NEW.end_date, d.day) END INTO NEW.measured_on
      FROM (SELECT (now() AT TIME ZONE c.time_zone)::date AS day FROM public.clinics c WHERE c.id = NEW.clinic_id) d;
    NEW.current_value := (
      SELECT round(v.value, 2)
        FROM public.metric_definitions d
       CROSS JOIN LATERAL app.metric_values(NEW.clinic_id, NEW.provider_id, ARRAY[d.code], NEW.start_date, NEW.measured_on) v
       WHERE d.id = NEW.metric_definition_id);
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.measure_goal IS 'A goal that becomes active or is edited shows its value at once';
  CREATE TRIGGER measure_goal_insert BEFORE INSERT ON public.goals
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION app.measure_goal();
  CREATE TRIGGER measure_goal_update BEFORE UPDATE OF status, target_value, start_date, end_date ON public.goals
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION app.measure_goal();

  CREATE FUNCTION app.measure_goals(p_clinics uuid[], p_now timestamptz DEFAULT now()) RETURNS integer
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_changed integer;
  BEGIN
    -- Tells the audit log that this is no edit: it would get a line per goal and minute. Not as a setting of the
    -- function, which only a superuser may attach.
    PERFORM set_config('app.is_measuring', 'yes', true);
    -- Locked in one order, so that two workers do not wait for each other.
    WITH due AS MATERIALIZED (
      SELECT g.id, g.clinic_id, g.provider_id, g.metric_definition_id, g.start_date,
             least(g.end_date, (p_now AT TIME ZONE c.time_zone)::date) AS measured_on
        FROM public.goals g JOIN public.clinics c ON c.id = g.clinic_id
       WHERE g.clinic_id = ANY (p_clinics) AND g.status = 'active' AND g.start_date <= (p_now AT TIME ZONE c.time_zone)::date
       ORDER BY g.id FOR UPDATE OF g
    ), measured AS (
      SELECT due.id, due.measured_on, round(v.value, 2) AS value
        FROM due JOIN public.metric_definitions d ON d.id = due.metric_definition_id
       CROSS JOIN LATERAL app.metric_values(due.clinic_id, due.provider_id, ARRAY[d.code], due.start_date, due.measured_on) v
    ), changed AS (
      UPDATE public.goals g SET current_value = m.value, measured_on = m.measured_on
        FROM measured m
       WHERE g.id = m.id AND (g.current_value, g.measured_on) IS DISTINCT FROM (m.value, m.measured_on)
      RETURNING 1
    )
    SELECT count(*) INTO v_changed FROM changed;
    PERFORM set_config('app.is_measuring', '', true);
    RETURN v_changed;
  END $$;
  COMMENT ON FUNCTION app.measure_goals IS 'Takes the values of the active goals of these clinics from the roll-ups; answers how many changed';

  CREATE FUNCTION app.measure_goals_of_new_days(p_now timestamptz DEFAULT now()) RETURNS integer LANGUAGE sql SET search_path = '' AS $$
    SELECT app.measure_goals(ARRAY(
      SELECT DISTINCT g.clinic_id FROM public.goals g JOIN public.clinics c ON c.id = g.clinic_id
       WHERE g.status = 'active' AND g.start_date <= (p_now AT TIME ZONE c.time_zone)::date
         AND g.measured_on IS DISTINCT FROM least(g.end_date, (p_now AT TIME ZONE c.time_zone)::date)), p_now)
  $$;
  COMMENT ON FUNCTION app.measure_goals_of_new_days IS 'Measures the goals of clinics where another day has begun, facts or not';

  CREATE FUNCTION app.metric_accumulates(p_definition uuid) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = '' AS $$
  DECLARE
    v_postfix text[];
    v_data_type text;
    v_sums text[];
    v_token text;
    v_degrees integer[] := '{}';
    v_depth integer := 0;
    v_right integer;
  BEGIN
    SELECT coalesce(d.postfix, ARRAY[d.code]), d.data_type INTO v_postfix, v_data_type
      FROM public.metric_definitions d WHERE d.id = p_definition;
    IF v_data_type = 'percentage' THEN
      RETURN false;
    END IF;
    v_sums := ARRAY(SELECT d.code FROM public.metric_definitions d
                     WHERE d.code = ANY (v_postfix) AND d.is_system AND NOT d.is_composite AND d.behaviour = 'sum');
    FOREACH v_token IN ARRAY v_postfix LOOP
      IF v_token ~ '^[a-z0-9]' THEN
        v_depth := v_depth + 1;
        v_degrees[v_depth] := (v_token = ANY (v_sums))::integer;
      ELSIF v_token <> '~' THEN
        v_right := v_degrees[v_depth];
        v_depth := v_depth - 1;
        IF v_token IN ('+', '-') AND v_degrees[v_depth] <> v_right THEN
          RETURN false;
        END IF;
        v_degrees[v_depth] := v_degrees[v_depth] + CASE v_token WHEN '*' THEN v_right WHEN '/' THEN -v_right ELSE 0 END;
      END IF;
    END LOOP;
    RETURN v_degrees[1] = 1;
  END $$;
  COMMENT ON FUNCTION app.metric_accumulates IS
    'Whether twice the days are expected to bring twice the value: of sums and of formulas that are of the first degree in '
    'them, as the net production is. Rates, means and levels do not add up';
`;

const closing = `
  CREATE FUNCTION app.close_goals(p_now timestamptz DEFAULT now()) RETURNS integer LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_closed integer;
  BEGIN
    -- A clinic whose facts of the period are not rolled up yet waits; who is being edited is taken the next time.
    WITH due AS MATERIALIZED (
      SELECT g.id, g.clinic_id, g.provider_id, g.metric_definition_id, g.start_date, g.end_date
        FROM public.goals g JOIN public.clinics c ON c.id = g.clinic_id
       WHERE g.status = 'active' AND g.end_date < (p_now AT TIME ZONE c.time_zone)::date
         AND NOT EXISTS (SELECT FROM public.metric_dirty_days n
                          WHERE n.clinic_id = g.clinic_id AND n.date BETWEEN g.start_date AND g.end_date)
       ORDER BY g.id FOR UPDATE OF g SKIP LOCKED
    ), measured AS (
      SELECT due.id, due.end_date, round(v.value, 2) AS value
        FROM due JOIN public.metric_definitions d ON d.id = due.metric_definition_id
       CROSS JOIN LATERAL app.metric_values(due.clinic_id, due.provider_id, ARRAY[d.code], due.start_date, due.end_date) v
    ), closed AS (
      UPDATE public.goals g
         SET current_value = m.value, measured_on = m.end_date, closed_at = now(),
             status = CASE WHEN m.value >= g.target_value AND g.direction = 'at_least' THEN 'achieved'
                           WHEN m.value <= g.target_value AND g.direction = 'at_most' THEN 'achieved' ELSE 'missed' END,
             -- Nothing was entered: that is no success, not even of a limit.
             closing_note = CASE WHEN m.value IS NULL THEN 'no-data' END
        FROM measured m WHERE g.id = m.id
      RETURNING 1
    )
    SELECT count(*) INTO v_closed FROM closed;
    RETURN v_closed;
  END $$;
  COMMENT ON FUNCTION app.close_goals IS
    'Closes the goals of clinics where the day after the end has begun, by their final value; answers how many';
  GRANT EXECUTE ON FUNCTION app.measure_goals, app.measure_goals_of_new_days, app.close_goals TO service_role;
`;

const targets = `
  CREATE FUNCTION app.goal_period_length(p_period text) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE p_period WHEN 'weekly' THEN interval '7 days' WHEN 'monthly' THEN interval '1 month'
      WHEN 'quarterly' THEN interval '3 months' WHEN 'yearly' THEN interval '1 year' END;

  CREATE FUNCTION app.goal_period_end(p_period text, p_start date) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (p_start + app.goal_period_length(p_period))::date - 1;
  COMMENT ON FUNCTION app.goal_period_end IS 'The last day of a period that begins on any day; null for a custom one';

  CREATE FUNCTION app.goal_target(
    p_clinic uuid, p_provider uuid, p_definition uuid, p_postfix text[], p_period text, p_start date, p_end date
  ) RETURNS numeric LANGUAGE plpgsql STABLE SET search_path = '' AS $$
  DECLARE
    v_length interval := coalesce(app.goal_period_length(p_period), make_interval(days => p_end - p_start + 1));
    v_from date := (p_start - v_length)::date;
    -- Its end follows from its start as that of the goal does: a February of 28 days had 29 in a leap year.
    v_year_ago date := (p_start - interval '1 year')::date;
    v_code text;
    v_data_type text;
    v_known jsonb;
    v_target numeric;
  BEGIN
    SELECT d.code, d.data_type INTO v_code, v_data_type FROM public.metric_definitions d WHERE d.id = p_definition;
    SELECT coalesce(jsonb_object_agg(v.code, v.value), '{}') INTO v_known
      FROM app.metric_values(p_clinic, p_provider, p_postfix, v_from, p_start - 1) v;
    v_known := v_known || jsonb_build_object(
      'last_value', (SELECT v.value FROM app.metric_values(p_clinic, p_provider, ARRAY[v_code], v_from, p_start - 1) v),
      'last_year_value', (SELECT v.value FROM app.metric_values(p_clinic, p_provider, ARRAY[v_code],
        v_year_ago, coalesce(app.goal_period_end(p_period, v_year_ago), (p_end - interval '1 year')::date)) v));
    -- What the formula is about must be known: as nothing it would make a target of 0.
    IF ('last_value' = ANY (p_postfix) AND v_known ->> 'last_value' IS NULL)
       OR ('last_year_value' = ANY (p_postfix) AND v_known ->> 'last_year_value' IS NULL) THEN
      RETURN NULL;
    END IF;
    v_target := app.evaluate_postfix(p_postfix, v_known);
    RETURN round(v_target, CASE v_data_type WHEN 'integer' THEN 0 ELSE 2 END);
  END $$;
  COMMENT ON FUNCTION app.goal_target IS
    'The target that a compiled formula gives for a goal; null when what it rests on is not known';
  GRANT EXECUTE ON FUNCTION app.metric_accumulates, app.goal_period_length, app.goal_period_end, app.goal_target
    TO authenticated, super_admin, service_role;
`;

const systemTemplates = `
  INSERT INTO public.goal_templates
    (name, description, category, metric_definition_id, direction, target_formula, time_period, is_system_template)
  SELECT t.name, t.description, d.category, d.id, t.direction, t.formula, t.period, true
    FROM (VALUES
      ('Production up 5 %', 'Five percent above the month before', 'production', 'at_least', 'last_value * 1.05', 'monthly'),
      ('Production above last year', 'Five percent above the same quarter a year ago', 'production', 'at_least',
       'last_year_value * 1.05', 'quarterly'),
      ('Collect what is produced', 'At least 98 percent of the net production', 'collection_rate', 'at_least', '98', 'monthly'),
      ('Few no-shows', 'At most 5 percent of the appointments', 'no_show_rate', 'at_most', '5', 'monthly'),
      ('Few cancellations', 'At most 10 percent of the appointments', 'cancellation_rate', 'at_most', '10', 'monthly'),
      ('More new patients', 'Ten percent above the month before', 'new_patients', 'at_least', 'last_value * 1.1', 'monthly'),
      ('Book more calls', 'Five percent better than the month before', 'call_conversion', 'at_least', 'last_value * 1.05', 'monthly'),
      ('Spend less', 'Five percent below the quarter before', 'expenses', 'at_most', 'last_value * 0.95', 'quarterly')
    ) AS t (name, description, code, direction, formula, period)
    JOIN public.metric_definitions d ON d.code = t.code AND d.is_system;
`;

/** The roll-ups' own migration makes it empty; goals give it something to do. */
const afterRollUp = (body: string): string => `
  CREATE OR REPLACE FUNCTION app.after_roll_up(p_clinics uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    ${body}
  END $$;`;

async function declareTemplates(queryRunner: QueryRunner): Promise<void> {
  const own = both(activeClinicRows('clinic_id', 'clinic_admin'), 'NOT is_system_template');
  const described = ['name', 'description', 'category', 'direction', 'target_formula', 'time_period'];
  const written = [...described, 'metric_definition_id'];
  await declareAccess(queryRunner, {
    table: 'public.goal_templates',
    access: {
      authenticated: {
        select: { rows: either('is_system_template', clinicRows('clinic_id', 'viewer')) },
        insert: {
          rows: both(own, ownRows('created_by')),
          columns: ['clinic_id', ...written, 'is_system_template', 'created_by'],
        },
        update: { rows: own, columns: written },
        delete: { rows: own },
      },
      super_admin: everything,
      service_role: { select: { rows: everyRow } },
    },
    audit: { clinic: 'clinic_id' },
  });
}

/** A provider's own goals are those of the caller's provider record; the rest of what is theirs app.check_goal says. */
async function declareGoals(queryRunner: QueryRunner): Promise<void> {
  const ownGoals = both(
    activeClinicRows('clinic_id', 'provider'),
    'provider_id = ANY ((SELECT app.own_provider_ids())::uuid[])',
  );
  const writable = either(activeClinicRows('clinic_id', 'clinic_admin'), ownGoals);
  const described = ['name', 'start_date', 'end_date', 'target_value', 'direction', 'status'];
  const fixed = ['clinic_id', 'provider_id', 'metric_definition_id', 'template_id', 'time_period', 'created_by'];
  await declareAccess(queryRunner, {
    table: 'public.goals',
    access: {
      authenticated: {
        select: { rows: clinicRows('clinic_id', 'viewer') },
        insert: { rows: both(writable, ownRows('created_by')), columns: [...fixed, ...described] },
        update: { rows: writable, columns: described },
        delete: { rows: activeClinicRows('clinic_id', 'clinic_admin') },
      },
      super_admin: everything,
      service_role: {
        select: { rows: everyRow },
        update: { rows: everyRow, columns: ['current_value', 'measured_on', 'status', 'closed_at', 'closing_note'] },
      },
    },
    audit: false,
  });
  await declareAccess(queryRunner, {
    table: 'public.goal_progress',
    access: {
      authenticated: { select: { rows: clinicRows('clinic_id', 'viewer') } },
      super_admin: { select: { rows: everyRow } },
      service_role: { select: { rows: everyRow } },
    },
    audit: false,
  });
}

/** What people write, and closings; not the measuring, whose trace is goal_progress. */
const auditedByHand = `
  CREATE TRIGGER audit_insert AFTER INSERT ON public.goals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('clinic_id', '', '');
  CREATE TRIGGER audit_update AFTER UPDATE ON public.goals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (coalesce(current_setting('app.is_measuring', true), '') = '')
    EXECUTE FUNCTION audit.record('clinic_id', '', '');
  CREATE TRIGGER audit_delete AFTER DELETE ON public.goals REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('clinic_id', '', '');
`;
