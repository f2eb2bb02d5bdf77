/** The SQL of `MetricReader`: roll-ups as they are, and formulas worked out from the roll-ups of their parts. */

/** The definitions asked for, in order, and the base metrics that they are made of. */
const requested = `
  requested AS (
    SELECT r.position, r.code, d.name, d.data_type, d.is_composite, coalesce(d.postfix, ARRAY[d.code]) AS postfix, d.updated_at,
           CASE d.data_type WHEN 'integer' THEN 0 WHEN 'decimal' THEN 4 ELSE 2 END AS places
      FROM unnest($2::text[]) WITH ORDINALITY AS r (code, position)
      LEFT JOIN public.metric_definitions d ON d.code = r.code AND (d.is_system OR d.clinic_id = $1)
  ), parts AS (
    SELECT DISTINCT d.id, d.code, d.behaviour
      FROM requested r CROSS JOIN LATERAL unnest(r.postfix) AS part
      JOIN public.metric_definitions d ON d.code = part AND d.is_system
  )`;

/** Days and months are kept as they are. OFFSET makes it one look into the index for each metric, however many the planner expects. */
const kept = `
    SELECT p.code, a.period_start, a.value, a.count, a.minimum, a.maximum, a.average, a.standard_deviation
      FROM parts p
      CROSS JOIN LATERAL (
        SELECT * FROM public.metric_aggregations m
         WHERE m.clinic_id = $1 AND m.aggregation_type = $3 AND m.metric_definition_id = p.id
           AND m.period_start BETWEEN $4 AND $5 AND m.provider_id IS NOT DISTINCT FROM $6::uuid
        OFFSET 0) a`;

/** Weeks are summed up from days, quarters and years from months. */
const summedUp = `
    SELECT code, period_start, coalesce(level, weighted / weight, sum) AS value, count, minimum, maximum, total / count AS average,
           sqrt(greatest(0, squares / count - (total / count) ^ 2)) AS standard_deviation
      FROM (SELECT p.code, app.period_start($3, a.period_start) AS period_start, sum(a.value) AS sum,
                   sum(a.value * a.weight) AS weighted, sum(a.weight) AS weight,
                   (array_agg(a.value ORDER BY a.period_start DESC) FILTER (WHERE p.behaviour = 'last'))[1] AS level,
                   sum(a.count)::integer AS count, min(a.minimum) AS minimum, max(a.maximum) AS maximum,
                   sum(a.average * a.count) AS total, sum(a.count * (a.standard_deviation ^ 2 + a.average ^ 2)) AS squares
              FROM parts p
              JOIN public.metric_aggregations a ON a.clinic_id = $1 AND a.metric_definition_id = p.id
               AND a.aggregation_type = CASE $3 WHEN 'weekly' THEN 'daily' ELSE 'monthly' END
               AND a.period_start BETWEEN $4 AND $5 AND a.provider_id IS NOT DISTINCT FROM $6::uuid
             GROUP BY 1, 2) s`;

const seriesOf = (rolled: string): string => `
  WITH ${requested}, rolled AS MATERIALIZED (${rolled}
  ), worked_out AS (
    SELECT r.code, k.period_start, app.evaluate_postfix(r.postfix, k.parts) AS value
      FROM requested r
      CROSS JOIN (SELECT period_start, jsonb_object_agg(code, value) AS parts FROM rolled GROUP BY period_start) k
     WHERE r.is_composite
  ), points AS (
    SELECT code, period_start, value, count, minimum, maximum, average, standard_deviation FROM rolled
    UNION ALL
    SELECT code, period_start, value, NULL, NULL, NULL, NULL, NULL FROM worked_out
  )
  SELECT r.code AS metric, r.name, r.data_type, p.period_start::text, round(p.value, r.places)::text AS value, p.count,
         round(p.minimum, r.places)::text AS minimum, round(p.maximum, r.places)::text AS maximum,
         round(p.average::numeric, 4)::text AS average, round(p.standard_deviation::numeric, 4)::text AS standard_deviation,
         clinic.today, clinic.currency,
         (SELECT greatest(max(s.rolled_up_at), max(d.updated_at)) FROM requested d
            LEFT JOIN public.roll_up_states s ON s.clinic_id = $1) AS updated_at
    FROM requested r
    LEFT JOIN points p ON p.code = r.code
    LEFT JOIN (SELECT (now() AT TIME ZONE c.time_zone)::date::text AS today, c.currency
                 FROM public.clinics c WHERE c.id = $1) clinic ON true
   ORDER BY r.position, p.period_start`;

const selectKeptSeries = seriesOf(kept);
const selectSummedUpSeries = seriesOf(summedUp);

/** Parameters: clinic, codes, granularity, first and last day, provider. */
export const selectSeries = (granularity: string): string =>
  granularity === 'daily' || granularity === 'monthly' ? selectKeptSeries : selectSummedUpSeries;

const value = `
  round(CASE WHEN r.is_composite THEN app.evaluate_postfix(r.postfix, k.parts) ELSE (k.parts ->> r.code)::numeric END,
        r.places)::text AS value`;

const sums = `
    SELECT a.provider_id, p.code,
           CASE p.behaviour WHEN 'last' THEN (array_agg(a.value ORDER BY a.period_start DESC))[1]
             WHEN 'mean' THEN sum(a.value * a.weight) / sum(a.weight) ELSE sum(a.value) END AS value
      FROM parts p
      JOIN public.metric_aggregations a ON a.clinic_id = $1 AND a.aggregation_type = 'daily' AND a.metric_definition_id = p.id
       AND a.period_start BETWEEN $3 AND $4`;

export const selectTotals = `
  WITH ${requested}, sums AS (${sums} AND a.provider_id IS NOT DISTINCT FROM $5::uuid
     GROUP BY a.provider_id, p.code, p.behaviour
  ), known AS (
    SELECT coalesce(jsonb_object_agg(code, value), '{}') AS parts FROM sums
  )
  SELECT r.code AS metric, r.name, r.data_type, ${value} FROM requested r CROSS JOIN known k ORDER BY r.position`;

export const selectTotalsByProvider = `
  WITH ${requested}, sums AS (${sums} AND a.provider_id IS NOT NULL
     GROUP BY a.provider_id, p.code, p.behaviour
  ), known AS (
    SELECT provider_id, jsonb_object_agg(code, value) AS parts FROM sums GROUP BY provider_id
  )
  SELECT v.id AS provider_id, v.name AS provider_name, r.code AS metric, r.name, r.data_type, ${value}
    FROM requested r
    CROSS JOIN public.providers v
    LEFT JOIN known k ON k.provider_id = v.id
   WHERE v.clinic_id = $1
   ORDER BY v.name, v.id, r.position`;

export const selectTotalsByClinic = `
  SELECT c.id AS clinic_id, c.name AS clinic_name, c.currency, r.code AS metric, d.name, d.data_type,
         round(v.value, CASE d.data_type WHEN 'integer' THEN 0 WHEN 'decimal' THEN 4 ELSE 2 END)::text AS value
    FROM public.clinics c
    CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS r (code, position)
    LEFT JOIN public.metric_definitions d ON d.code = r.code AND (d.is_system OR d.clinic_id = c.id)
    LEFT JOIN LATERAL app.metric_values(c.id, NULL, $2, $3, $4) v ON v.code = r.code
   WHERE c.id = ANY ($1::uuid[])
   ORDER BY c.name, c.id, r.position`;
