import { randomUUID } from 'node:crypto';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let mailbox: Mailbox;
let admin: string;
let owner: string;
let clinicId: string;
let organisationId: string;

beforeAll(async () => {
  mailbox = await openMailbox();
  const variables = { SMTP_URL: mailbox.smtpUrl, REQUIRE_VERIFIED_EMAIL: 'true' };
  service = await startService({ withWorker: true, variables });
  [admin, owner] = [await service.tokenOf(demoAdmin), await as('owner')];
  const [clinic] = (await service.call('GET', '/clinics', { token: await as('viewer') })).body.data;
  clinicId = clinic.id;
  organisationId = clinic.organisationId;
});
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
});

interface Person {
  id: string;
  email: string;
  token: string;
  refreshToken: string;
}

const password = 'correct horse battery';
const unknown = '00000000-0000-7000-8000-000000000000';
const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const logIn = (email: string) => service.call('POST', '/auth/login', { body: { email, password } });
const me = (token: string) => service.call('GET', '/auth/me', { token });
const ended = [401, 'session-ended'];

async function register(email: string): Promise<Person> {
  await service.call('POST', '/auth/register', { body: { email, password, firstName: 'Ada', lastName: 'Byron' } });
  const { body } = await logIn(email);
  return { id: body.user.id, email, token: body.accessToken, refreshToken: body.refreshToken };
}
/** A patient with a verified address, and the given role in each of the clinics. */
async function newPerson(role = 'viewer', ...clinics: string[]): Promise<Person> {
  const person = await register(`${randomUUID()}@people.example`);
  await service.call('POST', '/auth/email/verify', { body: { token: (await mailbox.next(person.email)).token } });
  for (const id of clinics) {
    const body = { userId: person.id, role };
    await service.call('POST', `/clinics/${id}/members`, { token: owner, body });
  }
  return person;
}
async function newClinic(): Promise<string> {
  const body = { name: `Clinic ${randomUUID()}`, timeZone: 'Europe/Berlin', currency: 'EUR' };
  return (await service.call('POST', `/organisations/${organisationId}/clinics`, { token: owner, body })).body.id;
}
async function idOf(email: string): Promise<string> {
  const [row] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [email]);
  return row?.id ?? '';
}
const rolesOf = (id: string) =>
  service.database.sql(
    'SELECT clinic_id, role, is_active FROM user_clinic_roles WHERE user_id = $1 ORDER BY created_at',
    [id],
  );

const changes: [string, string, object | undefined][] = [
  ['PATCH', '', { firstName: 'Mallory', userType: 'admin' }],
  ['POST', '/disable', undefined],
  ['POST', '/enable', undefined],
  ['DELETE', '', undefined],
];
const change = (id: string, [method, path, body]: (typeof changes)[number], token?: string) =>
  service.call(method, `/users/${id}${path}`, { ...(token && { token }), ...(body && { body }) });

describe('Users', () => {
  it.each([
    'owner',
    'manager',
    'clinic_admin',
    'member',
    'provider',
    'staff',
    'viewer',
    'patient',
    'developer',
    'research-partner',
  ])(
    'are changed, disabled, enabled and deleted by no %s, not even their own, and nothing tells whether they exist',
    async (role) => {
      const victim = await idOf(demoAddress('viewer', 'northside'));
      const self = await idOf(demoAddress(role, 'northside'));
      for (const each of changes) {
        for (const id of [victim, self, await idOf(demoAdmin), unknown]) {
          expect(outcome(await change(id, each, await as(role)))).toEqual([403, 'forbidden']);
        }
      }
      const [row] = await service.database.sql(
        `SELECT p.first_name, p.user_type, u.disabled_at FROM auth.users u JOIN profiles p USING (id) WHERE u.id = $1`,
        [victim],
      );
      expect(row).toEqual({ first_name: 'Viewer', user_type: 'provider', disabled_at: null });
    },
  );

  it.each(['member', 'provider', 'staff', 'viewer', 'patient', 'developer', 'research-partner'])(
    'are neither read nor listed by a %s, who administers no clinic',
    async (role) => {
      const token = await as(role);
      const paths = ['/users', `/users/${await idOf(demoAddress('viewer', 'northside'))}`, `/users/${unknown}`];
      for (const path of paths) expect(outcome(await service.call('GET', path, { token }))).toEqual([403, 'forbidden']);
    },
  );

  it('are for nobody who is not logged in', async () => {
    const id = await idOf(demoAddress('viewer', 'northside'));
    const answers = [await service.call('GET', '/users'), await service.call('GET', `/users/${id}`)];
    for (const each of changes) answers.push(await change(id, each));
    expect(answers.map(outcome)).toEqual(Array(6).fill([401, 'unauthenticated']));
  });
});

