import type { MigrationInterface, QueryRunner } from 'typeorm';
import { clinicRows, declareAccess, everyRow } from '../support/declare-access.js';

/**
 * The roll-ups: what the facts of a day or a month add up to, per base metric, for the whole clinic and for each provider.
 * Weeks are summed up from days when they are read, quarters and years from months (`metric_roll_ups` shows all five): to
 * keep them would cost more than half of the rows, and save the reading of seven for one. Nor are composite metrics kept:
 * they are worked out from the roll-ups of their parts.
 *
 * Days are taken from the facts, months from the days. All of it is made under a lock on the clinic: two workers that
 * recompute one day from what each of them sees would leave whichever wrote last, not whichever saw most.
 */
export class CreateMetricAggregations1795219203200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(aggregations);
    await queryRunner.query(states);
    await queryRunner.query(periods);
    await queryRunner.query(allGranularities);
    await queryRunner.query(addingUp);
    await queryRunner.query(merging);
    await queryRunner.query(rebuilding);
    await queryRunner.query(taking);
    await queryRunner.query(verifying);
    await queryRunner.query(reading);
    await this.declareAccess(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION public.calculate_clinic_metrics(uuid, date, date);
      DROP FUNCTION app.metric_values(uuid, uuid, text[], date, date);
      DROP FUNCTION app.verify_roll_ups(uuid[], integer);
      DROP FUNCTION app.roll_up_dirty_days(integer, uuid);
      DROP FUNCTION app.rebuild_roll_ups(uuid[]);
      DROP FUNCTION app.roll_up_days(uuid[], date[]);
      DROP FUNCTION app.after_roll_up(uuid[]);
      DROP FUNCTION app.merge_roll_ups(text, uuid[], date[]);
      DROP FUNCTION app.month_roll_ups(uuid[], date, date);
      DROP FUNCTION app.day_roll_ups(uuid[], date, date);
      DROP VIEW public.metric_roll_ups;
      DROP FUNCTION app.period_end(text, date);
      DROP FUNCTION app.period_start(text, date);
      DROP TABLE public.roll_up_states, public.metric_aggregations;
    `);
  }

  /** No trace: all of it follows from the facts. */
  private async declareAccess(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['public.metric_aggregations', 'public.roll_up_states']) {
      await declareAccess(queryRunner, {
        table,
        access: {
          authenticated: { select: { rows: clinicRows('clinic_id', 'viewer') } },
          super_admin: { select: { rows: everyRow } },
          service_role: {
            select: { rows: everyRow },
            insert: { rows: everyRow },
            update: { rows: everyRow },
            delete: { rows: everyRow },
          },
        },
        audit: false,
      });
    }
  }
}

const aggregations = `
  -- Without foreign keys: each row follows from facts, which have them, and goes with the last of those facts.
  CREATE TABLE public.metric_aggregations (
    clinic_id uuid NOT NULL,
    metric_definition_id uuid NOT NULL,
    provider_id uuid,
    aggregation_type text COLLATE "C" NOT NULL,
    period_start date NOT NULL,
    period_end date NOT NULL,
    count integer NOT NULL,
    value numeric NOT NULL,
    weight bigint,
    minimum numeric NOT NULL,
    maximum numeric NOT NULL,
    average double precision NOT NULL,
    standard_deviation double precision NOT NULL,
    metadata jsonb,
    -- Text and no enum: the equality of enums is not leakproof, so below a policy no index would be asked with it.
    CONSTRAINT metric_aggregations_aggregation_type_check CHECK (aggregation_type IN ('daily', 'monthly')),
    -- A provider of NULL is the whole clinic, and is there once as well.
    CONSTRAINT metric_aggregations_period_start_key UNIQUE NULLS NOT DISTINCT
      (clinic_id, aggregation_type, metric_definition_id, period_start, provider_id)
  );
  COMMENT ON TABLE public.metric_aggregations IS 'Roll-ups of base metrics; written by the jobs alone';
  COMMENT ON COLUMN public.metric_aggregations.provider_id IS 'Null: the whole clinic, facts without a provider included';
  COMMENT ON COLUMN public.metric_aggregations.value IS 'The sum over the period, the weighted mean, or the last known, as the definition behaves';
  COMMENT ON COLUMN public.metric_aggregations.weight IS 'What a mean is weighted with; null for all else';
  COMMENT ON COLUMN public.metric_aggregations.count IS 'Facts that went in';
  COMMENT ON COLUMN public.metric_aggregations.average IS 'Of the single facts, as are minimum, maximum and deviation';
  COMMENT ON COLUMN public.metric_aggregations.standard_deviation IS 'Of the population';
`;

const states = `
  CREATE TABLE public.roll_up_states (
    clinic_id uuid PRIMARY KEY,
    rolled_up_at timestamptz NOT NULL,
    verified_at timestamptz,
    drifted_at timestamptz,
    drifted_rows integer NOT NULL DEFAULT 0,
    CONSTRAINT roll_up_states_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE
  );
  COMMENT ON TABLE public.roll_up_states IS 'When the roll-ups of a clinic last changed, and what the nightly verification found';
  COMMENT ON COLUMN public.roll_up_states.drifted_rows IS 'Roll-ups that the verification at drifted_at had to mend';
`;

const periods = `
  -- Weeks are those of ISO 8601: they begin on Monday.
  CREATE FUNCTION app.period_start(p_granularity text, p_date date) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE p_granularity WHEN 'daily' THEN p_date WHEN 'weekly' THEN date_trunc('week', p_date::timestamp)::date
      WHEN 'monthly' THEN date_trunc('month', p_date::timestamp)::date
      WHEN 'quarterly' THEN date_trunc('quarter', p_date::timestamp)::date
      WHEN 'yearly' THEN date_trunc('year', p_date::timestamp)::date END;

  CREATE FUNCTION app.period_end(p_granularity text, p_date date) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE p_granularity WHEN 'daily' THEN p_date WHEN 'weekly' THEN date_trunc('week', p_date::timestamp)::date + 6
      WHEN 'monthly' THEN (date_trunc('month', p_date::timestamp) + interval '1 month')::date - 1
      WHEN 'quarterly' THEN (date_trunc('quarter', p_date::timestamp) + interval '3 months')::date - 1
      WHEN 'yearly' THEN (date_trunc('year', p_date::timestamp) + interval '1 year')::date - 1 END;
  COMMENT ON FUNCTION app.period_end IS 'The last day of the period in which the day lies';
  GRANT EXECUTE ON FUNCTION app.period_start, app.period_end TO authenticated, super_admin, service_role;
`;

/**
 * What roll-ups of one kind add up to in a longer period. The last of a level is the greatest pair of when and what: to
 * order the values of each group would be to sort everything. The variance is the mean of the squares less the square of
 * the mean, never below zero, whatever the rounding.
 */
const summedUp = (granularity: string): string => `
    SELECT r.clinic_id, r.metric_definition_id, r.provider_id, ${granularity} AS aggregation_type, r.period_start,
           app.period_end(${granularity}, r.period_start) AS period_end, r.count,
           coalesce(r.level, r.weighted / r.weight, r.sum) AS value, r.weight, r.minimum, r.maximum,
           r.total / r.count AS average,
           sqrt(greatest(0, r.squares / r.count - (r.total / r.count) * (r.total / r.count))) AS standard_deviation,
           NULL::jsonb AS metadata
      FROM (SELECT a.clinic_id, a.metric_definition_id, a.provider_id, app.period_start(${granularity}, a.period_start) AS period_start,
                   sum(a.count)::integer AS count, sum(a.value) AS sum, sum(a.value * a.weight) AS weighted,
                   sum(a.weight)::bigint AS weight,
                   (max(ARRAY[(a.period_start - date '1990-01-01')::numeric, a.value]) FILTER (WHERE a.metric_definition_id = ANY (
                     ARRAY(SELECT d.id FROM public.metric_definitions d WHERE d.behaviour = 'last'))))[2] AS level,
                   min(a.minimum) AS minimum, max(a.maximum) AS maximum, sum(a.average * a.count) AS total,
                   sum(a.count * (a.standard_deviation * a.standard_deviation + a.average * a.average)) AS squares
              FROM public.metric_aggregations a`;

const allGranularities = `
  CREATE VIEW public.metric_roll_ups WITH (security_invoker = true) AS
    SELECT * FROM public.metric_aggregations
    UNION ALL ${summedUp("'weekly'::text")} WHERE a.aggregation_type = 'daily' GROUP BY 1, 2, 3, 4) r
    UNION ALL ${summedUp("'quarterly'::text")} WHERE a.aggregation_type = 'monthly' GROUP BY 1, 2, 3, 4) r
    UNION ALL ${summedUp("'yearly'::text")} WHERE a.aggregation_type = 'monthly' GROUP BY 1, 2, 3, 4) r;
  COMMENT ON VIEW public.metric_roll_ups IS 'Roll-ups by day, ISO week, month, quarter and year, for whoever asks in SQL';
  GRANT SELECT ON public.metric_roll_ups TO authenticated, super_admin, service_role;
