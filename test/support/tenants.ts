import { demoAddress } from '../../src/demo/demo.js';
import { insertSpreadsheet } from './google.js';
import {
  insertConnection,
  insertConversation,
  insertInstagram,
  insertLead,
  insertMessage,
  insertPageChoice,
} from './messenger.js';
import type { Service } from './service.js';
import { insertAccount, insertPending, insertPost, insertVideo } from './social.js';

/** One of the demo's organisations with something of every kind in it, and all that it has. */
export interface Tenant {
  slug: string;
  organisationId: string;
  clinicId: string;
  /** Values for parameters and fields by their names. */
  values: Record<string, string>;
}

/** Makes one of each thing that a path can name. A new id parameter that is not here fails the test that needs it. */
export async function describeTenant(service: Service, slug: string): Promise<Tenant> {
  const viewer = await service.tokenOf(demoAddress('viewer', slug));
  await service.tokenOf(demoAddress('owner', slug));
  // The clinic in which the demo's people have their roles, and its providers.
  const clinics = await service.call('GET', '/clinics', { token: viewer });
  const { id: clinicId, organisationId } = clinics.body.data[0];
  const clinic = `/clinics/${clinicId}`;
  const made = {
    ...(await insertSpreadsheet(service.database, clinicId, demoAddress('owner', slug))),
    ...(await findPeople(service, slug, clinicId)),
    ...(await makeDashboard(service, slug, clinic)),
    ...(await makeGoals(service, slug, clinic)),
    ...(await makeMetrics(service, slug, clinic)),
    ...(await insertSocial(service, slug, organisationId)),
    ...(await insertMessenger(service, slug, clinicId)),
    factId: await insertFacts(service, clinicId),
    invitationId: await make(service, slug, `${clinic}/invitations`, {
      email: `invited@${slug}.example`,
      role: 'viewer',
    }),
  };
  const { userId, credentialId, connectionId, accountId, videoId } = made;
  const names = {
    actorId: userId,
    contentId: videoId,
    defaultClinicId: clinicId,
    googleCredentialId: credentialId,
    socialAccountId: accountId,
    spreadsheetConnectionId: connectionId,
  };
  return { slug, organisationId, clinicId, values: { organisationId, clinicId, ...made, ...names, ...withoutOwner } };
}

/** Parameters that name no row: there is nothing foreign about them. */
export const withoutOwner = {
  confirmationCode: 'a-code-that-was-never-given',
  eventId: '01900000-0000-7000-8000-000000000000',
  from: '2026-01-01',
  jobId: '1',
  metrics: 'production',
  month: '2026-03',
  platform: 'instagram',
  sheet: 'Sheet1',
  spreadsheetId: 'a-spreadsheet-of-google',
  table: 'financial_metrics',
  to: '2026-03-31',
  week: '2026-W10',
};

/**
 * Everything of a tenant, as one text: whatever of it changes, changes this. Every table that names a clinic, an
 * organisation or one of their people as its owner is asked.
 */
export async function stateOf(service: Service, { slug, organisationId }: Tenant): Promise<string> {
  const tables = [...(await tenantTables(service)), ...(await ownedTables(service))];
  const rows = tables.map(({ from }) => `SELECT t::text AS state ${from}`);
  const [row] = await service.database.sql<{ state: string }>(
    `SELECT md5(string_agg(each.state, '' ORDER BY each.state)) AS state FROM (
       SELECT o::text AS state FROM organisations o WHERE o.id = $1
       UNION ALL ${rows.join(' UNION ALL ')}
       UNION ALL SELECT p::text FROM profiles p WHERE p.email LIKE '%@' || $2 || '.example'
       UNION ALL SELECT (u.id, u.email, u.password_hash, u.disabled_at)::text FROM auth.users u WHERE u.email LIKE '%@' || $2 || '.example'
       UNION ALL SELECT (s.id, s.revoked_at)::text FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
                  WHERE u.email LIKE '%@' || $2 || '.example'
     ) each`,
    [organisationId, slug],
  );
  return row?.state ?? '';
}

