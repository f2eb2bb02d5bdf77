import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { demoAddress, demoAdmin, demoPassword } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';

interface Person {
  id: string;
  token: string;
}

let service: Service;
let owner: Person;
let admin: Person;
let clinicId: string;
let organisationId: string;

beforeAll(async () => {
  service = await startService();
  owner = await logIn(demoAddress('owner', 'northside'));
  admin = await logIn(demoAdmin);
  const [clinic] = (await service.call('GET', '/clinics', { token: await as('viewer') })).body.data;
  clinicId = clinic.id;
  organisationId = clinic.organisationId;
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];

async function logIn(email: string, password = demoPassword): Promise<Person> {
  const { body } = await service.call('POST', '/auth/login', { body: { email, password } });
  return { id: body.user.id, token: body.accessToken };
}
async function newPerson(): Promise<Person> {
  const account = { email: `${randomUUID()}@people.example`, password: 'correct horse battery' };
  await service.call('POST', '/auth/register', { body: { ...account, firstName: 'Ada', lastName: 'Byron' } });
  return logIn(account.email, account.password);
}
async function newClinic(): Promise<string> {
  const body = { name: `Clinic ${randomUUID()}`, timeZone: 'Europe/Berlin', currency: 'EUR' };
  return (await service.call('POST', `/organisations/${organisationId}/clinics`, { token: owner.token, body })).body.id;
}

describe('The log of a clinic', () => {
  it.each([
    ['clinic_admin', 'northside', 200, undefined],
    ['manager', 'northside', 200, undefined],
    ['owner', 'northside', 200, undefined],
    ['provider', 'northside', 403, 'role-too-low'],
    ['staff', 'northside', 403, 'role-too-low'],
    ['viewer', 'northside', 403, 'role-too-low'],
    ['member', 'northside', 404, 'not-found'],
    ['patient', 'northside', 404, 'not-found'],
    ['developer', 'northside', 404, 'not-found'],
    ['research-partner', 'northside', 404, 'not-found'],
    ['clinic_admin', 'southbank', 404, 'not-found'],
    ['owner', 'southbank', 404, 'not-found'],
  ])('asked for by the %s of %s: %i', async (role, slug, status, code) => {
    const token = await as(role, slug);
    const answer = await service.call('GET', `/clinics/${clinicId}/audit`, { token });
    expect(outcome(answer)).toEqual([status, code]);
    if (status === 200) expect(answer.body.data).toContainEqual(expect.objectContaining({ clinicId }));
  });

  it('of somebody else looks like that of none', async () => {
    const token = await as('clinic_admin', 'southbank');
    const answers = await Promise.all(
      [clinicId, randomUUID()].map((id) => service.call('GET', `/clinics/${id}/audit`, { token })),
    );
    const [theirs, none] = answers.map(({ status, body: { requestId: _, instance: __, ...rest } }) => ({
      ...rest,
      status,
    }));
    expect(theirs).toEqual(none);
    expect((await service.call('GET', `/clinics/${clinicId}/audit`)).status).toBe(401);
  });

  it('holds the lines of that clinic and of no other, also for whoever administers both', async () => {
    const [here, there] = [await newClinic(), await newClinic()];
    for (const id of [here, there]) {
      await service.call('POST', `/clinics/${id}/providers`, { token: owner.token, body: { name: `Dr. ${id}` } });
    }
    for (const { token } of [owner, admin]) {
      const { body } = await service.call('GET', `/clinics/${here}/audit?limit=200`, { token });
      expect(new Set(body.data.map((event: { clinicId: string }) => event.clinicId))).toEqual(new Set([here]));
      expect(JSON.stringify(body)).not.toContain(there);
    }
  });

  it('is closed to a clinic_admin from the moment when the role is gone', async () => {
    const person = await newPerson();
    const there = await newClinic();
    const body = { userId: person.id, role: 'clinic_admin' };
    await service.call('POST', `/clinics/${there}/members`, { token: owner.token, body });
    const second = { userId: await idOf(demoAddress('staff', 'northside')), role: 'clinic_admin' };
    await service.call('POST', `/clinics/${there}/members`, { token: owner.token, body: second });
    const read = () => service.call('GET', `/clinics/${there}/audit`, { token: person.token });
    expect((await read()).status).toBe(200);
    await service.call('PATCH', `/clinics/${there}/members/${person.id}`, {
      token: owner.token,
      body: { isActive: false },
    });
    expect((await read()).status).toBe(404);
  });
  async function idOf(email: string): Promise<string> {
    const [row] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [email]);
    return row?.id ?? '';
  }
});

