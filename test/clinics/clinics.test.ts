import { randomUUID } from 'node:crypto';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let owner: string;
let organisationId: string;
let clinicId: string;

beforeAll(async () => {
  service = await startService();
  owner = await service.tokenOf(demoAddress('owner', 'northside'));
  const viewer = await service.tokenOf(demoAddress('viewer', 'northside'));
  const [clinic] = (await service.call('GET', '/clinics', { token: viewer })).body.data;
  clinicId = clinic.id;
  organisationId = clinic.organisationId;
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const idOf = async (email: string): Promise<string> => {
  const [row] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [email]);
  return row?.id ?? '';
};
const outcome = ({ status, body }: Answer) => [status, body?.code];

async function newOrganisation(name = `Group ${randomUUID()}`): Promise<{ id: string; slug: string }> {
  return (await service.call('POST', '/organisations', { token: owner, body: { name } })).body;
}
async function newClinic(organisation = organisationId): Promise<string> {
  const body = { name: `Clinic ${randomUUID()}`, timeZone: 'Europe/Berlin', currency: 'EUR' };
  return (await service.call('POST', `/organisations/${organisation}/clinics`, { token: owner, body })).body.id;
}

describe('An organisation', () => {
  it('is created by anybody who is signed in, who becomes its owner; the answer says where it is', async () => {
    const token = await as('patient');
    const created = await service.call('POST', '/organisations', { token, body: { name: 'Zahnärzte am Süd-Ufer' } });
    expect([created.status, created.body.slug]).toEqual([201, 'zahnarzte-am-sud-ufer']);
    expect(created.headers.get('location')).toBe(`/api/v1/organisations/${created.body.id}`);
    const mine = await service.call('GET', '/organisations', { token });
    expect(mine.body.data).toMatchObject([{ id: created.body.id, role: 'owner' }]);
  });

  it('gets a slug of its own when the derived one is taken, and a refusal when a chosen one is', async () => {
    const one = await newOrganisation('Twice the same');
    const other = await newOrganisation('Twice the same');
    expect(other.slug).toMatch(/^twice-the-same-[a-z0-9]{5}$/);
    const refused = await service.call('POST', '/organisations', {
      token: owner,
      body: { name: 'Third', slug: one.slug },
    });
    expect(refused.body).toMatchObject({ status: 409, code: 'already-exists', errors: [{ path: 'slug' }] });
  });

  it('is changed by managers, against the version that they saw', async () => {
    const { id } = await newOrganisation();
    const read = await service.call('GET', `/organisations/${id}`, { token: owner });
    const headers = { 'if-match': read.headers.get('etag') ?? '' };
    const both = await Promise.all(
      ['One', 'Other'].map((name) =>
        service.call('PATCH', `/organisations/${id}`, { token: owner, body: { name }, headers }),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('is deleted by its owner, and only when it has no clinic', async () => {
    const { id } = await newOrganisation();
    const clinic = await newClinic(id);
    expect(outcome(await service.call('DELETE', `/organisations/${id}`, { token: owner }))).toEqual([
      409,
      'organisation-not-empty',
    ]);
    expect((await service.call('DELETE', `/clinics/${clinic}`, { token: owner })).status).toBe(204);
    expect((await service.call('DELETE', `/organisations/${id}`, { token: owner })).status).toBe(204);
    expect((await service.call('GET', `/organisations/${id}`, { token: owner })).status).toBe(404);
  });

  it('may be read by whoever has a role in one of its clinics, and by nobody else', async () => {
    for (const role of ['viewer', 'clinic_admin', 'member']) {
      expect((await service.call('GET', `/organisations/${organisationId}`, { token: await as(role) })).status).toBe(
        200,
      );
    }
    for (const role of ['patient', 'developer']) {
      expect((await service.call('GET', `/organisations/${organisationId}`, { token: await as(role) })).status).toBe(
        404,
      );
    }
  });
});

describe('Members of an organisation', () => {
  it('are given no role above that of who gives it', async () => {
    const manager = await as('manager');
    const email = demoAddress('developer', 'southbank');
    const path = `/organisations/${organisationId}/members`;
    expect(outcome(await service.call('POST', path, { token: manager, body: { email, role: 'owner' } }))).toEqual([
      403,
      'forbidden',
    ]);
    expect((await service.call('POST', path, { token: manager, body: { email, role: 'member' } })).status).toBe(201);
    expect(outcome(await service.call('POST', path, { token: manager, body: { email, role: 'member' } }))).toEqual([
      409,
      'already-member',
    ]);
    const userId = await idOf(email);
    expect(
      outcome(await service.call('PATCH', `${path}/${userId}`, { token: manager, body: { role: 'owner' } })),
    ).toEqual([403, 'forbidden']);
    const ownerId = await idOf(demoAddress('owner', 'northside'));
    expect(
      outcome(await service.call('PATCH', `${path}/${ownerId}`, { token: manager, body: { role: 'member' } })),
    ).toEqual([403, 'role-too-low']);
    expect(outcome(await service.call('DELETE', `${path}/${ownerId}`, { token: manager }))).toEqual([
      403,
      'role-too-low',
    ]);
    expect((await service.call('DELETE', `${path}/${userId}`, { token: manager })).status).toBe(204);
  });

  it('are added only when somebody has the account', async () => {
    const path = `/organisations/${organisationId}/members`;
    for (const person of [{ email: 'nobody@people.example' }, { userId: randomUUID() }]) {
      expect(outcome(await service.call('POST', path, { token: owner, body: { ...person, role: 'member' } }))).toEqual([
        404,
        'not-found',
      ]);
    }
    const body = { userId: randomUUID(), email: 'both@people.example', role: 'member' };
    expect((await service.call('POST', path, { token: owner, body })).status).toBe(400);
  });

  it('keep an owner: of two who demote each other at once one fails, every time', async () => {
    const second = await as('manager');
    const [firstId, secondId] = [
      await idOf(demoAddress('owner', 'northside')),
      await idOf(demoAddress('manager', 'northside')),
    ];
    for (let round = 0; round < 10; round += 1) {
      const { id } = await newOrganisation();
      await service.call('POST', `/organisations/${id}/members`, {
        token: owner,
        body: { userId: secondId, role: 'owner' },
      });
      const answers = await Promise.all([
        service.call('PATCH', `/organisations/${id}/members/${secondId}`, { token: owner, body: { role: 'member' } }),
        service.call('PATCH', `/organisations/${id}/members/${firstId}`, { token: second, body: { role: 'member' } }),
      ]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const [row] = await service.database.sql(
        `SELECT count(*)::int AS owners FROM organisation_members WHERE organisation_id = $1 AND role = 'owner'`,
        [id],
      );
      expect(row).toEqual({ owners: 1 });
    }
  });

  it('of whom one is the last owner cannot lose that one', async () => {
    const { id } = await newOrganisation();
    const ownerId = await idOf(demoAddress('owner', 'northside'));
    expect(outcome(await service.call('DELETE', `/organisations/${id}/members/${ownerId}`, { token: owner }))).toEqual([
      409,
      'last-admin',
    ]);
    const demotion = await service.call('PATCH', `/organisations/${id}/members/${ownerId}`, {
      token: owner,
      body: { role: 'manager' },
    });
    expect(outcome(demotion)).toEqual([409, 'last-admin']);
  });
});

describe('Members of a clinic', () => {
  it('keep a clinic_admin: of two who demote each other at once one fails, every time', async () => {
    const [one, other] = [demoAddress('clinic_admin', 'northside'), demoAddress('staff', 'northside')];
    const ids = [await idOf(one), await idOf(other)];
    for (let round = 0; round < 10; round += 1) {
      const clinic = await newClinic();
      for (const userId of ids) {
        await service.call('POST', `/clinics/${clinic}/members`, {
          token: owner,
          body: { userId, role: 'clinic_admin' },
        });
      }
      const answers = await Promise.all([
        service.call('PATCH', `/clinics/${clinic}/members/${ids[1]}`, {
          token: await service.tokenOf(one),
          body: { role: 'viewer' },
        }),
        service.call('PATCH', `/clinics/${clinic}/members/${ids[0]}`, {
          token: await service.tokenOf(other),
          body: { isActive: false },
        }),
      ]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const [row] = await service.database.sql(
        `SELECT count(*)::int AS admins FROM user_clinic_roles WHERE clinic_id = $1 AND role = 'clinic_admin' AND is_active`,
        [clinic],
      );
      expect(row).toEqual({ admins: 1 });
    }
  });

  it('lose what a role gave at their next request, in that clinic and no other', async () => {
    const person = demoAddress('research-partner', 'northside');
    const [token, userId] = [await service.tokenOf(person), await idOf(person)];
    const [one, other] = [await newClinic(), await newClinic()];
    for (const clinic of [one, other]) {
      await service.call('POST', `/clinics/${clinic}/members`, { token: owner, body: { userId, role: 'viewer' } });
    }
    expect((await service.call('GET', `/clinics/${one}`, { token })).status).toBe(200);
    await service.call('PATCH', `/clinics/${one}/members/${userId}`, { token: owner, body: { isActive: false } });
    expect((await service.call('GET', `/clinics/${one}`, { token })).status).toBe(404);
    expect((await service.call('GET', `/clinics/${other}`, { token })).status).toBe(200);
    const again = await service.call('POST', `/clinics/${one}/members`, {
      token: owner,
      body: { userId, role: 'staff' },
    });
    expect(again.body).toMatchObject({ role: 'staff', isActive: true });
    expect((await service.call('DELETE', `/clinics/${one}/members/${userId}`, { token })).status).toBe(204);
  });

  it('leave by deleting the own membership, not by making it inactive', async () => {
    const clinic = await newClinic();
    const person = demoAddress('clinic_admin', 'northside');
    const [token, userId] = [await service.tokenOf(person), await idOf(person)];
    await service.call('POST', `/clinics/${clinic}/members`, { token: owner, body: { userId, role: 'clinic_admin' } });
    await service.call('POST', `/clinics/${clinic}/members`, {
      token: owner,
      body: { userId: await idOf(demoAddress('staff', 'northside')), role: 'clinic_admin' },
    });
    const path = `/clinics/${clinic}/members/${userId}`;
    const refused = await service.call('PATCH', path, { token, body: { isActive: false } });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    expect((await service.call('GET', path, { token })).body.isActive).toBe(true);
    expect((await service.call('DELETE', path, { token })).status).toBe(204);
  });

  it('below clinic_admin change nothing of others', async () => {
    const userId = await idOf(demoAddress('viewer', 'northside'));
    for (const role of ['viewer', 'staff', 'provider']) {
      const token = await as(role);
      const change = await service.call('PATCH', `/clinics/${clinicId}/members/${userId}`, {
        token,
        body: { role: 'clinic_admin' },
      });
      expect(outcome(change)).toEqual([403, 'role-too-low']);
    }
    const removal = await service.call('DELETE', `/clinics/${clinicId}/members/${userId}`, {
      token: await as('staff'),
    });
    expect(outcome(removal)).toEqual([403, 'role-too-low']);
  });
});

describe('A clinic', () => {
  it('that is inactive can be read, made active again, and nothing else', async () => {
    const clinic = await newClinic();
    expect(
      (await service.call('PATCH', `/clinics/${clinic}`, { token: owner, body: { status: 'inactive' } })).status,
    ).toBe(200);
    expect((await service.call('GET', `/clinics/${clinic}`, { token: owner })).body.status).toBe('inactive');
    const refused = [
      await service.call('POST', `/clinics/${clinic}/providers`, { token: owner, body: { name: 'Dr. Late' } }),
      await service.call('POST', `/clinics/${clinic}/invitations`, {
        token: owner,
        body: { email: 'x@people.example', role: 'staff' },
      }),
      await service.call('PATCH', `/clinics/${clinic}`, { token: owner, body: { name: 'Other' } }),
    ];
    expect(refused.map(outcome)).toEqual(Array(3).fill([409, 'clinic-inactive']));
    expect(
      (await service.call('PATCH', `/clinics/${clinic}`, { token: owner, body: { status: 'active' } })).status,
    ).toBe(200);
  });

  it('keeps its time zone and currency once it has facts', async () => {
    await service.database.sql(`
      CREATE TABLE app.some_facts (clinic_id uuid);
      ALTER TABLE app.some_facts OWNER TO polyclinic_owner;
      INSERT INTO app.fact_tables VALUES ('app.some_facts')`);
    const clinic = await newClinic();
    expect(
      (await service.call('PATCH', `/clinics/${clinic}`, { token: owner, body: { currency: 'CHF' } })).status,
    ).toBe(200);
    await service.database.sql('INSERT INTO app.some_facts VALUES ($1)', [clinic]);
    for (const body of [{ currency: 'USD' }, { timeZone: 'Europe/Paris' }]) {
      expect(outcome(await service.call('PATCH', `/clinics/${clinic}`, { token: owner, body }))).toEqual([
        409,
        'clinic-has-facts',
      ]);
    }
    expect(
      (await service.call('PATCH', `/clinics/${clinic}`, { token: owner, body: { name: 'Renamed', currency: 'CHF' } }))
        .status,
    ).toBe(200);
    expect(outcome(await service.call('DELETE', `/clinics/${clinic}`, { token: owner }))).toEqual([
      409,
      'clinic-not-empty',
    ]);
    await service.database.sql(`DELETE FROM app.fact_tables; DROP TABLE app.some_facts`);
  });

  it('is deleted by managers of its organisation only', async () => {
    const clinic = await newClinic();
    const userId = await idOf(demoAddress('clinic_admin', 'northside'));
    await service.call('POST', `/clinics/${clinic}/members`, { token: owner, body: { userId, role: 'clinic_admin' } });
    expect(outcome(await service.call('DELETE', `/clinics/${clinic}`, { token: await as('clinic_admin') }))).toEqual([
      403,
      'role-too-low',
    ]);
    expect((await service.call('DELETE', `/clinics/${clinic}`, { token: await as('manager') })).status).toBe(204);
  });

  it.each([
    [{ timeZone: 'Mars/Olympus' }, 'timeZone'],
    [{ currency: 'XXQ' }, 'currency'],
    [{ name: '' }, 'name'],
    [{ organisationId: randomUUID() }, 'organisationId'],
  ])('refuses %j', async (change, path) => {
    const answer = await service.call('PATCH', `/clinics/${clinicId}`, { token: owner, body: change });
    expect([answer.status, answer.body.errors[0].path]).toEqual([400, path]);
  });

  it('is listed page by page to its end', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = (await service.call('GET', `/clinics?limit=3${cursor}`, { token: owner })).body;
      seen.push(...page.data.map(({ id }: { id: string }) => id));
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor);
    const all = (await service.call('GET', '/clinics?limit=200', { token: owner })).body.data;
    expect(seen).toEqual(all.map(({ id }: { id: string }) => id));
    expect(outcome(await service.call('GET', '/clinics?cursor=tampered', { token: owner }))).toEqual([
      400,
      'invalid-cursor',
    ]);
  });
});

describe('A provider', () => {
  const path = () => `/clinics/${clinicId}/providers`;

  it('has an NPI that its check digit confirms, once per clinic', async () => {
    const wrong = await service.call('POST', path(), {
      token: owner,
      body: { name: 'Dr. A', npiNumber: '1245319598' },
    });
    expect(wrong.body.errors[0].path).toBe('npiNumber');
    expect(
      (await service.call('POST', path(), { token: owner, body: { name: 'Dr. A', npiNumber: '1245319599' } })).status,
    ).toBe(201);
    const twice = await service.call('POST', path(), {
      token: owner,
      body: { name: 'Dr. B', npiNumber: '1245319599' },
    });
    expect(twice.body).toMatchObject({ status: 409, code: 'already-exists', errors: [{ path: 'npiNumber' }] });
  });

  it('is a member of that very clinic, or nobody: a stranger and an id that does not exist look alike', async () => {
    const stranger = await idOf(demoAddress('staff', 'southbank'));
    const answers = await Promise.all(
      [stranger, randomUUID()].map((userId) =>
        service.call('POST', path(), { token: owner, body: { name: 'Dr. C', userId } }),
      ),
    );
    const bodies = answers.map(({ body: { requestId: _, ...rest } }) => rest);
    expect(bodies[0]).toEqual(bodies[1]);
    expect(bodies[0]).toMatchObject({ status: 422, code: 'unknown-reference', errors: [{ path: 'userId' }] });
  });

  it('is changed against the version that was seen, and deleted', async () => {
    const created = await service.call('POST', path(), { token: owner, body: { name: 'Dr. D', specialty: 'Surgery' } });
    const own = `${path()}/${created.body.id}`;
    const headers = { 'if-match': created.headers.get('etag') ?? '' };
    const changed = await service.call('PATCH', own, {
      token: owner,
      body: { specialty: null, status: 'inactive' },
      headers,
    });
    expect(changed.body).toMatchObject({ name: 'Dr. D', specialty: null, status: 'inactive' });
    expect(outcome(await service.call('PATCH', own, { token: owner, body: { name: 'Dr. E' }, headers }))).toEqual([
      412,
      'precondition-failed',
    ]);
    expect((await service.call('DELETE', own, { token: owner })).status).toBe(204);
    expect((await service.call('GET', own, { token: owner })).status).toBe(404);
  });
});

describe('The same POST sent again with its Idempotency-Key', () => {
  it('is done once and answered again; another body under the key is refused', async () => {
    const key = randomUUID();
    const send = (name: string) =>
      service.call('POST', `/clinics/${clinicId}/providers`, {
        token: owner,
        body: { name },
        headers: { 'idempotency-key': key },
      });
    const first = await send('Dr. Once');
    const again = await send('Dr. Once');
    expect([again.status, again.body, again.headers.get('idempotent-replayed')]).toEqual([201, first.body, 'true']);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(outcome(await send('Dr. Twice'))).toEqual([422, 'idempotency-key-reused']);
    const [row] = await service.database.sql(`SELECT count(*)::int AS count FROM providers WHERE name = 'Dr. Once'`);
    expect(row).toEqual({ count: 1 });
  });

  it('by many at once is done once: the others wait for nothing and are told to come back', async () => {
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        service.call('POST', `/clinics/${clinicId}/providers`, {
          token: owner,
          body: { name: 'Dr. Crowd' },
          headers: { 'idempotency-key': key },
        }),
      ),
    );
    expect(answers.filter(({ status, body }) => status !== 201 && body.code !== 'idempotency-key-busy')).toEqual([]);
    const [row] = await service.database.sql(`SELECT count(*)::int AS count FROM providers WHERE name = 'Dr. Crowd'`);
    expect(row).toEqual({ count: 1 });
  });

  it('is judged anew when it was refused, and is nobody else’s key', async () => {
    const key = randomUUID();
    const headers = { 'idempotency-key': key };
    const body = { name: 'Dr. Judged', npiNumber: '1234567893' };
    expect((await service.call('POST', `/clinics/${clinicId}/providers`, { token: owner, body, headers })).status).toBe(
      409,
    );
    await service.database.sql(`UPDATE providers SET npi_number = NULL WHERE npi_number = '1234567893'`);
    expect((await service.call('POST', `/clinics/${clinicId}/providers`, { token: owner, body, headers })).status).toBe(
      201,
    );
    const other = await service.call('POST', `/clinics/${clinicId}/providers`, {
      token: await as('clinic_admin'),
      body: { name: 'Dr. Other' },
      headers,
    });
    expect([other.status, other.headers.get('idempotent-replayed')]).toEqual([201, null]);
  });
});

describe('An admin', () => {
  it('reaches every clinic, and each access is in the log', async () => {
    const token = await service.tokenOf(demoAdmin);
    expect((await service.call('GET', `/clinics/${clinicId}`, { token })).status).toBe(200);
    const log = await service.call('GET', '/audit?action=access&limit=5', { token });
    expect(log.body.data).toContainEqual(
      expect.objectContaining({ route: 'GET /api/v1/clinics/:clinicId', clinicId, databaseRole: 'super_admin' }),
    );
  });

  it('who deletes a user ends their log-in and their roles; the last clinic_admin goes too', async () => {
    const person = demoAddress('clinic_admin', 'southbank');
    const [theirs, userId, token] = [
      await service.tokenOf(person),
      await idOf(person),
      await service.tokenOf(demoAdmin),
    ];
    expect((await service.call('DELETE', `/users/${userId}`, { token })).status).toBe(204);
    expect((await service.call('GET', '/auth/me', { token: theirs })).status).toBe(401);
    const [row] = await service.database.sql(
      `SELECT p.deleted_at IS NOT NULL AS gone, bool_or(r.is_active) AS active FROM profiles p JOIN user_clinic_roles r ON r.user_id = p.id WHERE p.id = $1 GROUP BY 1`,
      [userId],
    );
    expect(row).toEqual({ gone: true, active: false });
    expect((await service.call('GET', `/users/${userId}`, { token })).status).toBe(404);
  });

  it('cannot disable, delete or demote their own account', async () => {
    const token = await service.tokenOf(demoAdmin);
    const self = `/users/${await idOf(demoAdmin)}`;
    const answers = [
      await service.call('POST', `${self}/disable`, { token }),
      await service.call('DELETE', self, { token }),
      await service.call('PATCH', self, { token, body: { userType: 'patient' } }),
    ];
    expect(answers.map(outcome)).toEqual(Array(3).fill([409, 'not-yourself']));
  });
});

describe('A clinic_admin among users', () => {
  it('reads the members of own clinics, changes nobody, and sees nobody else', async () => {
    const token = await as('clinic_admin');
    const emails = (await service.call('GET', '/users?limit=200', { token })).body.data.map(
      ({ email }: { email: string }) => email,
    );
    expect(emails).toContain(demoAddress('viewer', 'northside'));
    expect(emails.filter((email: string) => email.endsWith('@southbank.example'))).toEqual([]);
    const member = await idOf(demoAddress('viewer', 'northside'));
    expect((await service.call('GET', `/users/${member}`, { token })).status).toBe(200);
    expect(outcome(await service.call('PATCH', `/users/${member}`, { token, body: { userType: 'admin' } }))).toEqual([
      403,
      'forbidden',
    ]);
    expect(outcome(await service.call('POST', `/users/${member}/disable`, { token }))).toEqual([403, 'forbidden']);
  });
});