`;

const addingUp = `
  -- Both answer rows as the table has them, for every clinic, period and metric that has any. A set without a provider
  -- stands beside those of each provider: the former is the clinic.
  CREATE FUNCTION app.day_roll_ups(p_clinics uuid[], p_from date, p_to date)
    RETURNS SETOF public.metric_aggregations LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT r.clinic_id, d.id, r.provider_id, 'daily'::text, r.date, r.date, r.count,
           coalesce(r.level, r.weighted / r.weight, r.sum), r.weight, r.minimum, r.maximum, r.average, r.deviation, NULL::jsonb
      FROM (SELECT m.clinic_id, m.date, m.provider_id, m.code, count(*)::integer AS count, sum(m.value) AS sum,
                   sum(m.value * m.weight) AS weighted, sum(m.weight) AS weight,
                   (max(ARRAY[m.level_of::text, m.value::text]) FILTER (WHERE m.level_of IS NOT NULL))[2]::numeric AS level,
                   min(m.value) AS minimum, max(m.value) AS maximum,
                   avg(m.value::double precision) AS average, stddev_pop(m.value::double precision) AS deviation
              FROM app.measures m
             WHERE m.clinic_id = ANY (p_clinics) AND m.date BETWEEN p_from AND p_to
             GROUP BY GROUPING SETS ((m.clinic_id, m.date, m.code), (m.clinic_id, m.date, m.code, m.provider_id))
            HAVING GROUPING(m.provider_id) = 1 OR m.provider_id IS NOT NULL) r
      JOIN public.metric_definitions d ON d.code = r.code AND d.is_system
  $$;
  COMMENT ON FUNCTION app.day_roll_ups IS 'What the facts of these days add up to';

  CREATE FUNCTION app.month_roll_ups(p_clinics uuid[], p_from date, p_to date)
    RETURNS SETOF public.metric_aggregations LANGUAGE sql STABLE SET search_path = '' AS $$ ${summedUp("'monthly'::text")}
             WHERE a.clinic_id = ANY (p_clinics) AND a.aggregation_type = 'daily'
               AND a.metric_definition_id IN (SELECT d.id FROM public.metric_definitions d WHERE d.is_system)
               AND a.period_start BETWEEN p_from AND p_to
             GROUP BY 1, 2, 3, 4) r
  $$;
  COMMENT ON FUNCTION app.month_roll_ups IS 'What the roll-ups of days add up to; from and to are bounds of whole months';
