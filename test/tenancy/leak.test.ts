import type { Pool, PoolClient } from 'pg';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { POOL } from '../../src/kernel/database/pool.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { type Service, startService } from '../support/service.js';

/** A connection that goes back to the pool must remember nothing of whom it served. */

const poolSize = 4;
let service: Service;
let clinicId: string;

beforeAll(async () => {
  service = await startService({
    variables: { DATABASE_POOL_SIZE: String(poolSize), LOCK_TIMEOUT_MS: '150', STATEMENT_TIMEOUT_MS: '400' },
  });
  const clinics = await service.call('GET', '/clinics', {
    token: await service.tokenOf(demoAddress('viewer', 'northside')),
  });
  clinicId = clinics.body.data[0].id;
});
afterAll(() => service.stop());

const people = [
  demoAddress('owner', 'northside'),
  demoAddress('clinic_admin', 'southbank'),
  demoAddress('patient', 'northside'),
  demoAdmin,
];

/** What is left on each pooled connection, all taken at once so that none is asked twice. */
async function leftovers(): Promise<unknown[]> {
  const pool = service.application.get<Pool>(POOL);
  const clients: PoolClient[] = await Promise.all(Array.from({ length: poolSize }, () => pool.connect()));
  try {
    const answers = await Promise.all(clients.map((client) => client.query(readSession)));
    return answers.map(({ rows }) => rows[0]);
  } finally {
    for (const client of clients) client.release();
  }
}

const readSession = `
  SELECT current_user AS user, current_setting('role') AS role, statement_timeout AS timeout, settings
    FROM (SELECT current_setting('statement_timeout') AS statement_timeout,
                 coalesce(nullif(concat(current_setting('app.user_id', true), current_setting('app.user_type', true),
                   current_setting('app.session_id', true), current_setting('app.clinic_id', true),
                   current_setting('app.request_id', true), current_setting('app.address', true)), ''), '') AS settings) s`;

const clean = { user: 'polyclinic_api', role: 'none', timeout: '0', settings: '' };

async function abandonedCall(path: string, token: string, afterMs: number): Promise<void> {
  const signal = AbortSignal.timeout(afterMs);
  await fetch(`${service.url}/api/v1${path}`, { signal, headers: { authorization: `Bearer ${token}` } }).then(
    (response) => response.text(),
    () => undefined,
  );
}

