import { createHash, randomUUID } from 'node:crypto';
import { demoAddress, demoAdmin, demoPassword } from '../../src/demo/demo.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { captureLog } from '../support/probe.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let mailbox: Mailbox;
let log: Record<string, unknown>[];
let owner: string;
let organisationId: string;
let clinicId: string;

beforeAll(async () => {
  mailbox = await openMailbox();
  const variables = { SMTP_URL: mailbox.smtpUrl, REQUIRE_VERIFIED_EMAIL: 'true', LOG_LEVEL: 'trace' };
  service = await startService({ withWorker: true, variables });
  log = captureLog(service.application);
  owner = await as('owner');
  const [clinic] = (await service.call('GET', '/clinics', { token: await as('viewer') })).body.data;
  clinicId = clinic.id;
  organisationId = clinic.organisationId;
});
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
});

const password = 'correct horse battery';
const account = { password, firstName: 'Ada', lastName: 'Byron' };
const notFound = [404, 'invitation-not-found'];
const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const newAddress = () => `${randomUUID()}@people.example`;
const accept = (body: object, token?: string) =>
  service.call('POST', '/invitations/accept', { body, ...(token && { token }) });

interface Invited {
  id: string;
  email: string;
  token: string;
}

function send(tenant: string, email: string, role: string, token = owner): Promise<Answer> {
  return service.call('POST', `${tenant}/invitations`, { token, body: { email, role } });
}
/** Invites, and takes the token out of the mail. */
async function invite(tenant: string, role: string, email = newAddress(), token = owner): Promise<Invited> {
  const answer = await send(tenant, email, role, token);
  if (answer.status !== 201) throw new Error(`not invited: ${answer.text}`);
  return { id: answer.body.id, email, token: (await mailbox.next(email)).token ?? '' };
}
const clinic = (id = clinicId) => `/clinics/${id}`;
const organisation = (id = organisationId) => `/organisations/${id}`;

