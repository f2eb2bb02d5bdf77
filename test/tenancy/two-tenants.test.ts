import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { bodyFor, type Route, routes } from '../support/routes.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { describeTenant, secretsOf, stateOf, type Tenant, withoutOwner } from '../support/tenants.js';

/**
 * Every route of the API's description, called by every persona of one tenant with the other tenant's ids in every
 * path, query and body position: no foreign row is shown or changed, and 'not yours' looks like 'not there'.
 */

const organisationPersonas = ['member', 'manager', 'owner', 'viewer', 'staff', 'provider', 'clinic_admin'];
const outsiders = ['patient', 'research-partner', 'developer'];
const personas = ['anonymous', ...outsiders, ...organisationPersonas];
const nowhere = '00000000-0000-7000-8000-000000000000';

const noIds = Object.keys(withoutOwner);

let service: Service;
const tenants = new Map<string, Tenant>();

beforeAll(async () => {
  service = await startService();
  for (const slug of ['northside', 'southbank']) tenants.set(slug, await describeTenant(service, slug));
});
afterAll(() => service.stop());

const fieldValues = {
  amount: '12.00',
  calculationFormula: 'calls * 2',
  code: 'made_by_the_test',
  config: { metrics: ['production'], granularity: 'daily', range: 'last_7_days' },
  date: '2026-02-04',
  mapping: { columns: [{ column: 'Day', field: 'date' }], constants: { metricType: 'expense', amount: '1' } },
  newPatients: 1,
  password: 'a-long-unusual-phrase',
  newPassword: 'a-long-unusual-phrase',
  currentPassword: 'a-long-unusual-phrase',
  token: 'x'.repeat(43),
  refreshToken: 'rt_unknown',
  timeZone: 'Europe/Berlin',
  currency: 'EUR',
  localTime: new Date(Date.now() + 86_400_000).toISOString().slice(0, 16),
  metric: 'calls',
  npiNumber: '1245319599',
  slug: undefined,
  startDate: '2026-02-01',
  targetFormula: 'last_value + 1',
  targetValue: '5000',
  text: 'Said by the test',
  phone: undefined,
  avatarUrl: undefined,
  locale: 'en',
};

function pathFor(route: Route, values: Record<string, string>): string {
  return route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${route.id}: give the parameter ${name} a value in .values.`);
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
  const made = `Made in ${home.slug}`;
  const body = route.body
    ? bodyFor(route.body, { ...fieldValues, name: made, prompt: made, ...values, ...choiceFor(route) })
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
      const values = home.values;
      const notThere = Object.fromEntries(Object.keys(values).map((name) => [name, nowhere]));
      // An admin gets furthest, except where the guard lets in those of another type alone.
      const persona = route.userType && route.userType !== 'admin' ? route.userType : demoAdmin;
      const answer = await send(route, persona, home, pathFor(route, notThere).replace(/^\/api\/v1\//, ''), values);
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
    const before = await stateOf(service, foreign());
    const secrets = await secretsOf(service, foreign());
    for (const persona of personas) {
      if (endsOwnSession.has(route.id) || neverEnds.has(route.id)) continue;
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
    expect(await stateOf(service, foreign())).toBe(before);
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
        value === foreign().values[name] && !noIds.includes(name) ? nowhere : value,
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

/** It names nobody, and answers for as long as one listens: who hears what is for the module's own tests. */
const neverEnds = new Set(['streamMessages']);

/** All foreign; and for paths of several ids, the own tenant with the other's thing inside. */
function mixtures(route: Route, home: Tenant, foreign: Tenant): Record<string, string>[] {
  const all = foreign.values;
  const inside = { ...all, clinicId: home.clinicId, organisationId: home.organisationId };
  // To make somebody who has an account a member is what these are for, wherever else that person belongs.
  if (route.id === 'addClinicMember' || route.id === 'addOrganisationMember') return [all];
  const isNested = route.pathParameters.length > 1 || route.body !== undefined || route.queryParameters.length > 0;
  return isNested ? [all, inside] : [all];
}

function namesForeignPath(route: Route, values: Record<string, string>, foreign: Tenant): boolean {
  const theirs = foreign.values;
  return route.pathParameters.some((name) => !noIds.includes(name) && values[name] === theirs[name]);
}
