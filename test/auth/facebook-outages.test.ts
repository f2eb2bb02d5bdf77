import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Browser, type FacebookPerson, newcomer, sdkToken, toldTo } from '../support/facebook.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';

/** Each outage has a service of its own: after some failures its client leaves Meta alone for a while. */

let meta: Meta;
let database: TestDatabase;
let service: Service;
let person: FacebookPerson;
beforeAll(async () => {
  meta = await startMeta();
  database = await createTestDatabase();
  person = await newcomer(meta);
});
afterAll(async () => {
  await meta.stop();
  await database.drop();
});
beforeEach(async () => {
  service = await startService({ database, variables: { ...meta.variables, META_TIMEOUT_MS: '500' } });
  await meta.control('calls/clear', {});
});
afterEach(async () => {
  await meta.control('faults/clear', {});
  await service.stop();
});

const travel = async (): Promise<object> => Object.fromEntries(await new Browser(service, meta).travel(person));

async function nobodyCameIn(): Promise<void> {
  const [found] = await database.sql(
    `SELECT (SELECT count(*)::int FROM auth.identities) AS identities, (SELECT count(*)::int FROM auth.sessions) AS sessions,
            (SELECT count(*)::int FROM auth.facebook_codes) AS codes`,
  );
  expect(found).toEqual({ identities: 0, sessions: 0, codes: 0 });
}

const kinds = [
  ...(['timeout', 'slow', 'internal', 'transient', 'cut-before'] as const),
  ...(['cut-after', 'truncated', 'malformed', 'html'] as const),
];

describe('While Facebook has a fault, somebody who logs in is told so and does not come in', () => {
  it.each(kinds)('%s, when the code is exchanged', async (kind) => {
    await meta.fault({ on: 'oauth.code', kind, delayMs: 1_500 });
    expect(await travel()).toEqual({ error: 'meta-unavailable' });
    expect([await meta.count('oauth.code'), await meta.count('me')]).toEqual([1, 0]);
    await nobodyCameIn();
  });

  it.each(kinds)('%s, when the profile is read', async (kind) => {
    await meta.fault({ on: 'me', kind, times: 3, delayMs: 1_500 });
    expect(await travel()).toEqual({ error: 'meta-unavailable' });
    expect(await meta.count('me')).toBeGreaterThan(0);
    await nobodyCameIn();
  });

  it('since it limits us', async () => {
    await meta.fault({ on: 'oauth.code', kind: 'rate-limited' });
    expect(await travel()).toEqual({ error: 'meta-rate-limited' });
    await nobodyCameIn();
  });

  it('nor by a token that nobody can be asked about', async () => {
    const accessToken = await sdkToken(meta, person);
    await meta.fault({ on: 'debug_token', kind: 'internal', times: 3 });
    const { status, body } = await service.call('POST', '/auth/facebook/token', { body: { accessToken } });
    expect([status, body.code]).toEqual([503, 'meta-unavailable']);
    await nobodyCameIn();
  });
});

it('whoever tries out codes is slowed down before Facebook is asked, so that it does not limit everybody', async () => {
  const strict = await startService({ variables: { ...meta.variables, FREE_ATTEMPTS: '1' } });
  try {
    const here = new Browser(strict, meta);
    const told = new Set<string | null>();
    for (let tries = 0; tries < 14; tries += 1) {
      const state = new URL((await here.start()).headers.get('location') ?? '').searchParams.get('state') ?? '';
      const answer = await here.comeBack(new URLSearchParams({ state, code: 'made-up' }));
      told.add(toldTo(answer).get('error'));
    }
    expect([...told]).toEqual(['facebook-answer-refused', 'too-many-requests']);
    expect(await meta.count('oauth.code')).toBeLessThan(13);
  } finally {
    await strict.stop();
  }
});