/** What an answer may not hold of the other tenant, but for what the request itself said. */
export async function secretsOf(service: Service, { slug, organisationId }: Tenant): Promise<string[]> {
  const tables = [...(await tenantTables(service, 'id')), ...(await ownedTables(service, 'id'))];
  const ids = tables.map(({ from }) => `SELECT t.id::text ${from}`);
  const rows = await service.database.sql<{ secret: string }>(
    `SELECT id::text AS secret FROM profiles WHERE email LIKE '%@' || $2 || '.example'
     UNION SELECT email::text FROM profiles WHERE email LIKE '%@' || $2 || '.example'
     UNION SELECT name FROM clinics WHERE organisation_id = $1
     UNION SELECT name FROM organisations WHERE id = $1 UNION SELECT id::text FROM organisations WHERE id = $1
     UNION SELECT username FROM social_media_accounts WHERE organisation_id = $1
     UNION SELECT caption FROM social_media_posts WHERE organisation_id = $1
     UNION SELECT prompt FROM social_media_videos WHERE organisation_id = $1
     UNION SELECT s.name FROM spreadsheet_connections s JOIN clinics c ON c.id = s.clinic_id WHERE c.organisation_id = $1
     UNION SELECT g.google_email FROM google_credentials g JOIN clinics c ON c.id = g.clinic_id WHERE c.organisation_id = $1
     UNION SELECT c.participant_name FROM conversations c JOIN profiles p ON p.id = c.owner_id WHERE p.email LIKE '%@' || $2 || '.example'
     UNION SELECT l.username FROM comment_leads l JOIN profiles p ON p.id = l.owner_id WHERE p.email LIKE '%@' || $2 || '.example'
     UNION SELECT m.page_name FROM messenger_connections m JOIN profiles p ON p.id = m.owner_id WHERE p.email LIKE '%@' || $2 || '.example'
     UNION SELECT d.instagram_username FROM doctor_instagram d JOIN profiles p ON p.id = d.doctor_id WHERE p.email LIKE '%@' || $2 || '.example'
     UNION ${ids.join(' UNION ')}`,
    [organisationId, slug],
  );
  // Numbers of rows are no secrets, and are in everything.
  return rows.map(({ secret }) => secret).filter((secret) => secret.length > 8);
}

/** The tables, without their partitions, that name a clinic or an organisation and have that column; `$1` is the organisation. */
async function tenantTables(service: Service, column?: string): Promise<{ from: string }[]> {
  return service.database.sql<{ from: string }>(
    `SELECT CASE WHEN bool_or(a.attname = 'organisation_id')
                 THEN format('FROM %s t WHERE t.organisation_id = $1', c.oid::regclass)
                 ELSE format('FROM %s t JOIN clinics c ON c.id = t.clinic_id WHERE c.organisation_id = $1', c.oid::regclass)
            END AS from
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      GROUP BY c.oid
     HAVING bool_or(a.attname IN ('organisation_id', 'clinic_id')) AND ($1::text IS NULL OR bool_or(a.attname = $1))
      ORDER BY c.oid::regclass::text`,
    [column ?? null],
  );
}

/** The tables whose rows belong to a person and name no tenant, and have that column; `$2` is the organisation's slug. */
async function ownedTables(service: Service, column?: string): Promise<{ from: string }[]> {
  return service.database.sql<{ from: string }>(
    `SELECT format('FROM %s t JOIN public.profiles p ON p.id = t.%I WHERE p.email LIKE ''%%@'' || $2 || ''.example''',
                   c.oid::regclass, min(a.attname) FILTER (WHERE a.attname IN ('owner_id', 'doctor_id', 'user_id'))) AS from
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      GROUP BY c.oid
     HAVING bool_or(a.attname IN ('owner_id', 'doctor_id', 'user_id')) AND ($1::text IS NULL OR bool_or(a.attname = $1))
      ORDER BY c.oid::regclass::text`,
    [column ?? null],
  );
}

async function make(service: Service, slug: string, path: string, body: object): Promise<string> {
  const token = await service.tokenOf(demoAddress('owner', slug));
  const answer = await service.call('POST', path, { token, body });
  if (!answer.body?.id) throw new Error(`POST ${path}: ${answer.text}`);
  return answer.body.id;
}

async function findPeople(service: Service, slug: string, clinicId: string) {
  const [row] = await service.database.sql<{ userId: string; providerId: string; sessionId: string }>(
    `SELECT (SELECT id FROM providers WHERE clinic_id = $1 LIMIT 1) AS "providerId", u.id AS "userId",
            (SELECT id FROM auth.sessions WHERE user_id = (SELECT id FROM auth.users WHERE email = $3) LIMIT 1) AS "sessionId"
       FROM auth.users u WHERE u.email = $2`,
    [clinicId, demoAddress('staff', slug), demoAddress('owner', slug)],
  );
  if (!row) throw new Error(`The demo has no ${slug}.`);
  return row;
}

