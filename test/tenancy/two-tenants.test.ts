import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { insertSpreadsheet } from '../support/google.js';
import { bodyFor, type Route, routes } from '../support/routes.js';
import { type Answer, type Service, startService } from '../support/service.js';

/**
 * Every route of the API's description, called by every persona of one tenant with the other tenant's ids in every
 * path, query and body position: no foreign row is shown or changed, and 'not yours' looks like 'not there'.
 */

const organisationPersonas = ['member', 'manager', 'owner', 'viewer', 'staff', 'provider', 'clinic_admin'];
const outsiders = ['patient', 'research-partner', 'developer'];
const personas = ['anonymous', ...outsiders, ...organisationPersonas];
const nowhere = '00000000-0000-7000-8000-000000000000';

interface Tenant {
  slug: string;
  organisationId: string;
  clinicId: string;
  connectionId: string;
  credentialId: string;
  dashboardId: string;
  importId: string;
  mappingId: string;
  goalId: string;
  userId: string;
  providerId: string;
  runId: string;
  invitationId: string;
  sessionId: string;
  templateId: string;
  widgetId: string;
}

/** Parameters that name no row: there is nothing foreign about them. */
const noIds = ['jobId', 'month', 'sheet', 'spreadsheetId', 'table', 'week'];

let service: Service;
const tenants = new Map<string, Tenant>();

beforeAll(async () => {
  service = await startService();
  for (const slug of ['northside', 'southbank']) tenants.set(slug, await describeTenant(slug));
});
afterAll(() => service.stop());

async function describeTenant(slug: string): Promise<Tenant> {
  const token = await service.tokenOf(demoAddress('owner', slug));
  // The clinic in which the demo's people have their roles, and its providers.
  const viewer = await service.tokenOf(demoAddress('viewer', slug));
  const clinics = await service.call('GET', '/clinics', { token: viewer });
  const { id: clinicId, organisationId } = clinics.body.data[0];
  const email = `invited@${slug}.example`;
  const invitation = await service.call('POST', `/clinics/${clinicId}/invitations`, {
    token,
    body: { email, role: 'viewer' },
  });
  const dashboards = `/clinics/${clinicId}/dashboards`;
  const dashboard = await service.call('POST', dashboards, { token, body: { name: 'Shared', isShared: true } });
  const config = { metrics: ['production'], granularity: 'daily', range: 'last_7_days' };
  const widget = await service.call('POST', `${dashboards}/${dashboard.body.id}/widgets`, {
    token,
    body: { kind: 'number', title: 'Production', config },
  });
  const columns = [
    { column: 'Day', field: 'date' },
    { column: 'Total', field: 'amount' },
  ];
  const mapping = { columns, constants: { metricType: 'production' } };
  const saved = await service.call('POST', `/clinics/${clinicId}/mappings`, {
    token,
    body: { name: 'Journal', table: 'financial_metrics', mapping },
  });
  const pushed = await service.call('POST', `/clinics/${clinicId}/imports/rows`, {
    token,
    body: { table: 'financial_metrics', mapping, columns: ['Day', 'Total'], rows: [['2026-01-05', 1]] },
  });
  const measured = { metric: 'calls', timePeriod: 'yearly' };
  const goal = await service.call('POST', `/clinics/${clinicId}/goals`, {
    token,
    body: { ...measured, startDate: '2026-01-01', targetValue: '5000' },
  });
  const template = await service.call('POST', `/clinics/${clinicId}/goal-templates`, {
    token,
    body: { ...measured, name: `More calls in ${slug}`, targetFormula: 'last_value + 1' },
  });
  const [row] = await service.database.sql<{ provider: string; person: string; session: string }>(
    `SELECT (SELECT id FROM providers WHERE clinic_id = $1 LIMIT 1) AS provider, u.id AS person,
            (SELECT id FROM auth.sessions WHERE user_id = (SELECT id FROM auth.users WHERE email = $3) LIMIT 1) AS session
       FROM auth.users u WHERE u.email = $2`,
    [clinicId, demoAddress('staff', slug), demoAddress('owner', slug)],
  );
  if (!row) throw new Error(`The demo has no ${slug}.`);
  return {
    ...(await insertSpreadsheet(service.database, clinicId, demoAddress('owner', slug))),
    slug,
    organisationId,
    clinicId,
    dashboardId: dashboard.body.id,
    importId: pushed.body.id,
    mappingId: saved.body.id,
    goalId: goal.body.id,
    userId: row.person,
    providerId: row.provider,
    invitationId: invitation.body.id,
    sessionId: row.session,
    templateId: template.body.id,
    widgetId: widget.body.id,
  };
}