async function newClinic(inside = organisationId): Promise<string> {
  const body = { name: `Clinic ${randomUUID()}`, timeZone: 'Europe/Berlin', currency: 'EUR' };
  return (await service.call('POST', `/organisations/${inside}/clinics`, { token: owner, body })).body.id;
}
async function newOrganisation(): Promise<string> {
  const answer = await service.call('POST', '/organisations', {
    token: owner,
    body: { name: `Group ${randomUUID()}` },
  });
  return answer.body.id;
}
async function register(email: string): Promise<string> {
  await service.call('POST', '/auth/register', { body: { ...account, email } });
  return logIn(email);
}
async function logIn(email: string, secret = password): Promise<string> {
  return (await service.call('POST', '/auth/login', { body: { email, password: secret } })).body.accessToken;
}
/** Somebody with an account and a verified address. */
async function newPerson(): Promise<{ email: string; id: string; token: string }> {
  const email = newAddress();
  const token = await register(email);
  await service.call('POST', '/auth/email/verify', { body: { token: (await mailbox.next(email)).token } });
  return { email, id: await idOf(email), token };
}
async function idOf(email: string): Promise<string> {
  const [row] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [email]);
  return row?.id ?? '';
}
/** Every role that the person of this address has anywhere. */
function rolesOf(email: string) {
  return service.database.sql(
    `SELECT r.clinic_id AS tenant, r.role::text, r.is_active AS active FROM user_clinic_roles r JOIN profiles p ON p.id = r.user_id WHERE p.email = $1
     UNION ALL
     SELECT m.organisation_id, m.role::text, true FROM organisation_members m JOIN profiles p ON p.id = m.user_id WHERE p.email = $1`,
    [email],
  );
}
async function stateOf(id: string, tenant = clinic()): Promise<string> {
  const { body } = await service.call('GET', `${tenant}/invitations?limit=200`, { token: owner });
  return body.data.find((each: { id: string }) => each.id === id)?.state;
}
const expire = (id: string) =>
  service.database.sql(`UPDATE invitations SET expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
const revoke = (id: string, tenant = clinic(), token = owner) =>
  service.call('DELETE', `${tenant}/invitations/${id}`, { token });

describe('Invitations into a clinic', () => {
  it.each([
    ['owner', 'northside', 201, undefined],
    ['manager', 'northside', 201, undefined],
    ['clinic_admin', 'northside', 201, undefined],
    ['provider', 'northside', 403, 'role-too-low'],
    ['staff', 'northside', 403, 'role-too-low'],
    ['viewer', 'northside', 403, 'role-too-low'],
    ['member', 'northside', 404, 'not-found'],
    ['patient', 'northside', 404, 'not-found'],
    ['clinic_admin', 'southbank', 404, 'not-found'],
    ['owner', 'southbank', 404, 'not-found'],
  ])('sent, listed and revoked by the %s of %s: %i', async (role, slug, status, code) => {
    const token = await as(role, slug);
    const path = `${clinic()}/invitations`;
    const { id } = await invite(clinic(), 'viewer');
    const answers = [
      await send(clinic(), newAddress(), 'clinic_admin', token),
      await service.call('GET', path, { token }),
      await revoke(id, clinic(), token),
    ];
    const fine = [201, 200, 204].map((each) => [each, undefined]);
    expect(answers.map(outcome)).toEqual(status === 201 ? fine : Array(3).fill([status, code]));
    expect(await stateOf(id)).toBe(status === 201 ? 'revoked' : 'pending');
  });

  it('are listed newest first, page by page to the end, without those of another clinic and without any secret', async () => {
    const [here, there] = [await newClinic(), await newClinic()];
    const sent: string[] = [];
    for (let count = 0; count < 5; count += 1) sent.unshift((await send(clinic(here), newAddress(), 'viewer')).body.id);
    await send(clinic(there), newAddress(), 'viewer');
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await service.call('GET', `${clinic(here)}/invitations?limit=2${cursor}`, { token: owner });
      expect(page.text).not.toMatch(/token|hash/i);
      seen.push(...page.body.data.map(({ id }: { id: string }) => id));
      cursor = page.body.nextCursor === null ? '' : `&cursor=${page.body.nextCursor}`;
    } while (cursor);
    expect(seen).toEqual(sent);
  });

  it('are not there for whoever asks through another clinic or organisation', async () => {
    const { id } = await invite(clinic(), 'viewer');
    for (const tenant of [clinic(await newClinic()), organisation()]) {
      expect(outcome(await revoke(id, tenant))).toEqual([404, 'not-found']);
      expect(await stateOf(id, tenant)).toBeUndefined();
    }
    expect(await stateOf(id)).toBe('pending');
  });

  it('are refused for somebody who is a member, and sent to one whose role has ended', async () => {
    const person = await newPerson();
    const here = clinic(await newClinic());
    await service.call('POST', `${here}/members`, { token: owner, body: { userId: person.id, role: 'staff' } });
    const refused = await send(here, person.email.toUpperCase(), 'provider');
    expect(outcome(refused)).toEqual([409, 'already-member']);
    await service.call('PATCH', `${here}/members/${person.id}`, { token: owner, body: { isActive: false } });
    const { token } = await invite(here, 'viewer', person.email);
    expect((await accept({ token })).body.role).toBe('viewer');
    expect(await rolesOf(person.email)).toMatchObject([{ role: 'viewer', active: true }]);
  });

  it('are pending once per address: of ten at once one is sent, and one more after it was revoked', async () => {
    const here = clinic(await newClinic());
    const email = newAddress();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, turn) => send(here, turn % 2 ? email : email.toUpperCase(), 'viewer')),
    );
    expect(answers.map(outcome).sort()).toEqual([[201, undefined], ...Array(9).fill([409, 'already-invited'])]);
    const [first] = answers.filter(({ status }) => status === 201);
    const { token: outdated } = await mailbox.next(first?.body.email);
    await revoke(first?.body.id, here);
    const again = await invite(here, 'staff', email);
    expect(outcome(await accept({ token: outdated, account }))).toEqual(notFound);
    expect((await accept({ token: again.token, account })).body.role).toBe('staff');
  });

  it('may be waiting for one address in many clinics', async () => {
    const email = newAddress();
    for (const each of [clinicId, await newClinic(), await newClinic()]) {
      expect((await send(clinic(each), email, 'viewer')).status).toBe(201);
    }
  });
});

describe('Many invitations at once, each with its Idempotency-Key', () => {
  it('wait for no second connection while they hold one: a pool of two serves them all', async () => {
    const small = await startService({ database: service.database, variables: { DATABASE_POOL_SIZE: '2' } });
    const token = await small.tokenOf(demoAddress('owner', 'northside'));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        small.call('POST', `${clinic()}/invitations`, {
          token,
          body: { email: newAddress(), role: 'viewer' },
          headers: { 'idempotency-key': randomUUID() },
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    await small.stop();
  });
});

describe('Invitations into an organisation', () => {
  it.each([
    ['owner', 'owner', 201, undefined],
    ['owner', 'manager', 201, undefined],
    ['manager', 'manager', 201, undefined],
    ['manager', 'member', 201, undefined],
    ['manager', 'owner', 403, 'forbidden'],
    ['member', 'member', 403, 'role-too-low'],
    ['clinic_admin', 'member', 403, 'role-too-low'],
    ['patient', 'member', 404, 'not-found'],
  ])('sent by a %s for a %s: %i', async (by, role, status, code) => {
    expect(outcome(await send(organisation(), newAddress(), role, await as(by)))).toEqual([status, code]);
  });

  it('for an owner are neither seen nor revoked by a manager', async () => {
    const { id } = await invite(organisation(), 'owner');
    const manager = await as('manager');
    const { body } = await service.call('GET', `${organisation()}/invitations?limit=200`, { token: manager });
    expect(body.data.map((each: { id: string }) => each.id)).not.toContain(id);
    expect(outcome(await revoke(id, organisation(), manager))).toEqual([404, 'not-found']);
    expect(await stateOf(id, organisation())).toBe('pending');
  });

  it('that have expired bar no other, although whoever invites does not see them', async () => {
    const { id, email } = await invite(organisation(), 'owner');
    await expire(id);
    expect((await send(organisation(), email, 'member', await as('manager'))).status).toBe(201);
    expect(await stateOf(id, organisation())).toBe('expired');
  });

  it('give the role there, which counts in each of its clinics', async () => {
    const there = await newOrganisation();
    const inside = await newClinic(there);
    const { email, token } = await invite(organisation(there), 'manager');
    expect((await accept({ token, account })).body).toMatchObject({
      organisationId: there,
      clinicId: null,
      role: 'manager',
    });
    expect(await rolesOf(email)).toEqual([{ tenant: there, role: 'manager', active: true }]);
    const clinics = await service.call('GET', '/clinics', { token: await logIn(email) });
    expect(clinics.body.data).toMatchObject([{ id: inside, role: 'clinic_admin' }]);
  });

  it('refuse whoever belongs to it already', async () => {
    expect(outcome(await send(organisation(), demoAddress('member', 'northside'), 'manager'))).toEqual([
      409,
      'already-member',
    ]);
  });
});

describe('Somebody new who accepts', () => {
  it('gets an account, a patient with a verified address, and the one role', async () => {
    const { id, email, token } = await invite(clinic(), 'clinic_admin');
    expect(outcome(await accept({ token }))).toEqual([422, 'account-needed']);
    const weak = await accept({ token, account: { ...account, password: '1234567890' } });
    expect(outcome(weak)).toEqual([422, 'password-too-common']);
    const accepted = await accept({ token, account });
    expect([accepted.status, accepted.body]).toEqual([
      200,
      { invitationId: id, userId: await idOf(email), clinicId, organisationId: null, role: 'clinic_admin' },
    ]);
    const me = await service.call('GET', '/auth/me', { token: await logIn(email) });
    expect(me.body).toMatchObject({ userType: 'patient', emailVerified: true, firstName: 'Ada', organisations: [{}] });
    expect(await rolesOf(email)).toEqual([{ tenant: clinicId, role: 'clinic_admin', active: true }]);
  });

  it('names neither role nor type nor address', async () => {
    const { token } = await invite(clinic(), 'viewer');
    for (const more of [
      { role: 'clinic_admin' },
      { account: { ...account, userType: 'admin' } },
      { email: 'x@y.example' },
    ]) {
      expect((await accept({ token, account, ...more })).status).toBe(400);
    }
  });

  it('two invitations at once gets one account and both roles', async () => {
    for (let round = 0; round < 5; round += 1) {
      const one = await invite(clinic(), 'viewer');
      const other = await invite(organisation(), 'member', one.email);
      const answers = await Promise.all([one, other].map(({ token }) => accept({ token, account })));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(await rolesOf(one.email)).toHaveLength(2);
    }
  });
});

describe('Somebody with an account who accepts', () => {
  it('needs no more than the token, and keeps the password', async () => {
    const person = await newPerson();
    const { token } = await invite(clinic(), 'staff', person.email);
    const accepted = await accept({ token, account: { ...account, password: 'a stranger knows this' } });
    expect(accepted.body).toMatchObject({ userId: person.id, clinicId, role: 'staff' });
    expect(await logIn(person.email)).toBeDefined();
    expect(await logIn(person.email, 'a stranger knows this')).toBeUndefined();
  });

  it('may be signed in with the address, and send the token or the number', async () => {
    const person = await newPerson();
    const [one, other] = [
      await invite(clinic(), 'staff', person.email),
      await invite(organisation(), 'member', person.email),
    ];
    expect((await accept({ token: one.token }, person.token)).body.userId).toBe(person.id);
    expect((await accept({ invitationId: other.id }, person.token)).body.userId).toBe(person.id);
    expect(await rolesOf(person.email)).toHaveLength(2);
  });

  it('is refused while signed in with another address, and the invitation stays open', async () => {
    const { id, email, token } = await invite(clinic(), 'clinic_admin');
    const stranger = await newPerson();
    for (const signedIn of [stranger.token, await as('viewer'), await service.tokenOf(demoAdmin)]) {
      expect(outcome(await accept({ token, account }, signedIn))).toEqual([403, 'invitation-for-another-address']);
      expect(outcome(await accept({ invitationId: id }, signedIn))).toEqual(notFound);
    }
    expect(await rolesOf(stranger.email)).toEqual([]);
    expect(await idOf(email)).toBe('');
    expect(await stateOf(id)).toBe('pending');
  });

  it('by the number alone must have proven the address', async () => {
    const { id, email, token } = await invite(clinic(), 'staff');
    const unverified = await register(email);
    expect(outcome(await accept({ invitationId: id }))).toEqual(notFound);
    expect(outcome(await accept({ invitationId: id }, unverified))).toEqual(notFound);
    expect((await accept({ token }, unverified)).status).toBe(200);
    const me = await service.call('GET', '/auth/me', { token: unverified });
    expect(me.body).toMatchObject({ emailVerified: true, clinics: [{ id: clinicId, role: 'staff' }] });
  });

  it('takes over an account that somebody else made with the address and never proved', async () => {
    const { email, token } = await invite(clinic(), 'clinic_admin');
    const squatter = await register(email);
    expect(outcome(await accept({ token }))).toEqual([422, 'account-needed']);
    const own = { password: 'known to its owner', firstName: 'Grace', lastName: 'Hopper' };
    expect((await accept({ token, account: own })).status).toBe(200);
    expect(outcome(await service.call('GET', '/auth/me', { token: squatter }))).toEqual([401, 'session-ended']);
    expect(await logIn(email)).toBeUndefined();
    const me = await service.call('GET', '/auth/me', { token: await logIn(email, own.password) });
    expect(me.body).toMatchObject({ firstName: 'Grace', clinics: [{ id: clinicId }] });
  });

  it('keeps a higher role that came in between', async () => {
    const person = await newPerson();
    const { token } = await invite(clinic(), 'viewer', person.email);
    const body = { userId: person.id, role: 'provider' };
    await service.call('POST', `${clinic()}/members`, { token: owner, body });
    expect((await accept({ token })).status).toBe(200);
    expect(await rolesOf(person.email)).toEqual([{ tenant: clinicId, role: 'provider', active: true }]);
  });
});

describe('An invitation', () => {
  it.each(['an account', 'none yet'])('accepted by many at once, who have %s, works once', async (which) => {
    for (let round = 0; round < 5; round += 1) {
      const email = which === 'an account' ? (await newPerson()).email : newAddress();
      const { token } = await invite(clinic(), 'staff', email);
      const answers = await Promise.all(Array.from({ length: 4 }, () => accept({ token, account })));
      expect(answers.map(outcome).sort()).toEqual([[200, undefined], ...Array(3).fill(notFound)]);
      expect(await rolesOf(email)).toEqual([{ tenant: clinicId, role: 'staff', active: true }]);
    }
  });

  it('accepted and revoked at once is one of both, and a role goes with the first alone', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { id, email, token } = await invite(clinic(), 'staff');
      const [accepted, revoked] = await Promise.all([accept({ token, account }), revoke(id)]);
      expect([accepted.status, revoked.status].sort()).toEqual(accepted.status === 200 ? [200, 409] : [204, 404]);
      expect(await stateOf(id)).toBe(accepted.status === 200 ? 'accepted' : 'revoked');
      expect(await rolesOf(email)).toHaveLength(accepted.status === 200 ? 1 : 0);
    }
  });

  it.each(['nonsense-that-is-long-enough', '0'.repeat(43), 'ü'.repeat(43)])('is not found by %s', async (token) => {
    expect(outcome(await accept({ token, account }))).toEqual(notFound);
  });

  it('is not found by the hash that the database holds', async () => {
    const { token } = await invite(clinic(), 'viewer');
    const hash = createHash('sha256').update(token).digest('base64url');
    expect(outcome(await accept({ token: hash, account }))).toEqual(notFound);
  });

  it.each([
    [{}],
    [{ token: 'short' }],
    [{ token: 'x'.repeat(43), invitationId: '00000000-0000-7000-8000-000000000000' }],
  ])('is not asked for by %j', async (body) => expect((await accept(body)).status).toBe(400));

  it('into a clinic that was made inactive waits until that is active again', async () => {
    const here = clinic(await newClinic());
    const { id, email, token } = await invite(here, 'staff');
    await service.call('PATCH', here, { token: owner, body: { status: 'inactive' } });
    expect(outcome(await accept({ token, account }))).toEqual([409, 'clinic-inactive']);
    expect([await rolesOf(email), await idOf(email), await stateOf(id, here)]).toEqual([[], '', 'pending']);
    await service.call('PATCH', here, { token: owner, body: { status: 'active' } });
    expect((await accept({ token, account })).status).toBe(200);
  });

  it('goes with its clinic', async () => {
    const here = clinic(await newClinic());
    const { token } = await invite(here, 'staff');
    expect((await service.call('DELETE', here, { token: owner })).status).toBe(204);
    expect(outcome(await accept({ token, account }))).toEqual(notFound);
  });
});

describe('Whoever invited and then', () => {
  async function newAdmin(tenant: string, role: string) {
    const person = await newPerson();
    const body = { userId: person.id, role };
    await service.call('POST', `${tenant}/members`, { token: owner, body });
    return { ...person, membership: `${tenant}/members/${person.id}` };
  }

  it.each([
    ['was demoted', (path: string) => service.call('PATCH', path, { token: owner, body: { role: 'provider' } })],
    ['was deactivated', (path: string) => service.call('PATCH', path, { token: owner, body: { isActive: false } })],
    ['was removed', (path: string) => service.call('DELETE', path, { token: owner })],
  ])('%s in the clinic lets nobody in any more, until the role is back', async (_what, takeAway) => {
    const admin = await newAdmin(clinic(), 'clinic_admin');
    const { id, email, token } = await invite(clinic(), 'clinic_admin', newAddress(), admin.token);
    await takeAway(admin.membership);
    expect(outcome(await accept({ token, account }))).toEqual(notFound);
    expect([await rolesOf(email), await stateOf(id)]).toEqual([[], 'pending']);
    await newAdminAgain(admin);
    expect((await accept({ token, account })).status).toBe(200);
  });
  async function newAdminAgain({ id, membership }: { id: string; membership: string }): Promise<void> {
    const body = { userId: id, role: 'clinic_admin' };
    const added = await service.call('POST', `${clinic()}/members`, { token: owner, body });
    if (added.status === 409) {
      await service.call('PATCH', membership, { token: owner, body: { role: 'clinic_admin', isActive: true } });
    }
  }

  it.each([
    ['disabled', (id: string, token: string) => service.call('POST', `/users/${id}/disable`, { token })],
    ['deleted', (id: string, token: string) => service.call('DELETE', `/users/${id}`, { token })],
  ])('was %s lets nobody in any more', async (_what, end) => {
    const admin = await newAdmin(organisation(), 'manager');
    const sent = [
      await invite(clinic(), 'viewer', newAddress(), admin.token),
      await invite(organisation(), 'member', newAddress(), admin.token),
    ];
    await end(admin.id, await service.tokenOf(demoAdmin));
    for (const { token } of sent) expect(outcome(await accept({ token, account }))).toEqual(notFound);
  });

  it('may invite for less only, invites for less only', async () => {
    const there = organisation(await newOrganisation());
    const second = await newAdmin(there, 'owner');
    const [high, low] = [
      await invite(there, 'owner', newAddress(), second.token),
      await invite(there, 'manager', newAddress(), second.token),
    ];
    await service.call('PATCH', second.membership, { token: owner, body: { role: 'manager' } });
    expect(outcome(await accept({ token: high.token, account }))).toEqual(notFound);
    expect((await accept({ token: low.token, account })).body.role).toBe('manager');
  });

  it('is an admin of the installation needs no role in the clinic', async () => {
    const { token } = await invite(clinic(), 'viewer', newAddress(), await service.tokenOf(demoAdmin));
    expect((await accept({ token, account })).status).toBe(200);
  });
});

describe('Whoever lost a role', () => {
  it.each([
    ['clinic', 'deactivated', 'PATCH', { isActive: false }],
    ['clinic', 'demoted', 'PATCH', { role: 'viewer' }],
    ['clinic', 'removed', 'DELETE', undefined],
    ['organisation', 'demoted', 'PATCH', { role: 'member' }],
    ['organisation', 'removed', 'DELETE', undefined],
  ])('in a %s (%s) does not come back through an invitation from before', async (kind, _how, method, body) => {
    const there = kind === 'clinic' ? clinic(await newClinic()) : organisation(await newOrganisation());
    const person = await newPerson();
    const role = kind === 'clinic' ? 'staff' : 'manager';
    const [{ id, token }, elsewhere] = [
      await invite(there, role, person.email),
      await invite(clinic(), 'viewer', person.email),
    ];
    await service.call('POST', `${there}/members`, { token: owner, body: { userId: person.id, role } });
    await service.call(method, `${there}/members/${person.id}`, { token: owner, ...(body && { body }) });
    expect(await stateOf(id, there)).toBe('revoked');
    expect(outcome(await accept({ token }))).toEqual(notFound);
    expect((await accept({ token: elsewhere.token })).status).toBe(200);
  });
});

/** What each act does to an invitation in each state, and the state that it leaves. */
const transitions = [
  ['pending', 'accept', [200, undefined], 'accepted'],
  ['pending', 'revoke', [204, undefined], 'revoked'],
  ['accepted', 'accept', notFound, 'accepted'],
  ['accepted', 'revoke', [409, 'invitation-not-pending'], 'accepted'],
  ['revoked', 'accept', notFound, 'revoked'],
  ['revoked', 'revoke', [409, 'invitation-not-pending'], 'revoked'],
  ['expired', 'accept', notFound, 'expired'],
  ['expired', 'revoke', [409, 'invitation-not-pending'], 'expired'],
] as const;

describe('An invitation that is', () => {
  const reach = {
    pending: async () => undefined,
    accepted: ({ token }: Invited) => accept({ token, account }),
    revoked: ({ id }: Invited) => revoke(id),
    expired: ({ id }: Invited) => expire(id),
  };

  it.each(transitions)('%s answers to %s with %j and is %s', async (state, act, expected, after) => {
    const invitation = await invite(clinic(), 'viewer');
    await reach[state](invitation);
    expect(await stateOf(invitation.id)).toBe(state);
    const answer = act === 'accept' ? await accept({ token: invitation.token, account }) : await revoke(invitation.id);
    expect(outcome(answer)).toEqual(expected);
    expect(await stateOf(invitation.id)).toBe(after);
  });

  it('expired makes room for another, and is still expired then', async () => {
    const first = await invite(clinic(), 'viewer');
    await expire(first.id);
    const second = await invite(clinic(), 'staff', first.email);
    expect([await stateOf(first.id), await stateOf(second.id)]).toEqual(['expired', 'pending']);
    expect(outcome(await accept({ token: first.token, account }))).toEqual(notFound);
    expect((await accept({ token: second.token, account })).body.role).toBe('staff');
  });

  it('over is over for every role that the API can become: none may write another time, role or address', async () => {
    const { id } = await invite(clinic(), 'viewer');
    const locked = [
      'accepted_at',
      'expires_at',
      'clinic_role',
      'organisation_role',
      'email',
      'clinic_id',
      'created_by',
    ];
    for (const role of ['anon', 'authenticated', 'super_admin', 'service_role']) {
      for (const column of locked) {
        const attempt = `DO $$ BEGIN SET LOCAL ROLE ${role}; UPDATE public.invitations SET ${column} = NULL WHERE id = '${id}'; END $$`;
        await expect(service.database.sql(attempt)).rejects.toMatchObject({ code: '42501' });
      }
    }
  });
});

describe('The token', () => {
  /** Where in the whole database a text stands: tables by name. */
  async function tablesWith(text: string): Promise<string[]> {
    const tables = await service.database.sql<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const [row] = await service.database.sql(`SELECT 1 FROM ${name} t WHERE strpos(t::text, $1) > 0 LIMIT 1`, [text]);
      if (row) found.push(name);
    }
    return found;
  }

  it('rests as SHA-256 in its own row and nowhere else: no queue, no log, no trail has it or its hash', async () => {
    const { id, token, email } = await invite(clinic(), 'viewer');
    const hash = createHash('sha256').update(token).digest('base64url');
    expect(await tablesWith(token)).toEqual([]);
    expect(await tablesWith(hash)).toEqual(['invitations']);
    expect((await tablesWith(id)).sort()).toEqual(['audit.events', 'invitations']);
    await accept({ token, account });
    expect([await tablesWith(token), await tablesWith(hash), await tablesWith(password)]).toEqual([
      [],
      ['invitations'],
      [],
    ]);
    const [row] = await service.database.sql<{ hash: string }>(
      'SELECT password_hash AS hash FROM auth.users WHERE email = $1',
      [email],
    );
    expect(await tablesWith(row?.hash ?? '')).toEqual(['auth.users']);
    const lines = JSON.stringify(log);
    expect(lines).toContain('/invitations/accept');
    for (const secret of [token, hash, password, demoPassword, email]) expect(lines).not.toContain(secret);
  });

  it('is not made before the mail leaves: what waits in the queue is a number', async () => {
    mailbox.refusing = true;
    const email = newAddress();
    const { body } = await send(clinic(), email, 'viewer');
    const job = await untilTried(body.id);
    expect(job.payload).toEqual({ invitationId: body.id });
    expect(await sentAt(body.id)).toBeNull();
    await takeMailAgain();
    const { token, subject, text } = await mailbox.next(email);
    expect(subject).toBe('You are invited to Northside Dental');
    expect(text).toContain(`/accept-invitation#token=${token}`);
    expect((await accept({ token, account })).status).toBe(200);
    expect(await until(async () => (await sentAt(body.id)) ?? undefined)).toMatch(/Z$/);
  });
  async function sentAt(id: string): Promise<string | null> {
    const { body } = await service.call('GET', `${clinic()}/invitations?limit=200`, { token: owner });
    return body.data.find((each: { id: string }) => each.id === id).sentAt;
  }
  /** The job of the mail, after its first attempt was refused. */
  async function untilTried(id: string): Promise<{ payload: unknown }> {
    const job = await until(async () => (await jobsOf(id)).find(({ error }) => error !== null));
    return { payload: job.payload };
  }
  function jobsOf(id: string) {
    return service.database.sql<{ payload: unknown; error: string | null }>(
      `SELECT payload, last_error AS error FROM graphile_worker._private_jobs WHERE payload ->> 'invitationId' = $1`,
      [id],
    );
  }
  async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
    for (let attempt = 0; attempt < 500; attempt += 1) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('It never came true.');
  }
  async function takeMailAgain(): Promise<void> {
    mailbox.refusing = false;
    await service.database.sql('UPDATE graphile_worker._private_jobs SET run_at = now()');
  }

  it('of an invitation that was revoked before its mail left is never made', async () => {
    mailbox.refusing = true;
    const email = newAddress();
    const { body } = await send(clinic(), email, 'viewer');
    await untilTried(body.id);
    await revoke(body.id);
    await takeMailAgain();
    await until(async () => ((await jobsOf(body.id)).length === 0 ? true : undefined));
    expect(mailbox.mails.filter(({ to }) => to === email)).toEqual([]);
  });
});