async function makeDashboard(service: Service, slug: string, clinic: string) {
  const dashboardId = await make(service, slug, `${clinic}/dashboards`, { name: 'Shared', isShared: true });
  const config = { metrics: ['production'], granularity: 'daily', range: 'last_7_days' };
  const widget = { kind: 'number', title: 'Production', config };
  return { dashboardId, widgetId: await make(service, slug, `${clinic}/dashboards/${dashboardId}/widgets`, widget) };
}

async function makeGoals(service: Service, slug: string, clinic: string) {
  const measured = { metric: 'calls', timePeriod: 'yearly' };
  const goal = { ...measured, startDate: '2026-01-01', targetValue: '5000' };
  const template = { ...measured, name: `More calls in ${slug}`, targetFormula: 'last_value + 1' };
  return {
    goalId: await make(service, slug, `${clinic}/goals`, goal),
    templateId: await make(service, slug, `${clinic}/goal-templates`, template),
  };
}

/** A formula of the clinic's own, a mapping, and an import that brought a row. */
async function makeMetrics(service: Service, slug: string, clinic: string) {
  const table = 'financial_metrics';
  const columns = ['date', 'amount'].map((name) => ({ column: name, field: name }));
  const mapping = { columns, constants: { metricType: 'expense' } };
  const definition = { code: `own_of_${slug}`, name: 'Own', dataType: 'decimal', category: 'own' };
  const rows = { table, mapping, columns: ['date', 'amount'], rows: [['2025-05-05', '1.00']] };
  return {
    definitionId: await make(service, slug, `${clinic}/metrics/definitions`, {
      ...definition,
      calculationFormula: 'calls * 2',
    }),
    mappingId: await make(service, slug, `${clinic}/mappings`, { name: 'Expenses', table, mapping }),
    importId: await make(service, slug, `${clinic}/imports/rows`, rows),
  };
}

/** An account with a draft on it, a video, and a choice that the owner has yet to make. */
async function insertSocial({ database }: Service, slug: string, organisationId: string) {
  const accountId = await insertAccount(database, organisationId, { platform: 'instagram' });
  return {
    accountId,
    postId: await insertPost(database, accountId),
    videoId: await insertVideo(database, organisationId),
    pendingId: await insertPending(database, organisationId, demoAddress('owner', slug)),
  };
}

/** The owner's page and Instagram account, a conversation with a message in it, a lead, and a choice yet to make. */
async function insertMessenger(service: Service, slug: string, clinicId: string) {
  const owner = demoAddress('owner', slug);
  const {
    connectionId: pageConnectionId,
    ownerId,
    pageId,
  } = await insertConnection(service, owner, { clinic_id: clinicId });
  await insertInstagram(service, owner, { clinic_id: clinicId });
  const conversationId = await insertConversation(service.database, ownerId, { clinic_id: clinicId, page_id: pageId });
  return {
    pageConnectionId,
    conversationId,
    messageId: await insertMessage(service, conversationId),
    leadId: await insertLead(service.database, ownerId, { clinic_id: clinicId }),
    choiceId: await insertPageChoice(service, owner),
  };
}

/** One of each kind under one id, which the four kinds of paths then name. */
async function insertFacts(service: Service, clinicId: string): Promise<string> {
  const [row] = await service.database.sql<{ id: string }>(
    `WITH fact AS (SELECT app.uuid_v7() AS id),
       money AS (INSERT INTO financial_metrics (id, clinic_id, date, metric_type, amount)
                 SELECT id, $1, '2026-02-03', 'production', 12 FROM fact),
       visits AS (INSERT INTO appointment_metrics (id, clinic_id, date) SELECT id, $1, '2026-02-03' FROM fact),
       calls AS (INSERT INTO call_metrics (id, clinic_id, date) SELECT id, $1, '2026-02-03' FROM fact),
       base AS (INSERT INTO patient_metrics (id, clinic_id, date, new_patients) SELECT id, $1, '2026-02-03', 1 FROM fact)
     SELECT id FROM fact`,
    [clinicId],
  );
  return row?.id ?? '';
}