describe('The log of the installation', () => {
  it.each([
    'owner',
    'manager',
    'member',
    'clinic_admin',
    'provider',
    'staff',
    'viewer',
    'patient',
    'developer',
    'research-partner',
  ])('is refused to the %s', async (role) => {
    expect(outcome(await service.call('GET', '/audit', { token: await as(role) }))).toEqual([403, 'forbidden']);
  });

  it('is an admin’s to read, and reading it is in it', async () => {
    const { body } = await service.call('GET', '/audit?limit=1&action=access', { token: admin.token });
    expect(body.data).toMatchObject([{ actorId: admin.id, route: 'GET /api/v1/audit', databaseRole: 'super_admin' }]);
  });
});

describe('A list of events', () => {
  let here: string;
  const instant = '2026-01-31T23:59:59.123456Z';

  interface Line {
    id: string;
    occurredAt: string;
    actorId: string | null;
    tableName: string;
    action: string;
    rowId: string | null;
  }

  /** 40 lines of one clinic, of which 25 share an instant: only their ids tell them apart. */
  beforeAll(async () => {
    here = await newClinic();
    await service.database.sql(
      `INSERT INTO audit.events (occurred_at, actor_id, database_role, table_name, action, row_id, clinic_id)
       SELECT timestamptz '${instant}' + CASE WHEN n > 25 THEN make_interval(secs => n * 0.000001) ELSE interval '0' END,
              CASE WHEN n % 2 = 0 THEN $1::uuid END, 'authenticated', CASE WHEN n % 3 = 0 THEN 'public.a' ELSE 'public.b' END,
              CASE WHEN n % 5 = 0 THEN 'delete' ELSE 'read' END, (n % 4)::text, $2 FROM generate_series(1, 40) AS n`,
      [owner.id, here],
    );
  });

  async function followed(filter: string, limit: number): Promise<Line[]> {
    const lines: Line[] = [];
    let cursor = '';
    do {
      const { body } = await service.call('GET', `/clinics/${here}/audit?limit=${limit}${filter}${cursor}`, {
        token: owner.token,
      });
      lines.push(...body.data);
      cursor = body.nextCursor === null ? '' : `&cursor=${encodeURIComponent(body.nextCursor)}`;
    } while (cursor);
    return lines;
  }
  const ids = (lines: Line[]) => lines.map(({ id }) => id);

  it.each([1, 7, 40, 200])('followed by %i to its end has each once, the newest first', async (limit) => {
    const expected = await service.database.sql<{ id: string }>(
      'SELECT id FROM audit.events WHERE clinic_id = $1 ORDER BY occurred_at DESC, id DESC',
      [here],
    );
    expect(expected).toHaveLength(41);
    expect(ids(await followed('', limit))).toEqual(expected.map(({ id }) => id));
  });

  it.each<[string, (line: Line) => boolean]>([
    ['action=delete', ({ action }) => action === 'delete'],
    ['table=public.a', ({ tableName }) => tableName === 'public.a'],
    ['rowId=3', ({ rowId }) => rowId === '3'],
    ['actorId=OWNER', ({ actorId }) => actorId === owner.id],
    [
      'actorId=OWNER&table=public.b&rowId=2',
      (line) => line.actorId === owner.id && line.tableName === 'public.b' && line.rowId === '2',
    ],
    [`from=${instant}&to=2026-02-01T00:00:00Z`, ({ tableName }) => tableName !== 'public.clinics'],
    ['from=2026-02-01T00:00:00Z', ({ tableName }) => tableName === 'public.clinics'],
    [`to=${instant}`, () => false],
  ])('filtered by %s has those and no others, on however many pages', async (filter, isMeant) => {
    const all = await followed('', 200);
    const meant = await followed(`&${filter.replace('OWNER', owner.id)}`, 3);
    expect(ids(meant)).toEqual(ids(all.filter(isMeant)));
  });

  it('does not shift while new lines come in', async () => {
    const path = `/clinics/${here}/audit`;
    const before = ids(await followed('', 200));
    const first = (await service.call('GET', `${path}?limit=10`, { token: owner.token })).body;
    await service.call('PATCH', `/clinics/${here}`, { token: owner.token, body: { location: randomUUID() } });
    const rest = await service.call('GET', `${path}?limit=200&cursor=${first.nextCursor}`, { token: owner.token });
    expect(ids([...first.data, ...rest.body.data])).toEqual(before);
  });

  it.each(['action=truncate', 'from=yesterday', 'actorId=me', 'limit=0', 'limit=201', 'clinicId=x'])(
    'refuses %s',
    async (query) => {
      expect(outcome(await service.call('GET', `/clinics/${here}/audit?${query}`, { token: owner.token }))).toEqual([
        400,
        'invalid-request',
      ]);
    },
  );

  it('refuses a cursor that was made up or belongs to another list', async () => {
    const { nextCursor } = (await service.call('GET', '/clinics?limit=1', { token: owner.token })).body;
    for (const cursor of ['made-up', nextCursor]) {
      const answer = await service.call('GET', `/clinics/${here}/audit?cursor=${cursor}`, { token: owner.token });
      expect(outcome(answer)).toEqual([400, 'invalid-cursor']);
    }
  });
});

