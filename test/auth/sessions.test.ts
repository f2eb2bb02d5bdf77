import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import { demoAddress, demoAdmin, demoPassword } from '../../src/demo/demo.js';
import { AccessTokens } from '../../src/kernel/tenancy/access-tokens.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const email = demoAddress('viewer', 'northside');

async function logIn(address = email, headers: Record<string, string> = {}): Promise<Answer['body']> {
  return (await service.call('POST', '/auth/login', { body: { email: address, password: demoPassword }, headers }))
    .body;
}
function refresh(refreshToken: string, headers: Record<string, string> = {}): Promise<Answer> {
  return service.call('POST', '/auth/refresh', { body: { refreshToken }, headers });
}
async function isAlive(token: string): Promise<boolean> {
  return (await service.call('GET', '/auth/me', { token })).status === 200;
}

describe('Logging in', () => {
  it('answers tokens and the user', async () => {
    const body = await logIn();
    expect(body).toMatchObject({ tokenType: 'Bearer', expiresIn: 900, user: { userType: 'provider' } });
    expect(decodeJwt(body.accessToken)).toMatchObject({ sub: body.user.id, user_type: 'provider', aud: 'polyclinic' });
  });

  it('refuses a wrong password, an unknown address and a disabled user alike', async () => {
    await service.database.sql(`UPDATE auth.users SET disabled_at = now() WHERE email = $1`, [
      demoAddress('developer', 'southbank'),
    ]);
    const answers = await Promise.all([
      service.call('POST', '/auth/login', { body: { email, password: 'not the password' } }),
      service.call('POST', '/auth/login', { body: { email: 'nobody@people.example', password: demoPassword } }),
      service.call('POST', '/auth/login', {
        body: { email: demoAddress('developer', 'southbank'), password: demoPassword },
      }),
    ]);
    const comparable = answers.map(({ status, body: { requestId: _, ...rest } }) => ({ status, ...rest }));
    expect(new Set(comparable.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(comparable[0]).toMatchObject({ status: 401, code: 'wrong-credentials' });
  });

  it('slows down guessing at an account, more with each failure, and forgets when the password is right', async () => {
    await service.database.sql('DELETE FROM app.rate_limits');
    const strict = await startService({ database: service.database, variables: { FREE_ATTEMPTS: '3' } });
    const attempt = (password: string) =>
      strict.call('POST', '/auth/login', { body: { email: demoAddress('staff', 'southbank'), password } });
    const statuses: number[] = [];
    for (let round = 0; round < 5; round += 1) statuses.push((await attempt(`wrong ${round}`)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 429]);
    const waiting = await attempt(demoPassword);
    expect([waiting.status, waiting.body.code]).toEqual([429, 'too-many-requests']);
    await new Promise((resolve) => setTimeout(resolve, Number(waiting.headers.get('retry-after')) * 1000));
    expect((await attempt(demoPassword)).status).toBe(200);
    expect((await attempt('wrong again')).status).toBe(401);
    await service.database.sql('DELETE FROM app.rate_limits');
    await strict.stop();
  });

  it('lets no burst of guesses through at once', async () => {
    const strict = await startService({ database: service.database, variables: { FREE_ATTEMPTS: '3' } });
    const burst = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        strict.call('POST', '/auth/login', {
          body: { email: demoAddress('owner', 'southbank'), password: `guess ${index}` },
        }),
      ),
    );
    const tried = burst.filter(({ status }) => status === 401).length;
    expect(tried).toBeLessThanOrEqual(4);
    expect(burst.filter(({ status }) => status === 429).length).toBe(30 - tried);
    await service.database.sql('DELETE FROM app.rate_limits');
    await strict.stop();
  });
});

describe('People behind one address', () => {
  const logInAs = (to: Service, email: string, password = demoPassword) =>
    to.call('POST', '/auth/login', { body: { email, password } });

  it('log in at once, although one of them has forgotten the password', async () => {
    await service.database.sql('DELETE FROM app.rate_limits');
    const strict = await startService({ database: service.database, variables: { FREE_ATTEMPTS: '3' } });
    const roles = ['owner', 'manager', 'member', 'clinic_admin', 'provider', 'staff', 'viewer'] as const;
    const answers = await Promise.all([
      ...roles.flatMap((role) => [
        logInAs(strict, demoAddress(role, 'northside')),
        logInAs(strict, demoAddress(role, 'southbank')),
      ]),
      ...Array.from({ length: 3 }, () => logInAs(strict, demoAddress('patient', 'southbank'), 'forgotten')),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([...Array(14).fill(200), 401, 401, 401]);
    await strict.stop();
  });

  it('are slowed down together by guesses at many accounts, which a right password of one’s own does not hide', async () => {
    await service.database.sql('DELETE FROM app.rate_limits');
    const strict = await startService({ database: service.database, variables: { FREE_ATTEMPTS: '1' } });
    const statuses: number[] = [];
    for (let guess = 0; guess < 12; guess += 1) {
      statuses.push((await logInAs(strict, `guess-${guess}@people.example`, 'whatever it is')).status);
      if (guess < 9) expect((await logInAs(strict, demoAddress('viewer', 'northside'))).status).toBe(200);
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses).toContain(429);
    await service.database.sql('DELETE FROM app.rate_limits');
    await strict.stop();
  });

  it('are not barred by sessions that have ended: each of those is slowed down by itself', async () => {
    await service.database.sql('DELETE FROM app.rate_limits');
    const strict = await startService({ database: service.database, variables: { FREE_ATTEMPTS: '1' } });
    const session = async () => (await logInAs(strict, demoAddress('viewer', 'northside'))).body.refreshToken as string;
    const refresh = (refreshToken: string) => strict.call('POST', '/auth/refresh', { body: { refreshToken } });
    const [ended, live] = [await session(), await session()];
    await service.database.sql('UPDATE auth.sessions SET revoked_at = now() WHERE id = $1', [ended.split('_')[1]]);
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) statuses.push((await refresh(ended)).status);
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses.at(-1)).toBe(429);
    expect((await refresh(live)).status).toBe(200);
    await service.database.sql('DELETE FROM app.rate_limits');
    await strict.stop();
  });
});

