/**
 * The data set of the bench: 500 clinics with four providers each and three years of days, to which facts are added
 * until there are as many as wanted. Four fifths are money, the rest appointments, calls and the weekly patient base.
 * Seeded: the same on every machine.
 */
export async function makeClinics(admin) {
  await admin.query(`
    BEGIN;
    SET LOCAL session_replication_role = replica;
    INSERT INTO organisations (name, slug) SELECT 'Facts ' || n, 'facts-' || n FROM generate_series(0, 49) n;
    INSERT INTO clinics (organisation_id, name, time_zone, currency)
      SELECT o.id, 'Facts ' || n, 'UTC', 'EUR' FROM generate_series(0, 499) n JOIN organisations o ON o.slug = 'facts-' || n % 50;
    INSERT INTO providers (clinic_id, name)
      SELECT c.id, 'Dr. ' || n FROM clinics c CROSS JOIN generate_series(1, 4) n WHERE c.name LIKE 'Facts %';
    COMMIT;
    CREATE TABLE bench_clinics AS SELECT c.id AS clinic_id, substr(c.name, 7)::integer AS number,
        (SELECT array_agg(p.id ORDER BY p.name) FROM providers p WHERE p.clinic_id = c.id) AS providers
      FROM clinics c WHERE c.name LIKE 'Facts %';
    CREATE TABLE bench_days AS SELECT d::date AS date FROM generate_series('2023-11-01'::date, '2026-10-31', '1 day') d`);
}

/** Adds so many facts, without the triggers: the roll-ups of them are what is measured. */
export async function addFacts(admin, count, seed) {
  const perDay = count / (500 * 1096);
  // So many of each day on average: whole numbers of candidates, of which each is taken with its probability.
  const days = (share) => `
    bench_clinics CROSS JOIN bench_days CROSS JOIN generate_series(1, ${Math.ceil(perDay * share)}) n
     WHERE random() < ${(perDay * share) / Math.ceil(perDay * share)}`;
  const provider = 'providers[1 + floor(random() * 4)::integer]';
  await admin.query(`
    BEGIN;
    SET LOCAL session_replication_role = replica;
    SELECT setseed(${seed});
    INSERT INTO financial_metrics (clinic_id, date, provider_id, metric_type, amount)
      SELECT clinic_id, date, ${provider}, (ARRAY['production', 'production', 'collection', 'collection', 'adjustment',
             'write_off', 'refund', 'expense'])[1 + floor(random() * 8)::integer], round((random() * 2000)::numeric, 2) FROM ${days(0.8)};
    INSERT INTO appointment_metrics (clinic_id, date, provider_id, scheduled_count, completed_count, cancelled_count, no_show_count,
        average_duration, utilization_rate)
      SELECT clinic_id, date, ${provider}, 12, 7 + floor(random() * 3)::integer, 1, 1, 35, 60 + floor(random() * 40) FROM ${days(0.1)};
    INSERT INTO call_metrics (clinic_id, date, total_calls, connected_calls, voicemails, appointments_scheduled, average_call_duration)
      SELECT clinic_id, date, 40, 20 + floor(random() * 10)::integer, 5, 9, 120 FROM ${days(0.08)};
    INSERT INTO patient_metrics (clinic_id, date, active_patients, new_patients, patient_retention_rate)
      SELECT clinic_id, date, 1800, floor(random() * 9)::integer, 91 FROM ${days(0.02)};
    COMMIT;
    ANALYZE financial_metrics, appointment_metrics, call_metrics, patient_metrics`);
  const { rows } =
    await admin.query(`SELECT (SELECT count(*) FROM financial_metrics) + (SELECT count(*) FROM appointment_metrics)
    + (SELECT count(*) FROM call_metrics) + (SELECT count(*) FROM patient_metrics) AS facts`);
  return Number(rows[0].facts);
}
