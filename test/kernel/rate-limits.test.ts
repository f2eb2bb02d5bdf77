import { demoAddress, demoPassword } from '../../src/demo/demo.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { expectRefusal, statuses } from '../support/limits.js';
import { type Service, startService } from '../support/service.js';

let database: TestDatabase;
const running: Service[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(() => Promise.all(running.splice(0).map((service) => service.stop())));
afterAll(() => database.drop());

/** A service with these limits, which nobody has used yet. */
async function limited(variables: Record<string, string>): Promise<Service> {
  const service = await startService({ database, variables });
  running.push(service);
  return service;
}
const owner = (service: Service) => service.tokenOf(demoAddress('owner', 'northside'));
const viewer = (service: Service) => service.tokenOf(demoAddress('viewer', 'northside'));

async function clinicIds(slug = 'northside'): Promise<string[]> {
  const rows = await database.sql<{ id: string }>(
    `SELECT c.id FROM clinics c JOIN organisations o ON o.id = c.organisation_id WHERE o.slug = $1 ORDER BY c.name`,
    [slug],
  );
  return rows.map(({ id }) => id);
}

describe('A user', () => {
  it('is told what is left, and refused when nothing is', async () => {
    const service = await limited({ RATE_LIMIT_USER: '3' });
    const token = await owner(service);
    const left: (string | undefined)[] = [];
    for (let index = 0; index < 3; index += 1) {
      const { headers } = await service.call('GET', '/clinics', { token });
      expect(headers.get('ratelimit-policy')).toBe('"user";q=3;w=60');
      left.push(headers.get('ratelimit')?.split(';t=')[0]);
    }
    expect(left).toEqual(['"user";r=2', '"user";r=1', '"user";r=0']);
    expectRefusal(await service.call('GET', '/clinics', { token }), 'user', 3);
  });

  it('is the same in every session, and nobody else', async () => {
    const service = await limited({ RATE_LIMIT_USER: '2' });
    const token = await owner(service);
    const body = { email: demoAddress('owner', 'northside'), password: demoPassword };
    const second = (await service.call('POST', '/auth/login', { body })).body.accessToken;
    expect(second).not.toBe(token);
    expect(await statuses(2, () => service.call('GET', '/auth/me', { token }))).toEqual([200, 200]);
    expectRefusal(await service.call('GET', '/auth/me', { token: second }), 'user', 2);
    expect((await service.call('GET', '/auth/me', { token: await viewer(service) })).status).toBe(200);
  });

  it('who is refused has changed nothing', async () => {
    const service = await limited({ RATE_LIMIT_USER: '1' });
    const token = await owner(service);
    const send = (name: string) => service.call('POST', '/organisations', { token, body: { name } });
    expect([(await send('Within the limit')).status, (await send('Above the limit')).status]).toEqual([201, 429]);
    const found = await database.sql(`SELECT name FROM organisations WHERE name LIKE '% the limit'`);
    expect(found).toEqual([{ name: 'Within the limit' }]);
  });
});

describe('A tenant', () => {
  it('has one limit for all its people, beside those that each has', async () => {
    const service = await limited({ RATE_LIMIT_TENANT: '4' });
    const [dental = '', practice = ''] = await clinicIds();
    const tokens = [await owner(service), await viewer(service)];
    for (const token of tokens) {
      expect(await statuses(2, () => service.call('GET', `/clinics/${dental}`, { token }))).toEqual([200, 200]);
    }
    for (const token of tokens) expectRefusal(await service.call('GET', `/clinics/${dental}`, { token }), 'tenant', 4);
    const [token = ''] = tokens;
    expect((await service.call('GET', `/clinics/${practice}`, { token })).status).toBe(200);
    expect((await service.call('GET', '/auth/me', { token })).status).toBe(200);
  });

  it('is an organisation as well', async () => {
    const service = await limited({ RATE_LIMIT_TENANT: '1' });
    const token = await owner(service);
    const [organisation] = (await service.call('GET', '/organisations', { token })).body.data;
    const read = () => service.call('GET', `/organisations/${organisation.id}`, { token });
    expect((await read()).status).toBe(200);
    expectRefusal(await read(), 'tenant', 1);
  });

  it('is the same one however its id is written', async () => {
    const service = await limited({ RATE_LIMIT_TENANT: '1' });
    const token = await owner(service);
    const [id = ''] = await clinicIds();
    expect((await service.call('GET', `/clinics/${id}`, { token })).status).toBe(200);
    expectRefusal(await service.call('GET', `/clinics/${id.toUpperCase()}`, { token }), 'tenant', 1);
  });

  it('is not used up by people who have no access there', async () => {
    const service = await limited({ RATE_LIMIT_TENANT: '3' });
    const [id = ''] = await clinicIds();
    const stranger = await service.tokenOf(demoAddress('owner', 'southbank'));
    expect(await statuses(5, () => service.call('GET', `/clinics/${id}`, { token: stranger }))).toEqual(
      Array(5).fill(404),
    );
    expect(
      await statuses(4, async () => service.call('GET', `/clinics/${id}`, { token: await owner(service) })),
    ).toEqual([200, 200, 200, 429]);
    const refused = await service.call('GET', `/clinics/${id}`, { token: stranger });
    expect([refused.status, refused.headers.get('ratelimit-policy')]).toEqual([404, expect.stringContaining('user')]);
  });

  it('tells of the limit that is nearer', async () => {
    const service = await limited({ RATE_LIMIT_USER: '10', RATE_LIMIT_TENANT: '5' });
    const token = await owner(service);
    const [id = ''] = await clinicIds();
    const policies: (string | null)[] = [];
    for (const path of ['/auth/me', `/clinics/${id}`]) {
      policies.push((await service.call('GET', path, { token })).headers.get('ratelimit-policy'));
    }
    expect(policies).toEqual(['"user";q=10;w=60', '"tenant";q=5;w=60']);
  });
});

describe('An address without a token', () => {
  const logIn = (service: Service, headers: Record<string, string> = {}) =>
    service.call('POST', '/auth/login', { body: { email: 'nobody@people.example', password: 'whatever' }, headers });

  it('is refused when its limit is used up, and those with a token are not', async () => {
    const service = await limited({ RATE_LIMIT_ADDRESS: '3' });
    const token = await owner(service);
    expect(await statuses(2, () => logIn(service))).toEqual([401, 401]);
    expectRefusal(await logIn(service), 'address', 3);
    expect((await service.call('GET', '/clinics', { token })).status).toBe(200);
  });

  it('is refused after as many tokens that are none', async () => {
    const service = await limited({ RATE_LIMIT_ADDRESS: '2' });
    const guess = () => service.call('GET', '/clinics', { token: 'nonsense' });
    expect(await statuses(2, guess)).toEqual([401, 401]);
    expectRefusal(await guess(), 'address', 2);
  });

  it('may ask for health and metrics as often as it likes', async () => {
    const service = await limited({ RATE_LIMIT_ADDRESS: '1' });
    for (const path of ['//health/live', '//health/ready', '//metrics'])
      expect(await statuses(3, () => service.call('GET', path))).toEqual([200, 200, 200]);
  });

  it('cannot make itself another one', async () => {
    const service = await limited({ RATE_LIMIT_ADDRESS: '1' });
    expect((await logIn(service, { 'x-forwarded-for': '203.0.113.1' })).status).toBe(401);
    expectRefusal(await logIn(service, { 'x-forwarded-for': '203.0.113.2' }), 'address', 1);
  });

  it('is the one that the trusted proxy has seen, whatever the client said before', async () => {
    const service = await limited({ RATE_LIMIT_ADDRESS: '1', TRUST_PROXY: '1' });
    const from = (chain: string) => logIn(service, { 'x-forwarded-for': chain });
    expect((await from('203.0.113.1')).status).toBe(401);
    expectRefusal(await from('198.51.100.7, 203.0.113.1'), 'address', 1);
    expect((await from('203.0.113.2')).status).toBe(401);
  });
});