describe('The events', () => {
  const roles = ['polyclinic_api', 'anon', 'authenticated', 'super_admin', 'service_role', 'polyclinic_jobs'];
  const attempts = [
    `INSERT INTO audit.events (database_role, table_name, action) VALUES ('anon', 'forged', 'read')`,
    `UPDATE audit.events SET actor_id = NULL`,
    'DELETE FROM audit.events',
    'TRUNCATE audit.events',
    'DROP TABLE audit.events',
    'ALTER TABLE audit.events DISABLE TRIGGER ALL',
    'ALTER TABLE audit.events DISABLE ROW LEVEL SECURITY',
    `SELECT audit.write('read', 'forged', NULL, NULL, NULL, NULL)`,
    `SET session_replication_role = replica`,
  ];

  it.each(roles)('are neither written, changed nor removed by %s, which the service can become', async (role) => {
    const client = new pg.Client({ connectionString: service.database.apiUrl });
    await client.connect();
    const states: unknown[] = [];
    for (const attempt of attempts) {
      await client.query('BEGIN');
      await client.query(`SET LOCAL ROLE ${role}`);
      await client.query(attempt).then(
        () => states.push(`done: ${attempt}`),
        ({ code }) => states.push(code),
      );
      await client.query('ROLLBACK');
    }
    await client.end();
    expect(states).toEqual(attempts.map(() => '42501'));
  });

  it('that are older than they must be kept are removed in the documented way, and then by nobody again', async () => {
    const rows = () => service.database.sql(`SELECT 1 FROM audit.events WHERE occurred_at < '2020-01-01'`);
    await service.database.sql(
      `INSERT INTO audit.events (occurred_at, database_role, table_name, action) VALUES ('2019-12-31', 'anon', 'old', 'read')`,
    );
    const remove = `DELETE FROM audit.events WHERE occurred_at < '2020-01-01'`;
    await expect(service.database.sql(remove)).rejects.toThrow('append-only');
    expect(await rows()).toHaveLength(1);
    await service.database.sql(`BEGIN; SET LOCAL session_replication_role = replica; ${remove}; COMMIT`);
    expect(await rows()).toEqual([]);
    await expect(service.database.sql('TRUNCATE audit.events')).rejects.toThrow('append-only');
  });
});