describe('A clinic_admin', () => {
  it('reads the members of own clinics without what belongs to their log-in, and nobody of another clinic', async () => {
    const there = await newClinic();
    const [member, stranger] = [await newPerson('viewer', clinicId), await newPerson('viewer', there)];
    const token = await as('clinic_admin');
    const { body } = await service.call('GET', `/users/${member.id}`, { token });
    expect(body).toMatchObject({ email: member.email, lastLoginAt: null, disabledAt: null, emailVerifiedAt: null });
    for (const id of [stranger.id, await idOf(demoAdmin), await idOf(demoAddress('viewer', 'southbank')), unknown]) {
      expect(outcome(await service.call('GET', `/users/${id}`, { token }))).toEqual([404, 'not-found']);
    }
    expect((await service.call('GET', `/users/${stranger.id}`, { token: owner })).status).toBe(200);
  });

  it('does not find by address or type who is not a member', async () => {
    const token = await as('clinic_admin');
    const found = async (query: string) => (await service.call('GET', `/users?${query}`, { token })).body.data;
    expect(await found(`email=${demoAddress('staff', 'northside')}`)).toHaveLength(1);
    expect(await found(`email=${demoAddress('staff', 'southbank')}`)).toEqual([]);
    expect(await found(`email=${demoAdmin}`)).toEqual([]);
    expect(await found('userType=admin')).toEqual([]);
  });

  it('reads a member no more whose role has ended there', async () => {
    const member = await newPerson('viewer', clinicId);
    const token = await as('clinic_admin');
    const read = async () => (await service.call('GET', `/users/${member.id}`, { token })).status;
    expect(await read()).toBe(200);
    const path = `/clinics/${clinicId}/members/${member.id}`;
    await service.call('PATCH', path, { token: owner, body: { isActive: false } });
    expect(await read()).toBe(404);
    const { body } = await service.call('GET', `/users?email=${member.email}`, { token });
    expect(body.data).toEqual([]);
  });

  it('who is one no more reads nobody', async () => {
    const there = await newClinic();
    const person = await newPerson('clinic_admin', there);
    await newPerson('clinic_admin', there);
    expect((await service.call('GET', '/users', { token: person.token })).body.data).toHaveLength(2);
    const path = `/clinics/${there}/members/${person.id}`;
    await service.call('PATCH', path, { token: owner, body: { isActive: false } });
    expect(outcome(await service.call('GET', '/users', { token: person.token }))).toEqual([403, 'forbidden']);
  });
});

describe('An admin', () => {
  it('reads everybody, whole', async () => {
    const person = await newPerson();
    const { body } = await service.call('GET', `/users/${person.id}`, { token: admin });
    expect(body).toMatchObject({ id: person.id, email: person.email, userType: 'patient', disabledAt: null });
    for (const time of [body.emailVerifiedAt, body.lastLoginAt])
      expect(Date.parse(time)).toBeGreaterThan(Date.now() - 60_000);
    expect(JSON.stringify(body)).not.toMatch(/password|hash/i);
  });

  it('lists everybody once, page by page to the end, and by address and type', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await service.call('GET', `/users?limit=4${cursor}`, { token: admin });
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor);
    const all = await service.database.sql<{ id: string }>(
      'SELECT id FROM profiles WHERE deleted_at IS NULL ORDER BY id',
    );
    expect(seen).toEqual(all.map(({ id }) => id));
    const found = (
      await service.call('GET', `/users?email=${demoAdmin.toUpperCase()}&userType=admin`, { token: admin })
    ).body;
    expect(found.data).toMatchObject([{ email: demoAdmin }]);
  });

  it('changes name and type, and nothing else', async () => {
    const person = await newPerson();
    const path = `/users/${person.id}`;
    const changed = await service.call('PATCH', path, {
      token: admin,
      body: { firstName: 'Grace', userType: 'developer' },
    });
    expect(changed.body).toMatchObject({ firstName: 'Grace', lastName: 'Byron', userType: 'developer' });
    expect((await service.call('PATCH', path, { token: admin, body: {} })).body).toMatchObject(changed.body);
    const others = [
      { email: 'x@people.example' },
      { id: unknown },
      { deletedAt: null },
      { password },
      { disabledAt: null },
    ];
    for (const body of [...others, { userType: 'super_admin' }]) {
      expect((await service.call('PATCH', path, { token: admin, body })).status).toBe(400);
    }
  });

  it('is told that a user is not there, or that it is no id', async () => {
    for (const each of [...changes, ['GET', '', undefined] as (typeof changes)[number]]) {
      expect(outcome(await change(unknown, each, admin))).toEqual([404, 'not-found']);
      expect((await change('me', each, admin)).status).toBe(400);
    }
  });

  it('of the database writes of a log-in only whether it is disabled', async () => {
    for (const column of ['email', 'password_hash', 'email_verified_at', 'last_login_at', 'legacy_id', 'id']) {
      const attempt = `DO $$ BEGIN SET LOCAL ROLE super_admin; UPDATE auth.users SET ${column} = NULL; END $$`;
      await expect(service.database.sql(attempt)).rejects.toMatchObject({ code: '42501' });
    }
  });
});

