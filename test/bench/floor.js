import { createHash } from 'node:crypto';
import Fastify from 'fastify';
import pg from 'pg';

/**
 * The floor: bare Fastify and pg, the same four statements in the same two flights, nothing else. With RLS=off it logs
 * in as a superuser and keeps that role: the same work without row-level security.
 */
const { URL: url, RLS: rls, ARGUMENTS: given } = process.env;
const { userId, sessionId } = JSON.parse(given);
const pool = new pg.Pool({ connectionString: url, max: 10, pipeline: true });

const begin = 'app.begin_request($4, $5, $6, $7, $8, NULL, NULL, $9, $10, $11, $12, false, false)';
/** The tenant is an organisation, of which any member may read. */
const beginInOrganisation =
  'app.begin_request($4, $5, $6, NULL, $8::app.clinic_role, $7, NULL, $9, $10, $11, $12, false, false)';
const preludeWith = (beginning) => {
  const role = rls === 'off' ? `${beginning} AS role` : `set_config('role', ${beginning}, true)`;
  return `SELECT ${role}, set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
  set_config('idle_in_transaction_session_timeout', $3, true)`;
};
const prelude = preludeWith(begin);
const organisationPrelude = preludeWith(beginInOrganisation);

const named = (text, values) => ({ name: createHash('sha256').update(text).digest('hex').slice(0, 24), text, values });

async function inTransaction(tenantId, minimum, writes, text, values, beginning = prelude) {
  const client = await pool.connect();
  const context = [
    '15000',
    '5000',
    '15000',
    userId,
    sessionId,
    'provider',
    tenantId,
    minimum,
    'bench',
    '127.0.0.1',
    'GET',
    writes,
  ];
  try {
    const [, , result] = await Promise.all([
      client.query(writes ? 'BEGIN' : 'BEGIN READ ONLY'),
      client.query(named(beginning, context)),
      client.query(named(text, values)),
    ]);
    await client.query('COMMIT');
    return result.rows;
  } finally {
    client.release();
  }
}

const clinic = `SELECT id, organisation_id, name, location, time_zone, currency, status, created_at, updated_at FROM public.clinics WHERE id = $1`;
const members = `
  SELECT r.user_id, p.email, p.first_name, p.last_name, r.role, r.is_active, r.created_at, r.updated_at
    FROM public.user_clinic_roles r LEFT JOIN public.profiles p ON p.id = r.user_id
   WHERE r.clinic_id = $1 AND ($2::uuid IS NULL OR r.user_id > $2) ORDER BY r.user_id LIMIT $3`;
const provider = `
  INSERT INTO public.providers (clinic_id, user_id, name, provider_type, specialty, license_number, npi_number, status, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, app.user_id())
  RETURNING id, clinic_id, user_id, name, provider_type, specialty, license_number, npi_number, status, created_at, updated_at`;

// The equivalent of what `MetricReader` asks, for base metrics: composite ones are worked out from these.
const aggregations = `
  SELECT d.code, d.name, d.data_type, a.period_start::text, a.period_end::text, a.value::text, a.count, a.minimum::text, a.maximum::text,
         a.average, a.standard_deviation
    FROM unnest($2::text[]) WITH ORDINALITY AS r (code, position)
    JOIN public.metric_definitions d ON d.code = r.code
    JOIN public.metric_aggregations a ON a.clinic_id = $1 AND a.aggregation_type = $3 AND a.metric_definition_id = d.id
     AND a.period_start BETWEEN $4 AND $5 AND a.provider_id IS NULL
   ORDER BY r.position, a.period_start`;

// The statement of `PostCalendarService`.
const calendar = `
  SELECT id, social_account_id, platform, content_type, content_url, thumbnail_url, caption, post_type, status,
         scheduled_for, published_at, platform_url, waiting_reason, error_code
    FROM public.social_media_posts
   WHERE organisation_id = $1 AND status <> 'deleted' AND scheduled_for IS NOT NULL
     AND scheduled_for >= $2::date::timestamp AT TIME ZONE $4
     AND scheduled_for < ($3::date + 1)::timestamp AT TIME ZONE $4
   ORDER BY scheduled_for, id LIMIT $5`;

const server = Fastify();
server.get('/organisations/:id/social/posts/calendar', async ({ params, query }) => {
  const values = [params.id, query.from, query.to, 'UTC', 5_001];
  return { data: await inTransaction(params.id, null, false, calendar, values, organisationPrelude) };
});
server.get('/clinics/:id/metrics/aggregations', async ({ params, query }) => ({
  metrics: await inTransaction(params.id, 'viewer', false, aggregations, [
    params.id,
    query.metrics.split(','),
    query.granularity,
    query.from,
    query.to,
  ]),
}));
server.get(
  '/clinics/:id',
  async ({ params }) => (await inTransaction(params.id, 'viewer', false, clinic, [params.id]))[0],
);
server.get('/clinics/:id/members', async ({ params }) => ({
  data: (await inTransaction(params.id, 'viewer', false, members, [params.id, null, 51])).slice(0, 50),
}));
server.post('/clinics/:id/providers', async ({ params, body }, reply) => {
  reply.status(201);
  return (
    await inTransaction(params.id, 'clinic_admin', true, provider, [
      params.id,
      null,
      body.name,
      null,
      null,
      null,
      null,
      'active',
    ])
  )[0];
});
await server.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write(`ready http://127.0.0.1:${server.server.address().port}\n`);