/** Values for parameters and fields by their names. A new id parameter that is not here fails the test that needs it. */
function valuesOf(tenant: Tenant): Record<string, string> {
  const { connectionId, credentialId, dashboardId, goalId, importId, mappingId, runId, templateId, widgetId } = tenant;
  const { organisationId, clinicId, userId, providerId, invitationId, sessionId } = tenant;
  return {
    organisationId,
    clinicId,
    connectionId,
    credentialId,
    dashboardId,
    importId,
    mappingId,
    goalId,
    userId,
    providerId,
    invitationId,
    runId,
    sessionId,
    templateId,
    widgetId,
    actorId: userId,
    defaultClinicId: clinicId,
    googleCredentialId: credentialId,
    jobId: '1',
    month: '2026-03',
    sheet: 'Sheet1',
    spreadsheetId: 'a-spreadsheet-of-google',
    spreadsheetConnectionId: connectionId,
    table: 'financial_metrics',
    week: '2026-W10',
  };
}

const fieldValues = {
  password: 'a-long-unusual-phrase',
  newPassword: 'a-long-unusual-phrase',
  currentPassword: 'a-long-unusual-phrase',
  token: 'x'.repeat(43),
  refreshToken: 'rt_unknown',
  timeZone: 'Europe/Berlin',
  currency: 'EUR',
  metric: 'calls',
  npiNumber: '1245319599',
  slug: undefined,
  startDate: '2026-02-01',
  targetFormula: 'last_value + 1',
  targetValue: '5000',
  phone: undefined,
  avatarUrl: undefined,
  locale: 'en',
};

