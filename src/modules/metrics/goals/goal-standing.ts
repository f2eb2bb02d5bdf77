/** Two places, as the target has them; whole numbers without. */
const shown = (value: string): string =>
  `CASE d.data_type WHEN 'integer' THEN trim_scale(round(${value}, 2)) ELSE round(${value}, 2) END`;

/**
 * Goals with how they stand: a statement that ends before its WHERE, over `goals g`, `metric_definitions d`.
 *
 * All of it follows from the row, so that its version stands for all that is shown: the days are counted to the day on
 * which the value was measured. What accumulates is expected and forecast in proportion to the days; a rate or a level
 * is compared as it is, from the first day on.
 */
export const selectGoals = `
  SELECT g.id, g.clinic_id, g.name, d.code AS metric, d.name AS metric_name, d.data_type, s.accumulates,
         g.provider_id, p.name AS provider_name, g.template_id, g.time_period,
         g.start_date::text AS start_date, g.end_date::text AS end_date, g.direction, g.status,
         ${shown('g.target_value')} AS target_value, ${shown('g.current_value')} AS current_value, g.progress,
         ${shown('f.remaining')} AS remaining, g.measured_on::text AS measured_on, s.days, s.elapsed_days,
         ${shown('f.expected')} AS expected, ${shown('f.forecast')} AS forecast,
         CASE WHEN g.status IN ('achieved', 'missed') THEN g.status = 'achieved'
              WHEN g.status <> 'active' THEN NULL
              WHEN g.direction = 'at_least' THEN f.forecast >= g.target_value
              ELSE f.forecast <= g.target_value END AS on_track,
         g.closed_at, g.closing_note, g.created_by, g.created_at, g.updated_at
    FROM public.goals g
    JOIN public.metric_definitions d ON d.id = g.metric_definition_id
    LEFT JOIN public.providers p ON p.clinic_id = g.clinic_id AND p.id = g.provider_id
   CROSS JOIN LATERAL (
     SELECT app.metric_accumulates(g.metric_definition_id) AS accumulates, g.end_date - g.start_date + 1 AS days,
            g.measured_on - g.start_date + 1 AS elapsed_days) s
   CROSS JOIN LATERAL (
     SELECT CASE WHEN s.accumulates THEN g.target_value * s.elapsed_days / s.days
                 WHEN s.elapsed_days IS NOT NULL THEN g.target_value END AS expected,
            CASE WHEN s.accumulates THEN g.current_value * s.days / s.elapsed_days ELSE g.current_value END AS forecast,
            CASE g.direction WHEN 'at_least' THEN greatest(0, g.target_value - coalesce(g.current_value, 0))
                 ELSE g.target_value - coalesce(g.current_value, 0) END AS remaining) f`;

/** Taken before goals of a clinic become active or move, and before any of their rows is. */
export const holdGoalsOf = `SELECT pg_advisory_xact_lock(hashtextextended('goals of ' || $1::text, 0))`;