describe('A pooled connection', () => {
  it('holds no role and no setting after requests that end well, are refused, and are abandoned at every step', async () => {
    const tokens = await Promise.all(people.map((email) => service.tokenOf(email)));
    const calls = Array.from({ length: 400 }, (_, index) => {
      const token = tokens[index % tokens.length] ?? '';
      const path =
        ['/auth/me', `/clinics/${clinicId}/members`, '/audit', '/clinics', `/clinics/${clinicId}/audit`][index % 5] ??
        '';
      if (index % 3 === 0) return abandonedCall(path, token, index % 12);
      return service.call(index % 7 === 0 ? 'DELETE' : 'GET', path, { token });
    });
    await Promise.all(calls);
    expect(await leftovers()).toEqual(Array(poolSize).fill(clean));
  });

  it('holds nothing after statements that time out waiting for a lock', async () => {
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const locked = service.database.sql(
      `DO $$ BEGIN PERFORM FROM clinics WHERE id = '${clinicId}' FOR UPDATE; PERFORM pg_sleep(1); END $$`,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        service.call('PATCH', `/clinics/${clinicId}`, { token, body: { location: 'Elsewhere' } }),
      ),
    );
    await locked;
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(Array(12).fill([503, 'took-too-long']));
    expect(await leftovers()).toEqual(Array(poolSize).fill(clean));
  });

  it('holds nothing after the server has ended it in the middle of work', async () => {
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    let isOver = false;
    const killing = (async () => {
      for (let round = 0; round < 20; round += 1) {
        await service.database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE usename = 'polyclinic_api' AND datname = current_database()`);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      isOver = true;
    })();
    const statuses = new Set<number>();
    while (!isOver) {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => service.call('GET', `/clinics/${clinicId}`, { token })),
      );
      for (const { status } of answers) statuses.add(status);
    }
    await killing;
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(await leftovers()).toEqual(Array(poolSize).fill(clean));
  });

  it('does not keep what the handler of a request meant to keep: only its own transaction had it', async () => {
    const pool = service.application.get<Pool>(POOL);
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query("SELECT set_config('app.user_id', gen_random_uuid()::text, false)");
    await client.query('COMMIT');
    client.release();
    // The test above would see such a thing: a session-wide setting stays, and shows.
    expect(JSON.stringify(await leftovers())).not.toBe(JSON.stringify(Array(poolSize).fill(clean)));
    await service.database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE usename = 'polyclinic_api' AND datname = current_database()`);
  });
});

describe('A transaction of which a failed statement went unnoticed', () => {
  it('is rolled back once, and leaves the next one on that connection alone', async () => {
    const single = await startService({ database: service.database, variables: { DATABASE_POOL_SIZE: '1' } });
    const transactions = single.application.get(Transactions);
    const database = single.application.get(Database);
    const actor = { service: 'count attempts' } as const;
    for (let round = 0; round < 10; round += 1) {
      const heedless = transactions.runAs(actor, async () => {
        await database.query('SELECT 1 / 0').catch(() => undefined);
        return 'as if nothing had happened';
      });
      const next = transactions.runAs(actor, async () => {
        await database.query('INSERT INTO app.rate_limits (key) VALUES ($1)', [`next ${round}`]);
        await new Promise((resolve) => setTimeout(resolve, 20));
        await database.query('UPDATE app.rate_limits SET points = 1 WHERE key = $1', [`next ${round}`]);
      });
      await expect(heedless).rejects.toThrow('division by zero');
      await next;
    }
    expect(
      await service.database.sql(`SELECT key FROM app.rate_limits WHERE key LIKE 'next %' AND points = 1`),
    ).toHaveLength(10);
    await single.stop();
  });
});

describe('One named statement on one connection', () => {
  it('answers each of many users and roles with their own rows, whoever it was planned for', async () => {
    const single = await startService({ variables: { DATABASE_POOL_SIZE: '1' } });
    const expected = new Map<string, string[]>([
      [demoAddress('owner', 'northside'), ['Northside Dental', 'Northside Family Practice']],
      [demoAddress('owner', 'southbank'), ['Southbank Dental', 'Southbank Dermatology']],
      [demoAddress('viewer', 'southbank'), ['Southbank Dental']],
      [demoAddress('patient', 'southbank'), []],
      [demoAdmin, ['Northside Dental', 'Northside Family Practice', 'Southbank Dental', 'Southbank Dermatology']],
    ]);
    for (let round = 0; round < 12; round += 1) {
      for (const [email, names] of expected) {
        const answer = await single.call('GET', '/clinics', { token: await single.tokenOf(email) });
        expect([email, answer.body.data.map(({ name }: { name: string }) => name).sort()]).toEqual([email, names]);
      }
    }
    const [prepared] = await single.application
      .get<Pool>(POOL)
      .query<{ count: string }>(`SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%public.clinics c%'`)
      .then(({ rows }) => rows);
    // Behind PgBouncer statements have no names, and the answers above must hold all the same.
    const { namedStatements } = single.config.database;
    expect(Number(prepared?.count) >= 2).toBe(namedStatements);
    await single.stop();
  });
});

describe('The bare login', () => {
  it('can read nothing and begin nothing but a transaction of its own', async () => {
    const pool = service.application.get<Pool>(POOL);
    await expect(pool.query('SELECT * FROM public.clinics')).rejects.toMatchObject({ code: '42501' });
    await expect(pool.query('SELECT * FROM auth.users')).rejects.toMatchObject({ code: '42501' });
    await expect(pool.query('SELECT auth.create_user(NULL, NULL, NULL, NULL, NULL, true)')).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('sees only the rows of the user whom it names, also when it takes the role without the check', async () => {
    const pool = service.application.get<Pool>(POOL);
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('SET LOCAL ROLE authenticated');
    const { rows } = await client.query('SELECT * FROM public.clinics');
    await client.query('ROLLBACK');
    client.release();
    expect(rows).toEqual([]);
  });
});
