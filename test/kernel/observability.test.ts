import { demoAddress, demoPassword } from '../../src/demo/demo.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { captureLog } from '../support/probe.js';
import { Road } from '../support/road.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let log: Record<string, unknown>[];
let token: string;
const person = demoAddress('clinic_admin', 'northside');
beforeAll(async () => {
  service = await startService({
    withWorker: true,
    variables: { LOG_LEVEL: 'trace' },
    beforeListening: (application) => {
      log = captureLog(application);
    },
  });
  token = await service.tokenOf(person);
});
afterAll(() => service.stop());

const uuidPattern = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/** The line is written when the answer has left, which the client may see first. */
async function lineOf(requestId: string | null): Promise<Record<string, unknown>> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const line = log.find((each) => each.requestId === requestId && each.msg === 'request');
    if (line) return line;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`The log has no line for ${requestId}.`);
}

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}
async function samples(): Promise<Sample[]> {
  const { text } = await service.call('GET', '//metrics');
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = line.match(/^(\w+)(?:\{(.*)\})? ([\d.e+-]+)$/) ?? [];
    if (!name) return [];
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}
/** The sum over all series of that name with these labels. */
async function metric(name: string, labels: Record<string, string> = {}): Promise<number> {
  const fitting = (await samples()).filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return fitting.reduce((sum, { value }) => sum + value, 0);
}

