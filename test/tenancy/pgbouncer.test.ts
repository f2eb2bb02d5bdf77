import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { openPgBouncer, type PgBouncer, variablesBehind } from '../support/pgbouncer.js';
import { type Answer, type Service, startService } from '../support/service.js';

/**
 * The service behind PgBouncer in transaction mode: what one tenant's transaction leaves on a connection, the next
 * tenant's would meet, and there are far fewer connections than requests.
 */

const serverConnections = 3;
let database: TestDatabase;
let mailbox: Mailbox;
let pgbouncer: PgBouncer;
let service: Service;

beforeAll(async () => {
  database = await createTestDatabase();
  mailbox = await openMailbox();
  pgbouncer = await openPgBouncer(database, serverConnections);
  service = await startService({
    database,
    withWorker: true,
    variables: { ...variablesBehind(pgbouncer, database), SMTP_URL: mailbox.smtpUrl },
  });
});
afterAll(async () => {
  await service?.stop();
  await pgbouncer?.stop();
  await mailbox?.stop();
  await database?.drop();
});

const expected = new Map<string, string[]>([
  [demoAddress('owner', 'northside'), ['Northside Dental', 'Northside Family Practice']],
  [demoAddress('owner', 'southbank'), ['Southbank Dental', 'Southbank Dermatology']],
  [demoAddress('viewer', 'northside'), ['Northside Dental']],
  [demoAddress('viewer', 'southbank'), ['Southbank Dental']],
  [demoAddress('patient', 'southbank'), []],
  [demoAdmin, ['Northside Dental', 'Northside Family Practice', 'Southbank Dental', 'Southbank Dermatology']],
]);
const people = [...expected.keys()];
const namesIn = ({ body }: Answer): string[] => body.data.map(({ name }: { name: string }) => name).sort();

async function clinicOf(slug: string): Promise<{ id: string; organisationId: string }> {
  const token = await service.tokenOf(demoAddress('viewer', slug));
  return (await service.call('GET', '/clinics', { token })).body.data[0];
}

/** What each connection to the server holds: a transaction pins one, so as many at once meet all of them. */
async function leftovers(): Promise<{ pid: number; held: unknown }[]> {
  const clients = Array.from({ length: serverConnections }, () => new pg.Client(pgbouncer.url));
  await Promise.all(clients.map((client) => client.connect()));
  await Promise.all(clients.map((client) => client.query('BEGIN')));
  try {
    const answers = await Promise.all(clients.map((client) => client.query(readSession)));
    return answers.map(({ rows: [{ pid, ...held }] }) => ({ pid, held }));
  } finally {
    await Promise.all(clients.map((client) => client.query('ROLLBACK').then(() => client.end())));
  }
}

const readSession = `
  SELECT pg_backend_pid() AS pid, current_user AS user, current_setting('role') AS role,
         current_setting('statement_timeout') AS timeout, current_setting('transaction_read_only') AS "readOnly",
         concat(current_setting('app.user_id', true), current_setting('app.user_type', true),
                current_setting('app.session_id', true), current_setting('app.clinic_id', true),
                current_setting('app.request_id', true), current_setting('app.address', true)) AS settings,
         (SELECT count(*)::int FROM pg_prepared_statements) AS prepared`;

const clean = { user: 'polyclinic_api', role: 'none', timeout: '0', readOnly: 'off', settings: '', prepared: 0 };

async function expectNothingLeft(): Promise<void> {
  const found = await leftovers();
  expect(new Set(found.map(({ pid }) => pid)).size).toBe(serverConnections);
  expect(found.map(({ held }) => held)).toEqual(Array(serverConnections).fill(clean));
}