`;

const merging = `
  CREATE FUNCTION app.merge_roll_ups(p_granularity text, p_clinics uuid[], p_dates date[]) RETURNS integer
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_changed integer;
    v_nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
  BEGIN
    WITH periods AS MATERIALIZED (
      SELECT app.period_start(p_granularity, t.date) AS period_start, app.period_end(p_granularity, t.date) AS period_end,
             array_agg(DISTINCT t.clinic_id) AS clinics
        FROM unnest(p_clinics, p_dates) AS t (clinic_id, date) GROUP BY 1, 2
    ), fresh AS MATERIALIZED (
      SELECT r.* FROM periods p CROSS JOIN LATERAL app.day_roll_ups(p.clinics, p.period_start, p.period_end) r
       WHERE p_granularity = 'daily'
      UNION ALL
      SELECT r.* FROM periods p CROSS JOIN LATERAL app.month_roll_ups(p.clinics, p.period_start, p.period_end) r
       WHERE p_granularity = 'monthly'
    ), gone AS (
      DELETE FROM public.metric_aggregations a USING periods p, public.metric_definitions d
       WHERE d.is_system AND NOT d.is_composite AND a.metric_definition_id = d.id
         AND a.clinic_id = ANY (p.clinics) AND a.aggregation_type = p_granularity AND a.period_start = p.period_start
         -- The whole clinic as a value of its own: two nulls are not equal, and comparing otherwise cannot be hashed.
         AND NOT EXISTS (SELECT FROM fresh f
                          WHERE f.clinic_id = a.clinic_id AND f.metric_definition_id = a.metric_definition_id
                            AND f.period_start = a.period_start
                            AND coalesce(f.provider_id, v_nobody) = coalesce(a.provider_id, v_nobody))
      RETURNING 1
    ), written AS (
      INSERT INTO public.metric_aggregations AS a SELECT * FROM fresh
      ON CONFLICT ON CONSTRAINT metric_aggregations_period_start_key DO UPDATE
        SET count = excluded.count, value = excluded.value, weight = excluded.weight, minimum = excluded.minimum, maximum = excluded.maximum,
            average = excluded.average, standard_deviation = excluded.standard_deviation
        -- Floating point adds up differently in another order: that alone is no change.
        WHERE (a.count, a.value, a.minimum, a.maximum) <> (excluded.count, excluded.value, excluded.minimum, excluded.maximum)
           OR a.weight IS DISTINCT FROM excluded.weight
           OR abs(a.average - excluded.average) > 1e-9 * (1 + abs(a.average))
           OR abs(a.standard_deviation - excluded.standard_deviation) > 1e-6 * (1 + abs(a.average))
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written) INTO v_changed;
    RETURN v_changed;
  END $$;
  COMMENT ON FUNCTION app.merge_roll_ups IS 'Makes the periods around these days true; answers how many roll-ups were not';

  CREATE FUNCTION app.after_roll_up(p_clinics uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    NULL;
  END $$;
  COMMENT ON FUNCTION app.after_roll_up IS 'What follows when the roll-ups of clinics have changed, in the same transaction';

  CREATE FUNCTION app.roll_up_days(p_clinics uuid[], p_dates date[]) RETURNS integer
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_days integer := app.merge_roll_ups('daily', p_clinics, p_dates);
  BEGIN
    -- In a statement of its own: months are made of the days that were just written.
    RETURN v_days + app.merge_roll_ups('monthly', p_clinics, p_dates);
  END $$;
  COMMENT ON FUNCTION app.roll_up_days IS 'Days as pairs of clinic and date; the caller holds the lock on the clinics';
`;

const rebuilding = `
  CREATE FUNCTION app.rebuild_roll_ups(p_clinics uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    DELETE FROM public.metric_aggregations a WHERE a.clinic_id = ANY (p_clinics);
    -- In the order of the index, which then grows at its edge.
    INSERT INTO public.metric_aggregations SELECT * FROM app.day_roll_ups(p_clinics, '-infinity', 'infinity') r
     ORDER BY r.clinic_id, r.metric_definition_id, r.period_start, r.provider_id;
    INSERT INTO public.metric_aggregations SELECT * FROM app.month_roll_ups(p_clinics, '-infinity', 'infinity') r
     ORDER BY r.clinic_id, r.metric_definition_id, r.period_start, r.provider_id;
  END $$;
  COMMENT ON FUNCTION app.rebuild_roll_ups IS 'All roll-ups of these clinics anew: cheaper than many single days';
`;

const taking = `
  CREATE FUNCTION app.roll_up_dirty_days(p_limit integer, p_clinic uuid DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_clinics uuid[];
    v_taken integer;
    v_dense uuid[];
    v_sparse uuid[];
    v_dates date[];
  BEGIN
    v_clinics := ARRAY(
      SELECT n.clinic_id
        FROM (SELECT d.clinic_id FROM public.metric_dirty_days d WHERE p_clinic IS NULL OR d.clinic_id = p_clinic
               GROUP BY d.clinic_id ORDER BY min(d.id)) n
       WHERE pg_try_advisory_xact_lock(hashtextextended('roll-up ' || n.clinic_id, 0)) LIMIT p_limit);

    -- What is written after this statement began is not seen by it and stays noted; what is seen is rolled up below.
    WITH taken AS (
      DELETE FROM public.metric_dirty_days d WHERE d.clinic_id = ANY (v_clinics) RETURNING d.clinic_id, d.date
    ), days AS (
      SELECT DISTINCT t.clinic_id, t.date FROM taken t
    ), counted AS (
      SELECT d.clinic_id, d.date, count(*) OVER (PARTITION BY d.clinic_id) > 200 AS is_dense FROM days d
    )
    SELECT (SELECT count(*) FROM taken), array_agg(DISTINCT c.clinic_id) FILTER (WHERE c.is_dense),
           array_agg(c.clinic_id) FILTER (WHERE NOT c.is_dense), array_agg(c.date) FILTER (WHERE NOT c.is_dense)
      INTO v_taken, v_dense, v_sparse, v_dates FROM counted c;

    IF v_dense IS NOT NULL THEN
      PERFORM app.rebuild_roll_ups(v_dense);
    END IF;
    IF v_sparse IS NOT NULL THEN
      PERFORM app.roll_up_days(v_sparse, v_dates);
    END IF;
    IF v_taken > 0 THEN
      INSERT INTO public.roll_up_states (clinic_id, rolled_up_at) SELECT unnest(v_clinics), clock_timestamp()
        ON CONFLICT (clinic_id) DO UPDATE SET rolled_up_at = excluded.rolled_up_at;
      PERFORM app.after_roll_up(v_clinics);
    END IF;
    RETURN v_taken;
  END $$;
  COMMENT ON FUNCTION app.roll_up_dirty_days IS
    'Takes the notes of up to so many clinics that no other worker holds, or of one, and rolls up their days; answers how '
    'many notes it took. Notes and roll-ups are of one transaction: a worker that is killed has taken none';
`;

const verifying = `
  CREATE FUNCTION app.verify_roll_ups(p_clinics uuid[], p_days integer) RETURNS TABLE (clinic_id uuid, drifted_rows integer)
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_clinic uuid;
    v_drifted integer;
  BEGIN
    FOREACH v_clinic IN ARRAY p_clinics LOOP
      PERFORM pg_advisory_xact_lock(hashtextextended('roll-up ' || v_clinic, 0));
      -- First what is noted: a change that waits for its minute is no drift.
      PERFORM app.roll_up_dirty_days(1, v_clinic);
      SELECT app.roll_up_days(array_agg(v_clinic), array_agg(d::date)) INTO v_drifted
        FROM public.clinics c,
             generate_series((now() AT TIME ZONE c.time_zone)::date - p_days + 1, (now() AT TIME ZONE c.time_zone)::date + 1, '1 day') d
       WHERE c.id = v_clinic;
      INSERT INTO public.roll_up_states AS s (clinic_id, rolled_up_at, verified_at, drifted_at, drifted_rows)
      VALUES (v_clinic, clock_timestamp(), clock_timestamp(), CASE WHEN v_drifted > 0 THEN clock_timestamp() END, v_drifted)
      ON CONFLICT ON CONSTRAINT roll_up_states_pkey DO UPDATE
        SET verified_at = excluded.verified_at,
            rolled_up_at = CASE WHEN v_drifted > 0 THEN excluded.rolled_up_at ELSE s.rolled_up_at END,
            drifted_at = coalesce(excluded.drifted_at, s.drifted_at),
            drifted_rows = CASE WHEN v_drifted > 0 THEN v_drifted ELSE s.drifted_rows END;
      IF v_drifted > 0 THEN
        PERFORM app.after_roll_up(ARRAY[v_clinic]);
      END IF;
      RETURN QUERY SELECT v_clinic, v_drifted;
    END LOOP;
  END $$;
  COMMENT ON FUNCTION app.verify_roll_ups IS
    'Recomputes the last days of clinics, and all periods in which they lie, from the facts; answers how many roll-ups were '
    'not what the facts say';
  GRANT EXECUTE ON FUNCTION app.day_roll_ups, app.month_roll_ups, app.merge_roll_ups, app.after_roll_up,
    app.roll_up_days, app.rebuild_roll_ups, app.roll_up_dirty_days, app.verify_roll_ups TO service_role;
`;

const reading = `
  CREATE FUNCTION app.metric_values(p_clinic uuid, p_provider uuid, p_codes text[], p_from date, p_to date)
    RETURNS TABLE (code text, value numeric) LANGUAGE sql STABLE SET search_path = '' AS $$
    WITH wanted AS (
      SELECT d.code, d.is_composite, coalesce(d.postfix, ARRAY[d.code]) AS postfix FROM public.metric_definitions d
       WHERE d.code = ANY (p_codes) AND (d.is_system OR d.clinic_id = p_clinic)
    ), parts AS (
      SELECT DISTINCT part FROM wanted w CROSS JOIN LATERAL unnest(w.postfix) AS part WHERE part ~ '^[a-z]'
    ), sums AS (
      SELECT d.code, CASE d.behaviour WHEN 'last' THEN (array_agg(a.value ORDER BY a.period_start DESC))[1]
                       WHEN 'mean' THEN sum(a.value * a.weight) / sum(a.weight) ELSE sum(a.value) END AS value
        FROM parts p
        JOIN public.metric_definitions d ON d.code = p.part AND d.is_system
        JOIN public.metric_aggregations a ON a.clinic_id = p_clinic AND a.aggregation_type = 'daily'
         AND a.metric_definition_id = d.id AND a.provider_id IS NOT DISTINCT FROM p_provider
         AND a.period_start BETWEEN p_from AND p_to
       GROUP BY d.code, d.behaviour
    ), known AS (
      SELECT coalesce(jsonb_object_agg(s.code, s.value), '{}') AS parts FROM sums s
    )
    SELECT w.code, CASE WHEN w.is_composite THEN app.evaluate_postfix(w.postfix, k.parts) ELSE (k.parts ->> w.code)::numeric END
      FROM wanted w CROSS JOIN known k
  $$;
  COMMENT ON FUNCTION app.metric_values IS
    'Metrics of a clinic (provider null) or of a provider over any days, from the daily roll-ups. An unknown code has no row, '
    'one without facts a null';

  CREATE FUNCTION public.calculate_clinic_metrics(p_clinic uuid, p_from date, p_to date)
    RETURNS TABLE (code text, name text, data_type text, value numeric) LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT d.code, d.name, d.data_type, v.value
      FROM app.metric_values(p_clinic, NULL, ARRAY(SELECT m.code FROM public.metric_definitions m), p_from, p_to) v
      JOIN public.metric_definitions d ON d.code = v.code AND (d.is_system OR d.clinic_id = p_clinic)
     WHERE EXISTS (SELECT FROM public.clinics c WHERE c.id = p_clinic)
     ORDER BY d.category, d.code
  $$;
  COMMENT ON FUNCTION public.calculate_clinic_metrics IS
    'All metrics of a clinic that the caller may see over some days, rates included; the name is that of the older systems';
  GRANT EXECUTE ON FUNCTION app.metric_values, public.calculate_clinic_metrics TO authenticated, super_admin, service_role;
`;
