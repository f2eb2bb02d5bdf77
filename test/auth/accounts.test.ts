import { demoAddress, demoPassword } from '../../src/demo/demo.js';
import type { DomainError } from '../../src/kernel/errors/domain-error.js';
import { InvitationMails } from '../../src/modules/clinics/invitations/invitation-mails.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let mailbox: Mailbox;
beforeAll(async () => {
  mailbox = await openMailbox();
  service = await startService({
    withWorker: true,
    variables: { SMTP_URL: mailbox.smtpUrl, REQUIRE_VERIFIED_EMAIL: 'true' },
  });
});
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
});

const password = 'correct horse battery';
const somebody = (name: string) => ({ email: `${name}@people.example`, password, firstName: 'Ada', lastName: 'Byron' });

async function logIn(email: string, secret = password) {
  return service.call('POST', '/auth/login', { body: { email, password: secret } });
}

describe('Registering', () => {
  it('makes a patient, whose address waits to be verified', async () => {
    const answer = await service.call('POST', '/auth/register', { body: somebody('ada') });
    expect(answer.status).toBe(201);
    const login = await logIn('ada@people.example');
    expect(login.body.user.userType).toBe('patient');
    const me = await service.call('GET', '/auth/me', { token: login.body.accessToken });
    expect(me.body).toMatchObject({ userType: 'patient', emailVerified: false, clinics: [], organisations: [] });
  });

  it('answers alike for an address that is taken, and only its owner is told, by mail', async () => {
    const free = await service.call('POST', '/auth/register', { body: somebody('grace') });
    const taken = await service.call('POST', '/auth/register', {
      body: { ...somebody('ADA'), email: 'Ada@People.example' },
    });
    expect([taken.status, taken.body]).toEqual([free.status, free.body]);
    expect((await mailbox.next('ada@people.example')).subject).toBe('Please confirm your e-mail address');
    expect((await mailbox.next('ada@people.example')).subject).toBe('You have an account already');
  });

  it.each(['userType', 'clinicId', 'role', 'emailVerifiedAt'])(
    'refuses sign-up data that names a %s',
    async (field) => {
      const answer = await service.call('POST', '/auth/register', { body: { ...somebody('eve'), [field]: 'admin' } });
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toEqual([{ path: field, code: 'unknown-field', message: 'There is no such field.' }]);
    },
  );

  it.each([
    ['short', 400, 'invalid-request'],
    ['x'.repeat(129), 400, 'invalid-request'],
    ['1234567890', 422, 'password-too-common'],
    ['Password123', 422, 'password-too-common'],
    ['mallory@people.example', 422, 'password-too-common'],
  ])('refuses the password %s', async (weak, status, code) => {
    const answer = await service.call('POST', '/auth/register', { body: { ...somebody('mallory'), password: weak } });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe('An unverified address', () => {
  it('may log in and do nothing but verify', async () => {
    await service.call('POST', '/auth/register', { body: somebody('hedy') });
    const { accessToken: token } = (await logIn('hedy@people.example')).body;
    const refused = await service.call('POST', '/organisations', { token, body: { name: 'Too early' } });
    expect([refused.status, refused.body.code]).toEqual([403, 'email-unverified']);

    const first = await mailbox.next('hedy@people.example');
    expect((await service.call('POST', '/auth/email/resend', { token })).status).toBe(202);
    const second = await mailbox.next('hedy@people.example');
    const outdated = await service.call('POST', '/auth/email/verify', { body: { token: first.token } });
    expect([outdated.status, outdated.body.code]).toEqual([422, 'invalid-one-time-token']);

    const twice = await Promise.all(
      [1, 2].map(() => service.call('POST', '/auth/email/verify', { body: { token: second.token } })),
    );
    expect(twice.map(({ status }) => status).sort()).toEqual([204, 422]);
    expect((await service.call('POST', '/organisations', { token, body: { name: 'In time' } })).status).toBe(201);
  });
});

describe('A forgotten password', () => {
  it('is answered alike for everybody', async () => {
    const known = await service.call('POST', '/auth/password/forgot', {
      body: { email: demoAddress('viewer', 'northside') },
    });
    const unknown = await service.call('POST', '/auth/password/forgot', { body: { email: 'nobody@people.example' } });
    expect([known.status, known.text]).toEqual([202, '']);
    expect([unknown.status, unknown.text]).toEqual([202, '']);
  });

  it('is set anew with the mailed token, once, and ends every session', async () => {
    const email = demoAddress('staff', 'northside');
    const before = (await logIn(email, demoPassword)).body;
    await service.call('POST', '/auth/password/forgot', { body: { email } });
    const { token } = await mailbox.next(email);
    const weak = await service.call('POST', '/auth/password/reset', { body: { token, password: '1234567890' } });
    expect(weak.body.code).toBe('password-too-common');

    const both = await Promise.all(
      ['first new phrase', 'second new phrase'].map((secret) =>
        service.call('POST', '/auth/password/reset', { body: { token, password: secret } }),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([204, 422]);
    const ended = await service.call('GET', '/auth/me', { token: before.accessToken });
    expect([ended.status, ended.body.code]).toEqual([401, 'session-ended']);
    expect((await logIn(email, demoPassword)).status).toBe(401);
    expect((await mailbox.next(email)).subject).toBe('Your password was changed');
  });

  it('is not set by a token that has expired, or that was made for something else', async () => {
    const email = demoAddress('developer', 'northside');
    await service.call('POST', '/auth/password/forgot', { body: { email } });
    const { token } = await mailbox.next(email);
    const other = await service.call('POST', '/auth/email/verify', { body: { token } });
    expect(other.body.code).toBe('invalid-one-time-token');
    const [life] = await service.database.sql<{ minutes: number }>(
      `SELECT round(extract(epoch FROM t.expires_at - t.created_at) / 60)::int AS minutes FROM auth.one_time_tokens t JOIN auth.users u ON u.id = t.user_id
        WHERE u.email = $1`,
      [email],
    );
    expect(life?.minutes).toBe(30);
    await service.database.sql(`UPDATE auth.one_time_tokens SET expires_at = now() - interval '1 second'`);
    const late = await service.call('POST', '/auth/password/reset', { body: { token, password: 'a fine new phrase' } });
    expect(late.body.code).toBe('invalid-one-time-token');
  });
});

describe('Changing the password', () => {
  it('ends the mailed tokens for a new one, and names the field that does not do', async () => {
    const email = demoAddress('manager', 'southbank');
    const { accessToken: token } = (await logIn(email, demoPassword)).body;
    await service.call('POST', '/auth/password/forgot', { body: { email } });
    const mailed = await mailbox.next(email);
    const change = (newPassword: string) =>
      service.call('POST', '/auth/password/change', { token, body: { currentPassword: demoPassword, newPassword } });
    expect((await change('1234567890')).body.errors).toEqual([expect.objectContaining({ path: 'newPassword' })]);
    expect((await change('a fine new phrase')).status).toBe(204);
    const late = await service.call('POST', '/auth/password/reset', {
      body: { token: mailed.token, password: 'a stranger’s phrase' },
    });
    expect(late.body.code).toBe('invalid-one-time-token');
  });

  it('needs the present one, and ends the other sessions only', async () => {
    const email = demoAddress('member', 'northside');
    const here = (await logIn(email, demoPassword)).body.accessToken;
    const elsewhere = (await logIn(email, demoPassword)).body.accessToken;
    const wrong = await service.call('POST', '/auth/password/change', {
      token: here,
      body: { currentPassword: 'not it', newPassword: 'a fine new phrase' },
    });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'wrong-credentials']);
    const changed = await service.call('POST', '/auth/password/change', {
      token: here,
      body: { currentPassword: demoPassword, newPassword: 'a fine new phrase' },
    });
    expect(changed.status).toBe(204);
    expect((await service.call('GET', '/auth/me', { token: here })).status).toBe(200);
    expect((await service.call('GET', '/auth/me', { token: elsewhere })).status).toBe(401);
  });
});

describe('Mail', () => {
  it('to one address is not sent as often as anybody likes', async () => {
    const strict = await startService({
      database: service.database,
      variables: { FREE_ATTEMPTS: '2', SMTP_URL: mailbox.smtpUrl },
    });
    const ask = () => strict.call('POST', '/auth/register', { body: somebody('flooded') });
    expect([(await ask()).status, (await ask()).status]).toEqual([201, 201]);
    await ask();
    expect((await ask()).body.code).toBe('too-many-requests');
    const token = await strict.tokenOf(demoAddress('owner', 'northside'));
    const [clinic] = (await strict.call('GET', '/clinics', { token })).body.data;
    const invited = await strict.call('POST', `/clinics/${clinic.id}/invitations`, {
      token,
      body: { email: 'flooded@people.example', role: 'viewer' },
    });
    // The invitation stands; its mail waits in the queue.
    expect(invited.status).toBe(201);
    const mails = strict.application.get(InvitationMails);
    const send = () =>
      mails.send({ invitationId: invited.body.id }).then(
        () => 'sent',
        (error: unknown) => (error as DomainError).definition.code,
      );
    expect([await send(), await send()].at(-1)).toBe('too-many-requests');
    await service.database.sql('DELETE FROM app.rate_limits');
    await strict.stop();
  });

  it('that the server refuses is sent when it takes mail again', async () => {
    mailbox.refusing = true;
    await service.call('POST', '/auth/password/forgot', { body: { email: demoAddress('owner', 'southbank') } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    mailbox.refusing = false;
    expect((await mailbox.next(demoAddress('owner', 'southbank'))).subject).toBe('Choose a new password');
  });

  it('leaves no token in the queue, in the database or in the audit log', async () => {
    await service.call('POST', '/auth/password/forgot', { body: { email: demoAddress('manager', 'southbank') } });
    const { token } = await mailbox.next(demoAddress('manager', 'southbank'));
    const [found] = await service.database.sql<{ count: string }>(
      `SELECT (SELECT count(*) FROM audit.events e WHERE e::text LIKE '%' || $1 || '%')
            + (SELECT count(*) FROM graphile_worker._private_jobs j WHERE j::text LIKE '%' || $1 || '%')
            + (SELECT count(*) FROM auth.one_time_tokens t WHERE t::text LIKE '%' || $1 || '%') AS count`,
      [token],
    );
    expect(found?.count).toBe('0');
  });
});

describe('The own profile', () => {
  it('can be changed, but for what decides access', async () => {
    const token = await service.tokenOf(demoAddress('patient', 'northside'));
    const changed = await service.call('PATCH', '/auth/me', {
      token,
      body: { firstName: 'Rosalind', locale: 'de', timeZone: 'Europe/Berlin' },
    });
    expect(changed.body).toMatchObject({
      firstName: 'Rosalind',
      locale: 'de',
      timeZone: 'Europe/Berlin',
      userType: 'patient',
    });
    for (const body of [
      { userType: 'admin' },
      { email: 'other@people.example' },
      { id: changed.body.id },
      { deletedAt: null },
    ]) {
      expect((await service.call('PATCH', '/auth/me', { token, body })).status).toBe(400);
    }
  });

  it('cannot be made an admin in the database either: the column is not granted', async () => {
    const { body } = await service.call('GET', '/auth/me', {
      token: await service.tokenOf(demoAddress('patient', 'northside')),
    });
    const attempt = `DO $$ BEGIN
      PERFORM set_config('app.user_id', '${body.id}', true);
      SET LOCAL ROLE authenticated;
      UPDATE public.profiles SET user_type = 'admin' WHERE id = '${body.id}';
    END $$`;
    await expect(service.database.sql(attempt)).rejects.toMatchObject({ code: '42501' });
  });

  it('takes as default clinic only one in which the person has a role', async () => {
    const token = await service.tokenOf(demoAddress('viewer', 'northside'));
    const own = (await service.call('GET', '/clinics', { token })).body.data[0].id;
    const foreign = (
      await service.call('GET', '/clinics', { token: await service.tokenOf(demoAddress('viewer', 'southbank')) })
    ).body.data[0].id;
    expect(
      (await service.call('PATCH', '/auth/me', { token, body: { defaultClinicId: own } })).body.defaultClinicId,
    ).toBe(own);
    for (const id of [foreign, '00000000-0000-7000-8000-000000000000']) {
      const refused = await service.call('PATCH', '/auth/me', { token, body: { defaultClinicId: id } });
      expect([refused.status, refused.body.code]).toEqual([422, 'not-your-clinic']);
    }
  });
});
