import { SessionSweep } from '../../src/modules/auth/session-sweep.js';
import { Browser, foreignToken, newcomer, newVerifier, pageToken, sdkToken, toldTo } from '../support/facebook.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';

const app = 'https://app.polyclinic.example';

let service: Service;
let meta: Meta;
let mailbox: Mailbox;
beforeAll(async () => {
  meta = await startMeta();
  mailbox = await openMailbox();
  service = await startService({
    withWorker: true,
    variables: {
      ...meta.variables,
      SMTP_URL: mailbox.smtpUrl,
      REQUIRE_VERIFIED_EMAIL: 'true',
      META_RETURN_ORIGINS: app,
    },
  });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
  await mailbox.stop();
});

const browser = () => new Browser(service, meta);
const refusal = ({ status, body }: Answer) => [status, body.code];
const me = async (answer: Answer) => (await service.call('GET', '/auth/me', { token: answer.body.accessToken })).body;

async function count(what: 'auth.users' | 'auth.sessions' | 'auth.facebook_codes'): Promise<number> {
  const [row] = await service.database.sql<{ count: number }>(`SELECT count(*)::int AS count FROM ${what}`);
  return row?.count ?? -1;
}

/** Whatever it does, nobody is logged in by it. */
async function opensNothing(work: () => Promise<unknown>): Promise<void> {
  const before = [await count('auth.users'), await count('auth.sessions'), await count('auth.facebook_codes')];
  await work();
  expect([await count('auth.users'), await count('auth.sessions'), await count('auth.facebook_codes')]).toEqual(before);
}

describe('Somebody who logs in with Facebook', () => {
  it('for the first time gets an account of a patient, whose address waits to be verified', async () => {
    const person = await newcomer(meta);
    const answer = await browser().exchange(await browser().code(person));
    expect([answer.status, answer.body.user.userType]).toEqual([200, 'patient']);
    const identities = [{ provider: 'facebook', linkedAt: expect.any(String) }];
    expect(await me(answer)).toMatchObject({
      ...{ email: person.email, emailVerified: false, hasPassword: false, identities },
      ...{ firstName: 'Lise', lastName: 'Meitner', clinics: [], organisations: [] },
    });
    expect((await mailbox.next(person.email ?? '')).subject).toBe('Please confirm your e-mail address');
  });

  it('again finds the same account, whatever address Facebook tells now', async () => {
    const person = await newcomer(meta);
    const first = await browser().exchange(await browser().code(person));
    const again = await browser().exchange(await browser().code(person, { withholds: ['email'] }));
    expect([again.status, again.body.user.id]).toEqual([200, first.body.user.id]);
  });

  it('without an address has an account without one, which can be used', async () => {
    for (const journey of [{ withholds: ['email'] }, {}]) {
      const person = await newcomer(meta, 'withholds' in journey ? undefined : null);
      const answer = await browser().exchange(await browser().code(person, journey));
      expect(await me(answer)).toMatchObject({ email: null, emailVerified: false, hasPassword: false });
      const sessions = await service.call('GET', '/auth/sessions', { token: answer.body.accessToken });
      expect(sessions.status).toBe(200);
    }
  });

  it('at once in two browsers has one account', async () => {
    const person = await newcomer(meta);
    const codes = [await browser().code(person), await browser().code(person)];
    const answers = await Promise.all(codes.map((code) => browser().exchange(code)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]?.body.user.id).toBe(answers[1]?.body.user.id);
  });

  it('in two tabs of one browser comes in by both', async () => {
    const [tabs, person] = [browser(), await newcomer(meta)];
    const answers = [await tabs.consent(person), await tabs.consent(person)];
    for (const answer of answers) expect(toldTo(await tabs.comeBack(answer)).get('code')).toHaveLength(43);
  });

  it('is told nothing in an address that a server sees: no token anywhere, the code behind the #', async () => {
    const [here, person] = [browser(), await newcomer(meta)];
    const answer = await here.comeBack(await here.consent(person, { returnTo: `${app}/welcome?from=facebook` }));
    const location = new URL(answer.headers.get('location') ?? '');
    expect(location.href.split('#')[0]).toBe(`${app}/welcome?from=facebook`);
    expect([...toldTo(answer).keys()]).toEqual(['code']);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const tokens = await meta.tokens();
    expect(tokens.filter((token) => `${location} ${answer.text}`.includes(token))).toEqual([]);
    expect(await kept(tokens)).toEqual([]);
  });

  it('whose account is disabled is told so, and stays outside', async () => {
    const person = await newcomer(meta);
    const { body } = await browser().exchange(await browser().code(person));
    await service.database.sql('UPDATE auth.users SET disabled_at = now() WHERE id = $1', [body.user.id]);
    const code = await browser().code(person);
    await opensNothing(async () => expect(refusal(await browser().exchange(code))).toEqual([401, 'user-disabled']));
  });

  it('with the address of an account is not let into it: link-required, and the code links', async () => {
    const { email, password, token } = await registered();
    const person = await newcomer(meta, email.toUpperCase());
    const code = await browser().code(person);
    await opensNothing(async () => {
      expect(refusal(await browser().exchange(code))).toEqual([409, 'link-required']);
      expect(refusal(await browser().exchange(code))).toEqual([409, 'link-required']);
    });
    const link = await service.call('POST', '/auth/facebook/link', { token, body: { code } });
    expect(link.status).toBe(204);
    const answer = await browser().exchange(await browser().code(person));
    expect(await me(answer)).toMatchObject({ email, hasPassword: true });
    expect((await service.call('POST', '/auth/login', { body: { email, password } })).status).toBe(200);
  });
});

