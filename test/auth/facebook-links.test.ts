import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { demoAdmin } from '../../src/demo/demo.js';
import { Browser, newcomer, newVerifier, sdkToken } from '../support/facebook.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let meta: Meta;
let mailbox: Mailbox;
beforeAll(async () => {
  meta = await startMeta();
  mailbox = await openMailbox();
  service = await startService({ withWorker: true, variables: { ...meta.variables, SMTP_URL: mailbox.smtpUrl } });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
  await mailbox.stop();
});

const password = 'correct horse battery';
const browser = () => new Browser(service, meta);
const refusal = ({ status, body }: Answer) => [status, body?.code];
const link = (token: string, body: object) => service.call('POST', '/auth/facebook/link', { token, body });
const unlink = (token: string) => service.call('DELETE', '/auth/facebook/link', { token });
const providers = async (token: string): Promise<string[]> =>
  (await service.call('GET', '/auth/me', { token })).body.identities.map((each: { provider: string }) => each.provider);

/** Somebody with a password, and nothing of Facebook. */
async function member(email = `${randomUUID()}@people.example`) {
  await service.call('POST', '/auth/register', { body: { email, password, firstName: 'Ada', lastName: 'Byron' } });
  const { body } = await service.call('POST', '/auth/login', { body: { email, password } });
  return { email, id: body.user.id as string, token: body.accessToken as string };
}

/** Somebody whom Facebook alone lets in. */
async function visitor(person = newcomer(meta)) {
  const { body } = await browser().exchange(await browser().code(await person));
  return { id: body.user.id as string, token: body.accessToken as string };
}

async function codeFor(person = newcomer(meta)) {
  const { codeVerifier, codeChallenge } = newVerifier();
  return { code: await browser().code(await person, { codeChallenge }), codeVerifier };
}

