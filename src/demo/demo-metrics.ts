import pg from 'pg';
import type { Config } from '../kernel/config/config.js';
import { demoOrganisations } from './demo.js';

/**
 * Sixteen months of facts in the first clinic of each demo organisation, a goal for this month and the roll-ups of it
 * all. Written as the owner, as the demo's people are; only where no fact is yet.
 */
export async function seedDemoMetrics(config: Config): Promise<void> {
  const client = new pg.Client({ connectionString: config.database.migrationUrl, options: '-c role=polyclinic_owner' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE public.financial_metrics IN SHARE ROW EXCLUSIVE MODE');
    const { rowCount } = await client.query('SELECT FROM public.financial_metrics LIMIT 1');
    if (rowCount === 0) await seedEverything(client);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

async function seedEverything(client: pg.Client): Promise<void> {
  for (const { slug, clinics } of demoOrganisations) {
    for (const statement of statements) await client.query(statement, [slug, clinics[0]]);
  }
  await client.query('SELECT app.roll_up_dirty_days(10)');
}

/**
 * The working days up to yesterday, with a growth of an eighth per year and the quiet weeks of summer and Christmas.
 * `noise` is between 0 and 1, and the same at every start: what is shown in the documentation is what is found.
 */
const workingDays = `
  WITH clinic AS (
    SELECT c.id, (now() AT TIME ZONE c.time_zone)::date AS today FROM public.clinics c
      JOIN public.organisations o ON o.id = c.organisation_id WHERE o.slug = $1 AND c.name = $2
  ), days AS (
    SELECT c.id AS clinic_id, d::date AS date,
           (1 + (d::date - c.today) / 365.0 / 8) * CASE WHEN extract(month FROM d) IN (8, 12) THEN 0.8 ELSE 1 END AS pace
      FROM clinic c CROSS JOIN LATERAL generate_series(c.today - 480, c.today - 1, interval '1 day') d
     WHERE extract(isodow FROM d) <= 5
  ), provider_days AS (
    SELECT d.*, p.id AS provider_id, (hashtext(d.date::text || p.name) & 1023) / 1023.0 AS noise, p.name
      FROM days d JOIN public.providers p ON p.clinic_id = d.clinic_id
  )`;

const money = `${workingDays}
  INSERT INTO public.financial_metrics (clinic_id, date, provider_id, metric_type, category, amount, payment_method)
  SELECT clinic_id, date, provider_id, 'production', CASE WHEN name LIKE '%Hale' THEN 'Endodontics' ELSE 'Surgery' END,
         round((1500 + 1400 * noise) * pace, 2), NULL FROM provider_days
  UNION ALL
  SELECT clinic_id, date, provider_id, 'collection', NULL, round((1250 + 1250 * (hashtext(name || date) & 1023) / 1023.0) * pace, 2),
         (ARRAY['card', 'insurance', 'transfer'])[1 + abs(hashtext(date::text)) % 3] FROM provider_days
  UNION ALL
  SELECT clinic_id, date, provider_id, 'adjustment', 'Discount', round(90 * noise * pace, 2), NULL FROM provider_days WHERE noise > 0.6
  UNION ALL
  SELECT clinic_id, date, NULL, 'write_off', NULL, round(160 * pace, 2), NULL FROM days WHERE extract(isodow FROM date) = 5
  UNION ALL
  SELECT clinic_id, date, NULL, 'expense', 'Laboratory', round(1900 * pace, 2), NULL FROM days WHERE extract(isodow FROM date) = 2`;

const appointments = `${workingDays}
  INSERT INTO public.appointment_metrics (clinic_id, date, provider_id, appointment_type, scheduled_count, completed_count,
    cancelled_count, no_show_count, average_duration, production_amount, utilization_rate)
  SELECT clinic_id, date, provider_id, 'treatment', 8 + n, 6 + n - (n % 3), 1, n % 3 / 2, 38 + n, round((1500 + 1400 * noise) * pace, 2),
         round(72 + 20 * noise, 2)
    FROM (SELECT *, round(6 * noise)::integer AS n FROM provider_days) counted`;

const calls = `${workingDays}
  INSERT INTO public.call_metrics (clinic_id, date, call_type, total_calls, connected_calls, voicemails, appointments_scheduled,
    average_call_duration)
  SELECT clinic_id, date, 'inbound', 34 + n, 26 + n, 5, 8 + n / 2, 150 + 4 * n
    FROM (SELECT *, abs(hashtext(date::text)) % 14 AS n FROM days) counted`;

const patients = `${workingDays}
  INSERT INTO public.patient_metrics (clinic_id, date, active_patients, new_patients, reactivated_patients, lost_patients,
    patient_retention_rate, average_patient_value, recare_compliance_rate, treatment_acceptance_rate)
  SELECT clinic_id, date, round(1850 * pace), 6 + n, 2 + n / 3, 3, 90 + n / 4.0, 610 + n, 71 + n / 2.0, 64 + n
    FROM (SELECT *, abs(hashtext('p' || date)) % 9 AS n FROM days) counted WHERE extract(isodow FROM date) = 1`;

const goals = `${workingDays}
  INSERT INTO public.goals (clinic_id, metric_definition_id, name, time_period, start_date, end_date, target_value, direction, status)
  SELECT c.id, d.id, g.name, 'monthly', date_trunc('month', c.today)::date,
         (date_trunc('month', c.today) + interval '1 month')::date - 1, g.target, g.direction, 'active'
    FROM clinic c
    CROSS JOIN (VALUES ('production', 'Production of the month', 100000, 'at_least'),
                       ('no_show_rate', 'Fewer no-shows', 5, 'at_most')) AS g (code, name, target, direction)
    JOIN public.metric_definitions d ON d.code = g.code AND d.is_system`;

const statements = [money, appointments, calls, patients, goals];