describe('Refreshing', () => {
  it('rotates: each token works once', async () => {
    const first = await logIn();
    const second = (await refresh(first.refreshToken)).body;
    const third = (await refresh(second.refreshToken)).body;
    expect(new Set([first.refreshToken, second.refreshToken, third.refreshToken]).size).toBe(3);
    expect(await isAlive(third.accessToken)).toBe(true);
  });

  it('by 50 at once gives all of them the same successor, in one rotation', async () => {
    const { refreshToken } = await logIn();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(refreshToken)));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(new Set(answers.map(({ body }) => body.refreshToken)).size).toBe(1);
    expect(await isAlive(answers[0]?.body.accessToken)).toBe(true);
    expect((await refresh(answers[0]?.body.refreshToken)).status).toBe(200);
  });

  it.each([
    ['another program', async () => undefined, { 'user-agent': 'a thief' }],
    [
      'the same program after ten seconds',
      (id: string) =>
        service.database.sql(`UPDATE auth.sessions SET refreshed_at = now() - interval '11 seconds' WHERE id = $1`, [
          id,
        ]),
      {},
    ],
  ])('with a used token by %s ends the whole session, and the log says so', async (_who, arrange, headers) => {
    const first = await logIn();
    const second = (await refresh(first.refreshToken)).body;
    const sessionId = String(decodeJwt(first.accessToken).sid);
    await arrange(sessionId);
    const replay = await refresh(first.refreshToken, headers);
    expect([replay.status, replay.body.code]).toEqual([401, 'refresh-refused']);
    expect(await isAlive(second.accessToken)).toBe(false);
    expect((await refresh(second.refreshToken)).status).toBe(401);
    const events = await service.database.sql(
      `SELECT action, changes FROM audit.events WHERE row_id = $1 AND table_name = 'auth.sessions'`,
      [sessionId],
    );
    expect(events).toEqual([{ action: 'refuse', changes: { reason: [null, 'refresh token used twice'] } }]);
  });

  it('with a token two rotations old ends the session even for the same client at once', async () => {
    const first = await logIn();
    const second = (await refresh(first.refreshToken)).body;
    await refresh(second.refreshToken);
    expect((await refresh(first.refreshToken)).status).toBe(401);
    expect(await isAlive(second.accessToken)).toBe(false);
  });

  it.each(['', 'nonsense', 'rt_00000000-0000-7000-8000-000000000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'])(
    'refuses %j',
    async (token) => {
      expect([400, 401]).toContain((await refresh(token)).status);
    },
  );

  it('works although the access token that is sent along has expired', async () => {
    const { refreshToken } = await logIn();
    const answer = await service.call('POST', '/auth/refresh', { body: { refreshToken }, token: 'expired.long.ago' });
    expect(answer.status).toBe(200);
  });
});