describe('Linking', () => {
  it('lets the person of Facebook into the account, and can be done again', async () => {
    const [{ id, token }, person] = [await member(), await newcomer(meta)];
    expect((await link(token, await codeFor(Promise.resolve(person)))).status).toBe(204);
    expect((await link(token, { accessToken: await sdkToken(meta, person) })).status).toBe(204);
    expect(await providers(token)).toEqual(['facebook']);
    expect((await visitor(Promise.resolve(person))).id).toBe(id);
  });

  it('is for an admin of the installation as well', async () => {
    const token = await service.tokenOf(demoAdmin);
    expect((await link(token, await codeFor())).status).toBe(204);
    expect(await providers(token)).toEqual(['facebook']);
    expect((await unlink(token)).status).toBe(204);
  });

  it('takes a code with the verifier of the app that began, and not without', async () => {
    const [{ token }, { code, codeVerifier }] = [await member(), await codeFor()];
    for (const wrong of [{ code }, { code, codeVerifier: newVerifier().codeVerifier }])
      expect(refusal(await link(token, wrong))).toEqual([422, 'facebook-code-invalid']);
    expect((await link(token, { code, codeVerifier })).status).toBe(204);
    expect(refusal(await link(token, { code, codeVerifier }))).toEqual([422, 'facebook-code-invalid']);
  });

  it('does not let a stranger’s code into the account of whoever is lured into it', async () => {
    const [{ token }, stranger] = [await member(), await newcomer(meta)];
    const code = await browser().code(stranger);
    expect(refusal(await link(token, { code }))).toEqual([422, 'facebook-code-invalid']);
    expect(await providers(token)).toEqual([]);
  });

  it('takes a code for ten minutes', async () => {
    const { email, token } = await member();
    const person = await newcomer(meta, email);
    const code = await browser().code(person);
    await service.database.sql(`UPDATE auth.facebook_codes SET created_at = now() - interval '9 minutes'`);
    expect(refusal(await browser().exchange(code))).toEqual([422, 'facebook-code-invalid']);
    expect((await link(token, { code })).status).toBe(204);
    const late = await browser().code(person);
    await service.database.sql(`UPDATE auth.facebook_codes SET expires_at = now() - interval '1 second'`);
    expect(refusal(await link(token, { code: late }))).toEqual([422, 'facebook-code-invalid']);
  });

  it('is refused when the person of Facebook has another account, also when two ask at once', async () => {
    const [person, { token }] = [await newcomer(meta), await member()];
    await visitor(Promise.resolve(person));
    expect(refusal(await link(token, await codeFor(Promise.resolve(person))))).toEqual([409, 'identity-taken']);
    const [wanted, first, second] = [await newcomer(meta), await member(), await member()];
    const proofs = [await codeFor(Promise.resolve(wanted)), await codeFor(Promise.resolve(wanted))];
    const answers = await Promise.all([link(first.token, proofs[0] ?? {}), link(second.token, proofs[1] ?? {})]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
  });

  it('that somebody does at the moment of their first log-in lets them into the linked account', async () => {
    const [{ id }, person] = [await member(), await newcomer(meta)];
    const code = await browser().code(person);
    const linking = new pg.Client(service.database.adminUrl);
    await linking.connect();
    try {
      await linking.query('BEGIN');
      const insert = `INSERT INTO auth.identities (user_id, provider, provider_user_id) VALUES ($1, 'facebook', $2)`;
      await linking.query(insert, [id, person.id]);
      const loggedIn = browser().exchange(code);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await linking.query('COMMIT');
      const { status, body } = await loggedIn;
      expect([status, body.user?.id]).toEqual([200, id]);
    } finally {
      await linking.end();
    }
  });

  it('is refused when another person of Facebook is linked', async () => {
    const { token } = await member();
    await link(token, await codeFor());
    expect(refusal(await link(token, await codeFor()))).toEqual([409, 'already-linked']);
  });

  it('is refused to whoever is not logged in, before Facebook is asked', async () => {
    const person = await newcomer(meta);
    const [{ token }, accessToken] = [await member(), await sdkToken(meta, person)];
    await service.call('POST', '/auth/logout', { token });
    await meta.control('calls/clear', {});
    expect(refusal(await link(token, { accessToken }))).toEqual([401, 'session-ended']);
    expect(refusal(await service.call('POST', '/auth/facebook/link', { body: { accessToken } }))[0]).toBe(401);
    expect(await meta.count()).toBe(0);
  });

  it.each([{}, { code: 'x'.repeat(43), accessToken: 'both' }, { code: '' }, { code: 'x'.repeat(43), userId: 'me' }])(
    'takes one proof and nothing else: not %j',
    async (body) => {
      expect(refusal(await link((await member()).token, body))).toEqual([400, 'invalid-request']);
    },
  );
});

describe('Unlinking', () => {
  it('leaves the password as the way in, and gives the person of Facebook free', async () => {
    const [{ token, email }, person] = [await member(), await newcomer(meta)];
    await link(token, await codeFor(Promise.resolve(person)));
    expect((await unlink(token)).status).toBe(204);
    expect(await providers(token)).toEqual([]);
    expect((await service.call('POST', '/auth/login', { body: { email, password } })).status).toBe(200);
    expect((await link((await member()).token, await codeFor(Promise.resolve(person)))).status).toBe(204);
  });

  it('is refused when it is the only way in', async () => {
    const { token } = await visitor();
    expect(refusal(await unlink(token))).toEqual([409, 'last-login']);
    expect(await providers(token)).toEqual(['facebook']);
  });

  it('of what is not linked finds nothing', async () => {
    expect(refusal(await unlink((await member()).token))).toEqual([404, 'not-found']);
  });
});

describe('Whoever reads the mails of an address', () => {
  it('gets an account that somebody else has made with it by Facebook, and for themselves alone', async () => {
    const email = `${randomUUID()}@people.example`;
    const stranger = await newcomer(meta, email);
    const { id } = await visitor(Promise.resolve(stranger));
    await mailbox.next(email);
    await service.call('POST', '/auth/password/forgot', { body: { email } });
    const { token } = await mailbox.next(email);
    await service.call('POST', '/auth/password/reset', { body: { token, password } });
    const owner = await service.call('POST', '/auth/login', { body: { email, password } });
    expect(owner.body.user.id).toBe(id);
    expect(await providers(owner.body.accessToken)).toEqual([]);
    expect(refusal(await browser().exchange(await browser().code(stranger)))).toEqual([409, 'link-required']);
  });

  it('keeps what was linked after the address was proven', async () => {
    const { email, token } = await member();
    await service.database.sql('UPDATE auth.users SET email_verified_at = now() WHERE email = $1', [email]);
    await mailbox.next(email);
    await link(token, await codeFor());
    await service.call('POST', '/auth/password/forgot', { body: { email } });
    const mail = await mailbox.next(email);
    await service.call('POST', '/auth/password/reset', { body: { token: mail.token, password: 'another phrase' } });
    const login = await service.call('POST', '/auth/login', { body: { email, password: 'another phrase' } });
    expect(await providers(login.body.accessToken)).toEqual(['facebook']);
  });
});