async function registered() {
  const [email, password] = [`${Math.random().toString(36).slice(2)}@people.example`, 'correct horse battery'];
  await service.call('POST', '/auth/register', { body: { email, password, firstName: 'Ada', lastName: 'Byron' } });
  await service.database.sql('UPDATE auth.users SET email_verified_at = now() WHERE email = $1', [email]);
  const { body } = await service.call('POST', '/auth/login', { body: { email, password } });
  return { email, password, token: body.accessToken as string };
}

/** Which of these texts stand in any row of the database. */
async function kept(texts: string[]): Promise<string[]> {
  const tables = await service.database.sql<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname IN ('app', 'auth', 'public', 'audit', 'jobs', 'graphile_worker')`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) => service.database.sql<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)),
  );
  const everything = rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
  return texts.filter((text) => everything.includes(text));
}

describe('The browser', () => {
  it('is bound by a cookie that no script reads and that only these paths get', async () => {
    const { headers } = await browser().start();
    expect(headers.get('set-cookie')).toMatch(
      /^polyclinic-facebook=[\w-]{43}; Max-Age=600; Path=\/api\/v1\/auth\/facebook; HttpOnly; SameSite=Lax$/,
    );
  });

  it.each([
    ['another browser', async (answer: URLSearchParams) => browser().comeBack(answer)],
    [
      'a browser at another dialog',
      async (answer: URLSearchParams) => {
        const other = browser();
        await other.start();
        return other.comeBack(answer);
      },
    ],
  ])('that comes back must be the one that went: %s is refused', async (_who, comeBack) => {
    const [here, person] = [browser(), await newcomer(meta)];
    const answer = await here.consent(person);
    await opensNothing(async () => expect(refusal(await comeBack(answer))).toEqual([422, 'facebook-state-invalid']));
    expect(toldTo(await here.comeBack(answer)).get('code')).toHaveLength(43);
  });

  it('comes back once with a state, also when it comes twice at once', async () => {
    const [here, person] = [browser(), await newcomer(meta)];
    const answer = await here.consent(person);
    const answers = await Promise.all([here.comeBack(answer), here.comeBack(answer)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([302, 422]);
    await opensNothing(async () =>
      expect(refusal(await here.comeBack(answer))).toEqual([422, 'facebook-state-invalid']),
    );
  });

  it('comes back within ten minutes', async () => {
    const [here, person] = [browser(), await newcomer(meta)];
    const answer = await here.consent(person);
    await service.database.sql(`UPDATE auth.facebook_authorizations SET expires_at = now() - interval '1 second'`);
    await opensNothing(async () =>
      expect(refusal(await here.comeBack(answer))).toEqual([422, 'facebook-state-invalid']),
    );
  });

  it.each(['', 'made.up', 'x'.repeat(87), undefined])('brings no state that is not ours: %s', async (state) => {
    const [here, person] = [browser(), await newcomer(meta)];
    const answer = await here.consent(person);
    if (state === undefined) answer.delete('state');
    else answer.set('state', state);
    expect(refusal(await here.comeBack(answer))).toEqual([422, 'facebook-state-invalid']);
  });

  it.each([
    ['elsewhere', 'https://evil.example/'],
    ['to a neighbour', 'https://app.polyclinic.example.evil.example/'],
    ['to a login that looks like it', 'https://app.polyclinic.example@evil.example/'],
    ['with credentials', 'https://somebody:secret@app.polyclinic.example/'],
    ['over http', 'http://app.polyclinic.example/'],
    ['to another port', 'https://app.polyclinic.example:8443/'],
    ['to a script', 'javascript:alert(1)'],
    ['to a path alone', '/welcome'],
    ['to two slashes', '//evil.example'],
    ['by a backslash', 'https:\\\\evil.example'],
    ['with a fragment of its own', `${app}/#code=mine`],
  ])('is not sent %s', async (_where, returnTo) => {
    const answer = await browser().start({ returnTo });
    expect([answer.headers.get('location'), answer.headers.get('set-cookie')]).toEqual([null, null]);
    expect(refusal(answer)).toEqual([422, 'return-to-refused']);
  });
});