describe('Two admins', () => {
  it('who put each other out at once leave one of them, every time', async () => {
    const admins = async () =>
      service.database.sql<{ id: string }>(
        `SELECT p.id FROM profiles p JOIN auth.users u ON u.id = p.id
          WHERE p.user_type = 'admin' AND p.deleted_at IS NULL AND u.disabled_at IS NULL`,
      );
    const before = await admins();
    for (let round = 0; round < 5; round += 1) {
      const pair = [await newPerson(), await newPerson()];
      const ids = pair.map(({ id }) => id);
      await service.database.sql(`UPDATE profiles SET user_type = 'admin' WHERE id = ANY ($1)`, [ids]);
      await service.database.sql(`UPDATE profiles SET user_type = 'developer' WHERE id = ANY ($1)`, [
        before.map(({ id }) => id),
      ]);
      const [one, other] = await Promise.all(pair.map(({ email }) => logIn(email)));
      const answers = await Promise.all([
        change(ids[1] ?? '', ['POST', '/disable', undefined], one?.body.accessToken),
        change(ids[0] ?? '', ['PATCH', '', { userType: 'patient' }], other?.body.accessToken),
      ]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(await admins()).toHaveLength(1);
      await service.database.sql(`UPDATE profiles SET user_type = 'admin' WHERE id = ANY ($1)`, [
        before.map(({ id }) => id),
      ]);
      await service.database.sql('DELETE FROM auth.users WHERE id = ANY ($1)', [ids]);
    }
  });
});

describe('A clinic elsewhere', () => {
  it('that somebody has as default is no business of a clinic_admin here', async () => {
    const [here, there] = [await newClinic(), await newClinic()];
    const person = await newPerson('viewer', here, there);
    const admin = await newPerson('clinic_admin', here);
    await service.call('PATCH', '/auth/me', { token: person.token, body: { defaultClinicId: there } });
    const read = async (token: string) =>
      (await service.call('GET', `/users/${person.id}`, { token })).body.defaultClinicId;
    expect(await read(admin.token)).toBeNull();
    expect(await read(await service.tokenOf(demoAdmin))).toBe(there);
    await service.call('PATCH', '/auth/me', { token: person.token, body: { defaultClinicId: here } });
    expect(await read(admin.token)).toBe(here);
  });
});

describe('A user who is disabled', () => {
  it('is out at the next request everywhere and stays out, until enabled: then with a new log-in', async () => {
    const person = await newPerson('viewer', clinicId);
    const elsewhere = (await logIn(person.email)).body;
    const disabled = await change(person.id, ['POST', '/disable', undefined], admin);
    expect(Date.parse(disabled.body.disabledAt)).toBeGreaterThan(Date.now() - 60_000);
    for (const token of [person.token, elsewhere.accessToken]) expect(outcome(await me(token))).toEqual(ended);
    const refresh = (refreshToken: string) => service.call('POST', '/auth/refresh', { body: { refreshToken } });
    expect(outcome(await refresh(person.refreshToken))).toEqual([401, 'refresh-refused']);
    expect(outcome(await logIn(person.email))).toEqual([401, 'wrong-credentials']);

    const enabled = await change(person.id, ['POST', '/enable', undefined], admin);
    expect(enabled.body.disabledAt).toBeNull();
    expect(outcome(await me(person.token))).toEqual(ended);
    expect(outcome(await refresh(elsewhere.refreshToken))).toEqual([401, 'refresh-refused']);
    const again = (await logIn(person.email)).body;
    expect((await me(again.accessToken)).body.clinics).toMatchObject([{ id: clinicId, role: 'viewer' }]);
  });

  it('is not let in by a new password, and gets no mail to set one', async () => {
    const person = await newPerson();
    const forgot = () => service.call('POST', '/auth/password/forgot', { body: { email: person.email } });
    await forgot();
    const { token } = await mailbox.next(person.email);
    await change(person.id, ['POST', '/disable', undefined], admin);
    expect((await forgot()).status).toBe(202);
    const fresh = 'another fine phrase';
    await service.call('POST', '/auth/password/reset', { body: { token, password: fresh } });
    const login = await service.call('POST', '/auth/login', { body: { email: person.email, password: fresh } });
    expect(outcome(login)).toEqual([401, 'wrong-credentials']);
    const waiting = `SELECT 1 FROM graphile_worker._private_jobs WHERE payload ->> 'userId' = $1 AND payload ->> 'kind' = 'reset-password'`;
    expect(await service.database.sql(waiting, [person.id])).toEqual([]);
    expect(mailbox.mails.filter(({ to, token: sent }) => to === person.email && sent !== undefined)).toHaveLength(2);
  });

  it('twice has been so since the first time', async () => {
    const { id } = await newPerson();
    const [once, twice] = [
      await change(id, ['POST', '/disable', undefined], admin),
      await change(id, ['POST', '/disable', undefined], admin),
    ];
    expect(twice.body.disabledAt).toBe(once.body.disabledAt);
  });
});

describe('A user who is deleted', () => {
  it('leaves a profile that is marked, and no session, no token, no log-in and no role in any clinic', async () => {
    const person = await newPerson('provider', clinicId, await newClinic());
    const member = { userId: person.id, role: 'member' };
    await service.call('POST', `/organisations/${organisationId}/members`, { token: owner, body: member });
    await service.database.sql(
      `INSERT INTO auth.identities (user_id, provider, provider_user_id) VALUES ($1, 'test', 'their id')`,
      [person.id],
    );
    expect((await change(person.id, ['DELETE', '', undefined], admin)).status).toBe(204);
    const [left] = await service.database.sql(
      `SELECT p.first_name, p.email, p.deleted_at IS NOT NULL AS marked,
              (SELECT count(*)::int FROM auth.users WHERE id = $1) + (SELECT count(*)::int FROM auth.sessions WHERE user_id = $1)
            + (SELECT count(*)::int FROM auth.one_time_tokens WHERE user_id = $1) + (SELECT count(*)::int FROM auth.identities WHERE user_id = $1)
            + (SELECT count(*)::int FROM organisation_members WHERE user_id = $1) AS other FROM profiles p WHERE id = $1`,
      [person.id],
    );
    expect(left).toEqual({ first_name: 'Ada', email: person.email, marked: true, other: 0 });
    expect(await rolesOf(person.id)).toMatchObject([{ is_active: false }, { is_active: false }]);
    expect(outcome(await me(person.token))).toEqual(ended);
    expect(
      outcome(await service.call('POST', '/auth/refresh', { body: { refreshToken: person.refreshToken } })),
    ).toEqual([401, 'refresh-refused']);
    expect(outcome(await logIn(person.email))).toEqual([401, 'wrong-credentials']);
  });

  it('is there for nobody any more, and cannot be changed or brought back', async () => {
    const person = await newPerson('viewer', clinicId);
    await change(person.id, ['DELETE', '', undefined], admin);
    for (const each of [...changes, ['GET', '', undefined] as (typeof changes)[number]]) {
      expect(outcome(await change(person.id, each, admin))).toEqual([404, 'not-found']);
    }
    expect(outcome(await service.call('GET', `/users/${person.id}`, { token: owner }))).toEqual([404, 'not-found']);
    for (const token of [admin, owner]) {
      expect((await service.call('GET', `/users?email=${person.email}`, { token })).body.data).toEqual([]);
    }
  });

  it('may come again with the same address, as somebody new without the roles of before', async () => {
    const before = await newPerson('clinic_admin', clinicId);
    await change(before.id, ['DELETE', '', undefined], admin);
    const after = await newPerson();
    await service.database.sql('UPDATE auth.users SET email = $2 WHERE id = $1', [after.id, before.email]);
    const again = await service.call('POST', '/auth/login', { body: { email: before.email, password } });
    expect(again.body.user.id).toBe(after.id);
    expect((await me(again.body.accessToken)).body.clinics).toEqual([]);
  });

  it('twice at once is deleted once', async () => {
    const { id } = await newPerson('viewer', clinicId);
    const answers = await Promise.all([1, 2].map(() => change(id, ['DELETE', '', undefined], admin)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404]);
  });
});

describe('An address that changes', () => {
  const move = (id: string, email: string) =>
    service.database.sql('UPDATE auth.users SET email = $2 WHERE id = $1', [id, email]);

  it('is followed by the profile, and must be proven anew', async () => {
    const person = await newPerson();
    const moved = `moved-${person.email}`;
    await move(person.id, moved);
    expect((await me(person.token)).body).toMatchObject({ email: moved, emailVerified: false });
    const { body } = await service.call('GET', `/users/${person.id}`, { token: admin });
    expect(body).toMatchObject({ email: moved, emailVerifiedAt: null });
    const refused = await service.call('PATCH', '/auth/me', { token: person.token, body: { locale: 'de' } });
    expect(outcome(refused)).toEqual([403, 'email-unverified']);
    await service.call('POST', '/auth/email/resend', { token: person.token });
    await service.call('POST', '/auth/email/verify', { body: { token: (await mailbox.next(moved)).token } });
    expect((await me(person.token)).body.emailVerified).toBe(true);
    expect([(await logIn(moved)).status, (await logIn(person.email)).status]).toEqual([200, 401]);
  });

  it('is proven by no mail that went to the one before, nor is the password set by one', async () => {
    const person = await register(`${randomUUID()}@people.example`);
    const verification = await mailbox.next(person.email);
    await service.call('POST', '/auth/password/forgot', { body: { email: person.email } });
    const reset = await mailbox.next(person.email);
    await move(person.id, `moved-${person.email}`);
    const answers = [
      await service.call('POST', '/auth/email/verify', { body: { token: verification.token } }),
      await service.call('POST', '/auth/password/reset', {
        body: { token: reset.token, password: 'another fine phrase' },
      }),
    ];
    expect(answers.map(outcome)).toEqual(Array(2).fill([422, 'invalid-one-time-token']));
    expect((await me(person.token)).body.emailVerified).toBe(false);
  });

  it('only in its capitals stays proven, and the profile shows them', async () => {
    const person = await newPerson();
    await move(person.id, person.email.toUpperCase());
    expect((await me(person.token)).body).toMatchObject({ email: person.email.toUpperCase(), emailVerified: true });
  });
});

describe('A role that ends in one clinic', () => {
  it.each([
    ['deactivated', (path: string) => service.call('PATCH', path, { token: owner, body: { isActive: false } }), 200],
    ['removed', (path: string) => service.call('DELETE', path, { token: owner }), 204],
  ])('(%s) leaves those in other clinics, the organisation and the log-in as they are', async (_how, end, status) => {
    const [here, there] = [await newClinic(), await newClinic()];
    const person = await newPerson('staff', here, there);
    const member = { userId: person.id, role: 'member' };
    await service.call('POST', `/organisations/${organisationId}/members`, { token: owner, body: member });
    expect((await end(`/clinics/${here}/members/${person.id}`)).status).toBe(status);
    const { body } = await me(person.token);
    expect(body.clinics).toMatchObject([{ id: there, role: 'staff' }]);
    expect(body.organisations).toMatchObject([{ id: organisationId, role: 'member' }]);
    const read = (id: string) => service.call('GET', `/clinics/${id}/members`, { token: person.token });
    expect([(await read(here)).status, (await read(there)).status]).toEqual([404, 200]);
    const { body: user } = await service.call('GET', `/users/${person.id}`, { token: admin });
    expect(user).toMatchObject({ disabledAt: null, userType: 'patient' });
  });
});