function pathFor(route: Route, values: Record<string, string>): string {
  return route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${route.id}: give the parameter ${name} a value in valuesOf().`);
    return value;
  });
}

function queryFor(route: Route, values: Record<string, string>): string {
  const named = route.queryParameters.filter(({ name }) => values[name] !== undefined);
  return named.length === 0 ? '' : `?${named.map(({ name }) => `${name}=${values[name]}`).join('&')}`;
}

async function send(
  route: Route,
  persona: string,
  home: Tenant,
  path: string,
  values: Record<string, unknown>,
): Promise<Answer> {
  const token =
    persona === 'anonymous'
      ? undefined
      : await service.tokenOf(persona.includes('@') ? persona : demoAddress(persona, home.slug));
  const body = route.body
    ? bodyFor(route.body, { ...fieldValues, name: `Made in ${home.slug}`, ...values, ...choiceFor(route) })
    : undefined;
  return service.call(route.method, `/${path}`, { token, body });
}

/**
 * Where a body takes one of two, one is left out; an address is that of somebody who belongs nowhere, and what the
 * system has bears no tenant's name.
 */
function choiceFor(route: Route): Record<string, unknown> {
  if (route.id.startsWith('add')) return { email: undefined };
  if (route.id === 'finishGoogle') return { code: 'a code' };
  if (route.id === 'acceptInvitation') return { invitationId: undefined };
  if (route.id.includes('System')) return { name: 'Everybody’s' };
  return { email: 'somebody@elsewhere.example' };
}

/** Everything of a tenant, as one text: whatever of it changes, changes this. */
async function stateOf(tenant: Tenant): Promise<string> {
  const [row] = await service.database.sql<{ state: string }>(
    `SELECT md5(string_agg(each.state, '' ORDER BY each.state)) AS state FROM (
       SELECT o::text AS state FROM organisations o WHERE o.id = $1
       UNION ALL SELECT m::text FROM organisation_members m WHERE m.organisation_id = $1
       UNION ALL SELECT c::text FROM clinics c WHERE c.organisation_id = $1
       UNION ALL SELECT r::text FROM user_clinic_roles r JOIN clinics c ON c.id = r.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT p::text FROM providers p JOIN clinics c ON c.id = p.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT g::text FROM google_credentials g JOIN clinics c ON c.id = g.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT s::text FROM spreadsheet_connections s JOIN clinics c ON c.id = s.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT r::text FROM sync_runs r JOIN clinics c ON c.id = r.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT d::text FROM dashboards d JOIN clinics c ON c.id = d.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT g::text FROM goals g JOIN clinics c ON c.id = g.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT t::text FROM goal_templates t JOIN clinics c ON c.id = t.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT w::text FROM widgets w JOIN clinics c ON c.id = w.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT d::text FROM clinic_default_dashboards d JOIN clinics c ON c.id = d.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT s::text FROM report_subscriptions s JOIN clinics c ON c.id = s.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT i::text FROM imports i JOIN clinics c ON c.id = i.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT m::text FROM column_mappings m JOIN clinics c ON c.id = m.clinic_id WHERE c.organisation_id = $1
       UNION ALL SELECT f::text FROM financial_metrics f JOIN clinics c ON c.id = f.clinic_id WHERE c.organisation_id = $1 AND f.import_id IS NOT NULL
       UNION ALL SELECT i::text FROM invitations i LEFT JOIN clinics c ON c.id = i.clinic_id
                  WHERE $1 IN (i.organisation_id, c.organisation_id)
       UNION ALL SELECT p::text FROM profiles p WHERE p.email LIKE '%@' || $2 || '.example'
       UNION ALL SELECT (u.id, u.email, u.password_hash, u.disabled_at)::text FROM auth.users u WHERE u.email LIKE '%@' || $2 || '.example'
       UNION ALL SELECT (s.id, s.revoked_at)::text FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
                  WHERE u.email LIKE '%@' || $2 || '.example'
     ) each`,
    [tenant.organisationId, tenant.slug],
  );
  return row?.state ?? '';
}

/** What an answer may not hold of the other tenant, but for what the request itself said. */
async function secretsOf(tenant: Tenant): Promise<string[]> {
  const rows = await service.database.sql<{ secret: string }>(
    `SELECT id::text AS secret FROM profiles WHERE email LIKE '%@' || $2 || '.example'
     UNION SELECT email::text FROM profiles WHERE email LIKE '%@' || $2 || '.example'
     UNION SELECT name FROM clinics WHERE organisation_id = $1 UNION SELECT id::text FROM clinics WHERE organisation_id = $1
     UNION SELECT name FROM organisations WHERE id = $1 UNION SELECT id::text FROM organisations WHERE id = $1
     UNION SELECT s.name FROM spreadsheet_connections s JOIN clinics c ON c.id = s.clinic_id WHERE c.organisation_id = $1
     UNION SELECT g.google_email FROM google_credentials g JOIN clinics c ON c.id = g.clinic_id WHERE c.organisation_id = $1
     UNION SELECT d.id::text FROM dashboards d JOIN clinics c ON c.id = d.clinic_id WHERE c.organisation_id = $1
     UNION SELECT w.id::text FROM widgets w JOIN clinics c ON c.id = w.clinic_id WHERE c.organisation_id = $1
     UNION SELECT i.id::text FROM imports i JOIN clinics c ON c.id = i.clinic_id WHERE c.organisation_id = $1
     UNION SELECT m.id::text FROM column_mappings m JOIN clinics c ON c.id = m.clinic_id WHERE c.organisation_id = $1
     UNION SELECT p.id::text FROM providers p JOIN clinics c ON c.id = p.clinic_id WHERE c.organisation_id = $1`,
    [tenant.organisationId, tenant.slug],
  );
  return rows.map(({ secret }) => secret);
}

/** An answer without what differs between any two requests. */
function comparable({ status, body }: Answer): unknown {
  const { instance: _, requestId: __, ...rest } = body ?? {};
  return { status, ...rest };
}

const tenantRoutes = routes.filter(({ pathParameters }) => pathParameters.some((name) => !noIds.includes(name)));

describe('The description of the API', () => {
  it('holds routes of tenants, so that the tests below are about something', () => {
    expect(tenantRoutes.length).toBeGreaterThan(25);
  });

  it.each(routes.filter(({ body }) => body).map((route) => [route.id, route] as const))(
    'lets the test make a body for %s that fits',
    async (_id, route) => {
      const home = tenants.get('northside') as Tenant;
      const values = valuesOf(home);
      const notThere = Object.fromEntries(Object.keys(values).map((name) => [name, nowhere]));
      const answer = await send(route, demoAdmin, home, pathFor(route, notThere).replace(/^\/api\/v1\//, ''), values);
      expect({ status: answer.status, errors: answer.body?.errors }).not.toMatchObject({ status: 400 });
    },
  );
});

describe.each([
  ['northside', 'southbank'],
  ['southbank', 'northside'],
])('A person of %s who names what belongs to %s', (homeSlug, foreignSlug) => {
  const home = () => tenants.get(homeSlug) as Tenant;
  const foreign = () => tenants.get(foreignSlug) as Tenant;

  it.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', async (_name, route) => {
    const before = await stateOf(foreign());
    const secrets = await secretsOf(foreign());
    for (const persona of personas) {
      if (endsOwnSession.has(route.id)) continue;
      for (const values of mixtures(route, home(), foreign())) {
        const path = `${pathFor(route, values).replace(/^\/api\/v1\//, '')}${queryFor(route, values)}`;
        const sent = route.path.startsWith('/api/v1') ? path : `/${path}`;
        const answer = await send(route, persona, home(), sent, values);
        const told = secrets.filter(
          (secret) => answer.text.includes(secret) && !sent.includes(secret) && !Object.values(values).includes(secret),
        );
        expect({ persona, path, told }).toEqual({ persona, path, told: [] });
        if (namesForeignPath(route, values, foreign())) {
          expect({ persona, path, refused: answer.status >= 400 && answer.status < 500 }).toEqual({
            persona,
            path,
            refused: true,
          });
          await expectLikeNotThere(route, persona, values, answer);
        }
      }
    }
    expect(await stateOf(foreign())).toBe(before);
  });

  /** The same call with ids that exist nowhere must be answered alike. */
  async function expectLikeNotThere(
    route: Route,
    persona: string,
    values: Record<string, string>,
    answer: Answer,
  ): Promise<void> {
    const absent = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        value === valuesOf(foreign())[name] && !noIds.includes(name) ? nowhere : value,
      ]),
    );
    const path = `${pathFor(route, absent).replace(/^\/api\/v1\//, '')}${queryFor(route, absent)}`;
    const other = await send(route, persona, home(), path, absent);
    expect({ persona, route: route.id, answer: comparable(answer) }).toEqual({
      persona,
      route: route.id,
      answer: comparable(other),
    });
  }
});

/** Calls that end the session they are made with have no ids to mix up; auth's own tests are about them. */
const endsOwnSession = new Set(['logOut', 'logOutEverywhere']);

/** All foreign; and for paths of several ids, the own tenant with the other's thing inside. */
function mixtures(route: Route, home: Tenant, foreign: Tenant): Record<string, string>[] {
  const all = valuesOf(foreign);
  const inside = { ...all, clinicId: home.clinicId, organisationId: home.organisationId };
  // To make somebody who has an account a member is what these are for, wherever else that person belongs.
  if (route.id === 'addClinicMember' || route.id === 'addOrganisationMember') return [all];
  const isNested = route.pathParameters.length > 1 || route.body !== undefined || route.queryParameters.length > 0;
  return isNested ? [all, inside] : [all];
}

function namesForeignPath(route: Route, values: Record<string, string>, foreign: Tenant): boolean {
  const theirs = valuesOf(foreign);
  return route.pathParameters.some((name) => !noIds.includes(name) && values[name] === theirs[name]);
}