describe('A log-in that Facebook does not confirm', () => {
  const errorOf = async (journey: Promise<URLSearchParams>) => Object.fromEntries(await journey);

  it('since the person cancelled goes back to the app with the reason', async () => {
    const person = await newcomer(meta);
    await opensNothing(async () =>
      expect(await errorOf(browser().travel(person, { denies: true, returnTo: `${app}/` }))).toEqual({
        error: 'facebook-denied',
      }),
    );
  });

  it('is over with its state', async () => {
    const [here, person] = [browser(), await newcomer(meta)];
    const answer = await here.consent(person, { denies: true });
    await here.comeBack(answer);
    expect(refusal(await here.comeBack(answer))).toEqual([422, 'facebook-state-invalid']);
  });

  it('by a code that is false or was used elsewhere', async () => {
    const [here, person] = [browser(), await newcomer(meta)];
    const stranger = await browser().consent(person);
    for (const code of ['a-false-code', stranger.get('code') ?? '']) {
      const answer = await here.consent(person);
      answer.set('code', code);
      // A stranger's code has another challenge: PKCE is what refuses it.
      await opensNothing(async () =>
        expect(toldTo(await here.comeBack(answer)).get('error')).toBe('facebook-answer-refused'),
      );
    }
  });
});

describe('The code', () => {
  it('works once, also when it comes twice at once', async () => {
    const code = await browser().code(await newcomer(meta));
    const answers = await Promise.all([browser().exchange(code), browser().exchange(code)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
    await opensNothing(async () =>
      expect(refusal(await browser().exchange(code))).toEqual([422, 'facebook-code-invalid']),
    );
  });

  it('works for two minutes', async () => {
    const code = await browser().code(await newcomer(meta));
    await service.database.sql(`UPDATE auth.facebook_codes SET created_at = now() - interval '121 seconds'`);
    await opensNothing(async () =>
      expect(refusal(await browser().exchange(code))).toEqual([422, 'facebook-code-invalid']),
    );
  });

  it('of an app that gave a challenge works with its verifier alone', async () => {
    const { codeVerifier, codeChallenge } = newVerifier();
    const code = await browser().code(await newcomer(meta), { codeChallenge });
    await opensNothing(async () => {
      for (const wrong of [undefined, newVerifier().codeVerifier])
        expect(refusal(await browser().exchange(code, wrong))).toEqual([422, 'facebook-code-invalid']);
    });
    expect((await browser().exchange(code, codeVerifier)).status).toBe(200);
  });

  it('that was made up is refused', async () => {
    expect(refusal(await browser().exchange('x'.repeat(43)))).toEqual([422, 'facebook-code-invalid']);
  });

  it('rests nowhere but as SHA-256', async () => {
    const code = await browser().code(await newcomer(meta));
    expect(await kept([code])).toEqual([]);
  });
});

describe('What Facebook said of somebody', () => {
  it('is gone with the next night, when nobody has come for it', async () => {
    const [here, person] = [browser(), await newcomer(meta)];
    const kept = await here.code(person);
    await here.consent(person);
    const late = await here.code(person);
    await service.database.sql(`UPDATE auth.facebook_authorizations SET expires_at = now() - interval '1 second'`);
    await service.database.sql(
      `UPDATE auth.facebook_codes SET expires_at = now() - interval '1 second'
        WHERE id = (SELECT id FROM auth.facebook_codes ORDER BY id DESC LIMIT 1)`,
    );
    await service.application.get(SessionSweep).sweep();
    const [left] = await service.database.sql('SELECT count(*)::int AS ways FROM auth.facebook_authorizations');
    expect(left).toEqual({ ways: 0 });
    expect(refusal(await here.exchange(late))).toEqual([422, 'facebook-code-invalid']);
    expect((await here.exchange(kept)).status).toBe(200);
  });
});

describe('A token of the SDK', () => {
  const logIn = (accessToken: string) => service.call('POST', '/auth/facebook/token', { body: { accessToken } });

  it('logs in, and makes the account the first time', async () => {
    const person = await newcomer(meta);
    const first = await logIn(await sdkToken(meta, person));
    expect(await me(first)).toMatchObject({ email: person.email, hasPassword: false });
    expect((await browser().exchange(await browser().code(person))).body.user.id).toBe(first.body.user.id);
  });

  it('of somebody whose address has an account needs a link', async () => {
    const { email, token } = await registered();
    const accessToken = await sdkToken(meta, await newcomer(meta, email));
    expect(refusal(await logIn(accessToken))).toEqual([409, 'link-required']);
    const link = await service.call('POST', '/auth/facebook/link', { token, body: { accessToken } });
    expect(link.status).toBe(204);
    expect(await me(await logIn(accessToken))).toMatchObject({ email, hasPassword: true });
  });

  it('that is made up, has expired or was revoked is refused', async () => {
    const person = await newcomer(meta);
    const token = await sdkToken(meta, person);
    await meta.control('tokens/expire', { personId: person.id });
    const revoked = await sdkToken(meta, person);
    await meta.control('tokens/revoke', { personId: person.id });
    await opensNothing(async () => {
      for (const each of ['made-up', token, revoked])
        expect(refusal(await logIn(each))).toEqual([422, 'facebook-token-refused']);
    });
  });

  it('that was given to another app is refused, although it is a true one', async () => {
    const person = await newcomer(meta);
    const token = await foreignToken(meta, person);
    await opensNothing(async () => expect(refusal(await logIn(token))).toEqual([422, 'facebook-token-refused']));
  });

  it('that is of a page and not of a person is refused', async () => {
    const person = await newcomer(meta);
    const token = await pageToken(meta, person);
    expect(token).toMatch(/^EAA/);
    await opensNothing(async () => expect(refusal(await logIn(token))).toEqual([422, 'facebook-token-refused']));
  });

  it('that is the app’s own is nobody’s', async () => {
    const { META_APP_ID, META_APP_SECRET } = meta.variables;
    await opensNothing(async () =>
      expect(refusal(await logIn(`${META_APP_ID}|${META_APP_SECRET}`))).toEqual([422, 'facebook-token-refused']),
    );
  });
});

describe('An installation', () => {
  it('without an app of Meta says so', async () => {
    const bare = await startService();
    try {
      expect(refusal(await bare.call('GET', '/auth/facebook'))).toEqual([503, 'meta-not-configured']);
      const token = await bare.call('POST', '/auth/facebook/token', { body: { accessToken: 'any' } });
      expect(refusal(token)).toEqual([503, 'meta-not-configured']);
    } finally {
      await bare.stop();
    }
  });

  it('behind https sends the cookie over https alone, and slows down whoever guesses codes', async () => {
    const variables = { ...meta.variables, PUBLIC_URL: 'https://api.polyclinic.example', FREE_ATTEMPTS: '1' };
    const strict = await startService({ variables });
    try {
      const { headers } = await strict.call('GET', '/auth/facebook');
      expect(headers.get('set-cookie')).toContain('; Secure; ');
      const statuses = new Set<number>();
      const body = { code: 'x'.repeat(43) };
      for (let tries = 0; tries < 15; tries += 1)
        statuses.add((await strict.call('POST', '/auth/facebook/exchange', { body })).status);
      expect([...statuses]).toEqual([422, 429]);
    } finally {
      await strict.stop();
    }
  });
});