describe('The metrics', () => {
  it('count requests by route and status, whatever ids their paths hold', async () => {
    const route = { method: 'GET', route: '/api/v1/clinics/:clinicId', status: '200' };
    const before = await metric('polyclinic_request_duration_seconds_count', route);
    const [clinic] = (await service.call('GET', '/clinics', { token })).body.data;
    for (let index = 0; index < 3; index += 1) await service.call('GET', `/clinics/${clinic.id}`, { token });
    expect(await metric('polyclinic_request_duration_seconds_count', route)).toBe(before + 3);
    expect(await metric('polyclinic_request_duration_seconds_sum', route)).toBeGreaterThan(0);
  });

  it('count refusals by code, those before any route too', async () => {
    const refusals = ['unauthenticated', 'not-found', 'invalid-request'].map((code) => ({ code }));
    const before = await Promise.all(refusals.map((labels) => metric('polyclinic_refusals_total', labels)));
    await service.call('GET', '/clinics');
    await service.call('GET', '/nowhere');
    await service.call('POST', '/auth/login', { body: '{' });
    const after = await Promise.all(refusals.map((labels) => metric('polyclinic_refusals_total', labels)));
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 1]);
  });

  it('count transactions by how they ended', async () => {
    const [committed, rolledBack] = [{ outcome: 'committed' }, { outcome: 'rolled-back' }];
    const before = await metric('polyclinic_transactions_total', rolledBack);
    await service.call('GET', '/clinics/0193a1c2-4b5d-7e6f-8a9b-0c1d2e3f4a5b', { token });
    expect(await metric('polyclinic_transactions_total', rolledBack)).toBe(before + 1);
    expect(await metric('polyclinic_transactions_total', committed)).toBeGreaterThan(0);
  });

  it('count jobs by name and outcome', async () => {
    const done = { job: 'auth.send-mail', outcome: 'done' };
    const before = await metric('polyclinic_job_duration_seconds_count', done);
    await service.call('POST', '/auth/password/forgot', { body: { email: person } });
    const deadline = Date.now() + 10_000;
    while ((await metric('polyclinic_job_duration_seconds_count', done)) === before && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await metric('polyclinic_job_duration_seconds_count', done)).toBe(before + 1);
  });

  it('show the pool and the process', async () => {
    const total = await metric('polyclinic_pool_connections', { state: 'total' });
    expect(total).toBeGreaterThan(0);
    expect(await metric('polyclinic_pool_connections', { state: 'idle' })).toBeLessThanOrEqual(total);
    expect(await metric('polyclinic_pool_connections', { state: 'waiting' })).toBe(0);
    expect(await metric('process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  it('hold no id, address or path that somebody sent', async () => {
    await service.call('GET', '/nowhere/0193a1c2-4b5d-7e6f-8a9b-0c1d2e3f4a5b');
    await service.call('GET', `/clinics/${person}`, { token });
    const values = (await samples()).flatMap(({ labels }) => Object.values(labels));
    expect(values.length).toBeGreaterThan(50);
    expect(values.filter((value) => uuidPattern.test(value) || /@|nowhere/.test(value))).toEqual([]);
    expect(values).toContain('unmatched');
  });

  it('are in the format that Prometheus asks for', async () => {
    const { headers, text } = await service.call('GET', '//metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toContain('# TYPE polyclinic_request_duration_seconds histogram');
  });
});

describe('The log of a request', () => {
  it('says who asked for what in which clinic, and what it cost', async () => {
    const [clinic] = (await service.call('GET', '/clinics', { token })).body.data;
    const me = (await service.call('GET', '/auth/me', { token })).body;
    const { headers } = await service.call('GET', `/clinics/${clinic.id}`, { token });
    const line = await lineOf(headers.get('x-request-id'));
    expect(line).toMatchObject({
      level: 'info',
      method: 'GET',
      route: '/api/v1/clinics/:clinicId',
      status: 200,
      userId: me.id,
      role: 'authenticated',
      clinicId: clinic.id,
      statements: 4,
      flights: 2,
    });
    expect(line.durationMs).toBeGreaterThan(0);
    expect(Date.parse(String(line.time))).toBeGreaterThan(Date.now() - 60_000);
  });

  it('names the organisation, the code of a refusal, and the trace', async () => {
    const [{ organisationId }] = (await service.call('GET', '/clinics', { token })).body.data;
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const path = `/organisations/${organisationId}/members`;
    const { headers, body } = await service.call('POST', path, { token, body: {}, headers: { traceparent } });
    const line = await lineOf(headers.get('x-request-id'));
    expect(line).toMatchObject({ organisationId, status: body.status, code: body.code, contentLength: '2' });
    expect(line.traceparent).toBe(headers.get('traceparent'));
  });

  it('holds what is on the list and nothing else', async () => {
    const allowed =
      'level time msg requestId traceparent method route status durationMs userId role clinicId organisationId statements flights retried code contentLength';
    const lines = log.filter(({ msg }) => msg === 'request');
    expect(lines.length).toBeGreaterThan(20);
    const found = new Set(lines.flatMap((line) => Object.keys(line)));
    expect([...found].filter((key) => !allowed.split(' ').includes(key))).toEqual([]);
  });
});

describe('Whatever the level, the log holds no', () => {
  const secrets = {
    password: 'a-Password-of-17',
    address: 'very.private@people.example',
    query: 'a-searched-name',
    key: 'an-idempotency-key',
    agent: 'an-agent-of-somebody',
    name: 'Mrs. Private-Person',
    cookie: 'a-cookie-of-somebody',
  };

  /** Everything that could get in, over the ways that it could: done, refused, unreadable and failed. */
  async function sendSecrets(): Promise<string[]> {
    const headers = { 'user-agent': secrets.agent, cookie: secrets.cookie, 'idempotency-key': secrets.key };
    const { password, address: email, query, name } = secrets;
    const login = await service.call('POST', '/auth/login', {
      body: { email: person, password: demoPassword },
      headers,
    });
    const { accessToken, refreshToken } = login.body;
    const options = { token: accessToken, headers };
    const register = { email, password, firstName: name, lastName: name };
    await service.call('POST', '/auth/register', { body: register, headers });
    await service.call('POST', '/auth/login', { body: { email, password }, headers });
    await service.call('POST', '/auth/login', { body: `{"password":"${password}"`, headers });
    await service.call('POST', '/auth/password/reset', { body: { token: refreshToken, password }, headers });
    await service.call('GET', `/clinics?q=${query}&token=${accessToken}`, options);
    await service.call('GET', `//api/clinics?q=${query}`, options);
    await service.call('GET', `/nowhere/${query}?q=${query}`, options);
    await service.call('GET', `//%zz?q=${query}`, options);
    await service.call('POST', '/organisations', { ...options, body: { name } });
    await service.call('POST', '/auth/refresh', { body: { refreshToken }, headers });
    await service.call('GET', '/clinics', { headers: { authorization: `Bearer ${accessToken}x` } });
    await failWith(name, options);
    const last = await service.call('GET', '//health/live');
    await lineOf(last.headers.get('x-request-id'));
    return [accessToken, refreshToken];
  }

  /** The database quotes the row in its message. */
  async function failWith(name: string, options: { token: string; headers: Record<string, string> }): Promise<void> {
    await service.database.sql(`
      CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row (%)', NEW.name; END $$;
      CREATE TRIGGER a_fault BEFORE INSERT ON public.organisations FOR EACH ROW EXECUTE FUNCTION public.fail()`);
    const fault = { ...options, headers: { ...options.headers, 'idempotency-key': 'another' }, body: { name } };
    expect((await service.call('POST', '/organisations', fault)).status).toBe(500);
    await service.database.sql('DROP TRIGGER a_fault ON public.organisations; DROP FUNCTION public.fail()');
  }

  it('token, password, mail address, query, name or header of a request', async () => {
    const tokens = await sendSecrets();
    const written = JSON.stringify(log);
    expect(log.filter(({ msg }) => msg === 'request').length).toBeGreaterThan(12);
    expect(log.some(({ level, cause }) => level === 'error' && cause !== undefined)).toBe(true);
    const found = [...Object.values(secrets), ...tokens, demoPassword, person].filter((secret) =>
      written.includes(secret),
    );
    expect(found).toEqual([]);
    expect(written).not.toMatch(/Bearer|eyJ|\$argon2/);
  });
});

describe('The health of a service', () => {
  let database: TestDatabase;
  let road: Road;
  let reached: Service;
  beforeAll(async () => {
    database = await createTestDatabase();
    road = new Road(new URL(database.apiUrl));
    await road.open();
    reached = await startService({ database: { ...database, apiUrl: road.leadingTo(database.apiUrl) } });
  });
  afterAll(async () => {
    await reached.stop();
    await road.cut();
    await database.drop();
  });

  it('is good when all is there', async () => {
    expect((await reached.call('GET', '//health/live')).body).toEqual({ status: 'up' });
    const ready = await reached.call('GET', '//health/ready');
    expect(ready.body).toEqual({
      status: 'ready',
      migrations: expect.any(Number),
      queue: { ready: 0, oldestSeconds: 0, dead: 0 },
    });
    expect(ready.body.migrations).toBeGreaterThan(5);
  });

  it('tells a database that is away from a process that is dead, and recovers', async () => {
    await road.cut();
    const away = await reached.call('GET', '//health/ready');
    expect([away.status, away.body.code, away.headers.get('retry-after')]).toEqual([503, 'database-unavailable', '1']);
    expect((await reached.call('GET', '//health/live')).status).toBe(200);
    expect((await reached.call('GET', '//metrics')).status).toBe(200);
    await road.open();
    expect((await reached.call('GET', '//health/ready')).status).toBe(200);
  });

  it('is not good while a migration is missing', async () => {
    const [last] = await database.sql<{ name: string; timestamp: string }>(
      `DELETE FROM app_migrations.applied WHERE "timestamp" = (SELECT max("timestamp") FROM app_migrations.applied)
       RETURNING name, "timestamp"`,
    );
    const answer = await reached.call('GET', '//health/ready');
    await database.sql('INSERT INTO app_migrations.applied ("timestamp", name) VALUES ($1, $2)', [
      last?.timestamp,
      last?.name,
    ]);
    expect([answer.status, answer.body.code]).toEqual([503, 'not-ready']);
    expect((await reached.call('GET', '//health/ready')).status).toBe(200);
  });

  it('shows jobs that wait', async () => {
    const body = { email: person };
    await reached.call('POST', '/auth/password/forgot', { body });
    const { queue } = (await reached.call('GET', '//health/ready')).body;
    expect(queue).toMatchObject({ ready: 1, dead: 0 });
  });
});