describe('Behind PgBouncer in transaction mode', () => {
  it('people of two tenants at once each see their own rows, on fewer connections than requests', async () => {
    await Promise.all(people.map((email) => service.tokenOf(email)));
    const wrong: unknown[] = [];
    const ask = async (email: string) => {
      const answer = await service.call('GET', '/clinics', { token: await service.tokenOf(email) });
      const names = answer.status === 200 ? namesIn(answer) : answer.text;
      if (JSON.stringify(names) !== JSON.stringify(expected.get(email))) wrong.push({ email, names });
    };
    await Promise.all(Array.from({ length: 300 }, (_, index) => ask(people[index % people.length] ?? '')));
    expect(wrong).toEqual([]);
    const [used] = await database.sql<{ count: number }>(`SELECT count(*)::int FROM pg_stat_activity
      WHERE datname = current_database() AND usename = 'polyclinic_api' AND application_name = 'polyclinic'`);
    expect(used?.count).toBeLessThanOrEqual(serverConnections);
    await expectNothingLeft();
  });

  it('a write of one tenant is done once, and is there for that tenant alone', async () => {
    const { organisationId } = await clinicOf('northside');
    const owner = await service.tokenOf(demoAddress('owner', 'northside'));
    const names = Array.from({ length: 12 }, () => `Clinic ${randomUUID()}`);
    const body = { timeZone: 'Europe/Berlin', currency: 'EUR' };
    const path = `/organisations/${organisationId}/clinics`;
    const answers = await Promise.all(
      names.map((name) => service.call('POST', path, { token: owner, body: { ...body, name } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(201));
    const seenBy = async (slug: string) => {
      const token = await service.tokenOf(demoAddress('owner', slug));
      return namesIn(await service.call('GET', '/clinics?limit=100', { token })).filter((name) => names.includes(name));
    };
    expect(await seenBy('northside')).toEqual([...names].sort());
    expect(await seenBy('southbank')).toEqual([]);
    await expectNothingLeft();
  });

  it('the other tenant is refused, a role that is too low too, and neither leaves anything', async () => {
    const { id } = await clinicOf('southbank');
    const as = (role: string, slug: string) => service.tokenOf(demoAddress(role, slug));
    const rename = async (token: string) =>
      (await service.call('PATCH', `/clinics/${id}`, { token, body: { location: 'Elsewhere' } })).body.code;
    const stranger = await as('owner', 'northside');
    const viewer = await as('viewer', 'southbank');
    const codes = await Promise.all(
      Array.from({ length: 40 }, (_, index) => rename(index % 2 === 0 ? stranger : viewer)),
    );
    expect(codes).toEqual(Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'not-found' : 'role-too-low')));
    await expectNothingLeft();
  });

  it('requests that clients give up on leave nothing', async () => {
    const { id } = await clinicOf('northside');
    const tokens = await Promise.all(people.map((email) => service.tokenOf(email)));
    const abandon = (index: number) =>
      fetch(`${service.url}/api/v1/clinics/${id}/members`, {
        signal: AbortSignal.timeout(index % 10),
        headers: { authorization: `Bearer ${tokens[index % tokens.length]}` },
      }).then(
        (response) => response.text(),
        () => undefined,
      );
    await Promise.all(Array.from({ length: 150 }, (_, index) => abandon(index)));
    await expectNothingLeft();
  });

  it('a job is enqueued with the change, run by a worker that goes to PostgreSQL directly, and its mail comes', async () => {
    const { id } = await clinicOf('northside');
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const email = 'invited@elsewhere.example';
    const path = `/clinics/${id}/invitations`;
    expect((await service.call('POST', path, { token, body: { email, role: 'viewer' } })).status).toBe(201);
    expect((await mailbox.next(email)).text).toContain('Northside');
    await expectNothingLeft();
  });
});

describe('The look at what is left', () => {
  it('would see a setting and a role that outlive their transaction', async () => {
    const client = new pg.Client(pgbouncer.url);
    await client.connect();
    await client.query("SELECT set_config('app.user_id', gen_random_uuid()::text, false)");
    await client.query('SET ROLE authenticated');
    const held = (await leftovers()).map((each) => each.held);
    expect(held.filter((each) => JSON.stringify(each) !== JSON.stringify(clean))).not.toEqual([]);
    await client.end();
  });
});