describe('Logging out', () => {
  it('works at the next request, although the access token is still young', async () => {
    const { accessToken, refreshToken } = await logIn();
    expect(await isAlive(accessToken)).toBe(true);
    expect((await service.call('POST', '/auth/logout', { token: accessToken })).status).toBe(204);
    expect(await isAlive(accessToken)).toBe(false);
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  it('everywhere ends all own sessions and nobody else’s', async () => {
    const other = await logIn(demoAddress('provider', 'northside'));
    const [here, there] = [await logIn(), await logIn()];
    await service.call('POST', '/auth/logout-all', { token: here.accessToken });
    expect(await isAlive(there.accessToken)).toBe(false);
    expect(await isAlive(other.accessToken)).toBe(true);
  });

  it('ends one listed session; that of somebody else is not there', async () => {
    const here = await logIn(email, { 'user-agent': 'a browser' });
    const there = await logIn(email, { 'user-agent': 'a telephone' });
    const list = (await service.call('GET', '/auth/sessions', { token: here.accessToken })).body.data;
    expect(list.find(({ isCurrent }: { isCurrent: boolean }) => isCurrent)).toMatchObject({
      userAgent: 'a browser',
      address: '127.0.0.1',
    });
    expect(JSON.stringify(list)).not.toContain('ash');
    const theirs = list.find(({ userAgent }: { userAgent: string }) => userAgent === 'a telephone').id;
    const stranger = await service.tokenOf(demoAddress('viewer', 'southbank'));
    expect((await service.call('DELETE', `/auth/sessions/${theirs}`, { token: stranger })).status).toBe(404);
    expect((await service.call('DELETE', `/auth/sessions/${theirs}`, { token: here.accessToken })).status).toBe(204);
    expect(await isAlive(there.accessToken)).toBe(false);
  });
});

describe('An access token', () => {
  const claims = { sid: '00000000-0000-7000-8000-000000000000', user_type: 'admin' };
  const foreignKey = generateKeyPairSync('ed25519').privateKey;

  it.each([
    ['that is no token', async () => 'nonsense'],
    ['signed by another key under our id', async () => forge({ kid: ownKeyId() }, foreignKey)],
    ['of an unknown key', async () => forge({ kid: 'unknown' }, foreignKey)],
    [
      'without signature',
      async () => `${encode({ alg: 'none', kid: ownKeyId() })}.${encode({ ...claims, sub: 'x' })}.`,
    ],
    [
      'signed with a secret instead (alg confusion)',
      async () => new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: ownKeyId() }).sign(new Uint8Array(32)),
    ],
    ['of another audience', async () => forge({ kid: ownKeyId() }, ownKey(), { aud: 'somebody-else' })],
    ['of another issuer', async () => forge({ kid: ownKeyId() }, ownKey(), { iss: 'somebody-else' })],
    ['that has expired', async () => forge({ kid: ownKeyId() }, ownKey(), { exp: Math.floor(Date.now() / 1000) - 1 })],
    ['of a session that never was', async () => forge({ kid: ownKeyId() }, ownKey())],
  ])('%s is refused', async (_which, make) => {
    const answer = await service.call('GET', '/auth/me', { token: await make() });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
  });

  it('that claims a type which the user has no longer is out of date, and gives no more than the user has', async () => {
    const promoted = await logIn(demoAddress('research-partner', 'northside'));
    const admin = await service.tokenOf(demoAdmin);
    const changed = await service.call('PATCH', `/users/${promoted.user.id}`, {
      token: admin,
      body: { userType: 'admin' },
    });
    expect(changed.body.userType).toBe('admin');
    const outdated = await service.call('GET', '/audit', { token: promoted.accessToken });
    expect(outdated.status).toBe(403);
    const plain = await service.call('GET', '/auth/me', { token: promoted.accessToken });
    expect(plain.body.code).toBe('token-outdated');
    const fresh = (await refresh(promoted.refreshToken)).body;
    expect((await service.call('GET', '/audit', { token: fresh.accessToken })).status).toBe(200);

    await service.call('PATCH', `/users/${promoted.user.id}`, { token: admin, body: { userType: 'research-partner' } });
    const demoted = await service.call('GET', '/audit', { token: fresh.accessToken });
    expect([demoted.status, demoted.body.code]).toEqual([401, 'token-outdated']);
  });

  it('verifies against any key of the ring, and the key set shows both while they are rotated', async () => {
    const next = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
    const rotated = await startService({
      database: service.database,
      variables: {
        JWT_KEYS: `next:${next},${service.config.tokens.jwtKeys}`,
        JWT_ISSUER: service.config.tokens.issuer,
      },
    });
    const { accessToken } = await logIn();
    expect((await rotated.call('GET', '/auth/me', { token: accessToken })).status).toBe(200);
    const { body } = await rotated.call('GET', '//.well-known/jwks.json');
    expect(body.keys.map(({ kid }: { kid: string }) => kid)).toEqual(['next', ownKeyId()]);
    expect(JSON.stringify(body)).not.toContain('"d"');
    await rotated.stop();
  });

  function ownKeyId(): string {
    return service.config.tokens.jwtKeys.split(':')[0] ?? '';
  }
  function ownKey() {
    const der = service.config.tokens.jwtKeys.split(':')[1] ?? '';
    return createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' });
  }
  function encode(value: object): string {
    return Buffer.from(JSON.stringify(value)).toString('base64url');
  }
  function forge(
    header: { kid: string },
    key: ReturnType<typeof ownKey>,
    overrides: Record<string, unknown> = {},
  ): Promise<string> {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const payload = {
      ...claims,
      sub: claims.sid,
      iss: service.config.tokens.issuer,
      aud: 'polyclinic',
      exp,
      ...overrides,
    };
    return new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', ...header }).sign(key);
  }

  it('made by this service is taken: the forgeries above fail for what they say they fail for', async () => {
    const tokens = service.application.get(AccessTokens);
    const { accessToken, user } = await logIn();
    expect(await tokens.verify(accessToken)).toMatchObject({ userId: user.id });
    const twin = await forge({ kid: ownKeyId() }, ownKey(), {
      sub: user.id,
      sid: String(decodeJwt(accessToken).sid),
      user_type: 'provider',
    });
    expect(await isAlive(twin)).toBe(true);
  });
});
