import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { ConnectionHealth } from '../../src/modules/messenger/connections/health/connection-health.js';
import { asRole, insertConnection } from '../support/messenger.js';
import { type Connected, connectInstagram, connectPage } from '../support/messenger-health.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** How connections are, as their owners read it, and what is written down of it. */

const doctor = demoAddress('provider', 'northside');
const colleague = demoAddress('clinic-admin', 'northside');
const day = 86_400_000;
const ago = (days: number): Date => new Date(Date.now() - days * day);

let meta: Meta;
let service: Service;
beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: { ...meta.variables, DATABASE_POOL_SIZE: '2' } });
});
afterEach(async () => {
  await service.database.sql('DELETE FROM doctor_instagram');
  await service.database.sql('DELETE FROM messenger_connections');
  await service.database.sql('DELETE FROM doctor_settings');
  await meta.control('faults/clear', {});
  await meta.control('clock', { offsetSeconds: 0 });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const status = async (email = doctor): Promise<Answer> =>
  service.call('GET', '/settings/instagram/status', { token: await service.tokenOf(email) });
const health = async (email = doctor) => (await status(email)).body.health;
const connect = (columns: object = {}, email = doctor): Promise<Connected> =>
  connectInstagram({ meta, service }, email, columns);
const asks = () => meta.count('debug_token');

async function row(): Promise<Record<string, unknown>> {
  const [only] = await service.database.sql('SELECT * FROM doctor_instagram');
  return only ?? {};
}

/** A second instance of the installation. */
function another(variables: Record<string, string>): Promise<Service> {
  const keys = { VAULT_KEYS: service.config.secrets.vaultKeys };
  return startService({ database: service.database, variables: { ...meta.variables, ...keys, ...variables } });
}

/** As if the last look had been taken that many minutes ago. */
const age = (minutes: number) =>
  service.database.sql(`UPDATE doctor_instagram SET instagram_health_checked_at = now() - make_interval(mins => $1)`, [
    minutes,
  ]);

/** The service asks a host that failed again only after a while. */
async function expectSoon(level: string): Promise<void> {
  const end = Date.now() + 15_000;
  for (let seen = ''; seen !== level; ) {
    if (Date.now() > end) throw new Error(`It is ${seen} still.`);
    await age(6);
    seen = (await health()).level;
  }
}

const inDays = async (days: number, personId: string) =>
  meta.control('tokens/end-in', { personId, seconds: Math.round(days * 86_400) });

const well = {
  ...{ level: 'ok', checkedAt: expect.any(String), tokenExpiresAt: null, lastDmSuccessAt: null },
  ...{ message: null, reconnectRecommended: false },
};

describe('The status of an Instagram account', () => {
  it('of nobody is not connected, and Meta is not asked', async () => {
    const before = await asks();
    const { status: code, body } = await status();
    expect([code, body]).toEqual([
      200,
      {
        ...{ connected: false, name: null, pageName: null, connectedAt: null, paused: false },
        health: {
          ...{ level: 'not_connected', checkedAt: null, tokenExpiresAt: null, lastDmSuccessAt: null },
          ...{ message: 'Nothing is connected.', reconnectRecommended: false },
        },
      },
    ]);
    expect(await asks()).toBe(before);
  });

  it('that works is ok, says who it is, and holds no token', async () => {
    const { token, personId } = await connect({ instagram_username: 'dr.hale', facebook_page_name: 'Hale' });
    const { body, text } = await status();
    expect(body).toMatchObject({ connected: true, name: 'dr.hale', pageName: 'Hale', paused: false, health: well });
    const { instagram_access_token_sealed: sealed } = await row();
    for (const secret of [token, String(sealed), personId, 'sealed', 'v1.']) expect(text).not.toContain(secret);
  });

  it('is asked of Meta once within five minutes, also by several at once', async () => {
    await connect();
    const before = await asks();
    await Promise.all(Array.from({ length: 5 }, () => status()));
    await status();
    expect(await asks()).toBe(before + 1);
    await age(4);
    await status();
    expect(await asks()).toBe(before + 1);
    await age(6);
    await status();
    expect(await asks()).toBe(before + 2);
  });

  it('is asked while no connection to the database is held', async () => {
    await connect();
    // The pool holds two: were they held, these three would wait for each other's.
    await meta.fault({ on: 'debug_token', kind: 'slow', delayMs: 1_000, times: 3 });
    const begun = Date.now();
    const looking = status();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const held = await service.database.sql(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename = 'polyclinic_api'
          AND state LIKE 'idle in transaction%'`,
    );
    expect(held).toHaveLength(0);
    expect(Date.now() - begun).toBeLessThan(1_000);
    expect((await looking).body.health.level).toBe('ok');
  });
});

describe('The level', () => {
  it.each([
    [6.9, 'warning', 'ends within a week', true],
    [7.1, 'ok', null, false],
  ])('when the access ends in %s days is %s', async (days, level, words, reconnectRecommended) => {
    const { personId } = await connect();
    await inDays(days, personId);
    const block = await health();
    expect(block).toMatchObject({ level, reconnectRecommended });
    expect(Date.parse(block.tokenExpiresAt) / day).toBeCloseTo(Date.now() / day + days, 2);
    if (words) expect(block.message).toContain(words);
    else expect(block.message).toBeNull();
  });

  it.each([
    [84, 'warning', 'consent anew'],
    [91, 'error', 'does not take the access'],
  ])('%s days after the consent, of which Meta takes 90, is %s', async (days, level, words) => {
    await meta.control('clock', { offsetSeconds: -days * 86_400 });
    await connect();
    await meta.control('clock', { offsetSeconds: 0 });
    const block = await health();
    expect(block).toMatchObject({ level, tokenExpiresAt: null, reconnectRecommended: true });
    expect(block.message).toContain(words);
    // It is not asked again at once, and says the same.
    expect(await health()).toEqual(block);
  });

  it.each([
    ['ok', 13.9, null],
    ['warning', 14.1, null],
    ['ok', 30, 13.9],
    ['warning', 30, 14.1],
    ['warning', 14.1, 20],
  ])(
    'is %s when it has been connected for %s days and the last message went %s days ago',
    async (level, connected, sent) => {
      await connect({
        connected_at: ago(connected),
        instagram_last_dm_success_at: sent === null ? null : ago(sent),
      });
      const block = await health();
      expect(block).toMatchObject({ level, reconnectRecommended: false });
      expect(block.message === null).toBe(level === 'ok');
      expect((await row()).instagram_health_level).toBe(level);
    },
  );

  it('is ok again with the next message that goes, without asking Meta', async () => {
    await connect({ connected_at: ago(20) });
    expect((await health()).level).toBe('warning');
    await service.database.sql('UPDATE doctor_instagram SET instagram_last_dm_success_at = now()');
    const before = await asks();
    expect((await health()).level).toBe('ok');
    expect(await asks()).toBe(before);
  });

  it('is an error when the consent was withdrawn, and stays so when Meta cannot be asked', async () => {
    const { personId } = await connect();
    await meta.control('permissions/revoke', { personId });
    const block = await health();
    expect(block).toMatchObject({ level: 'error', reconnectRecommended: true });
    expect(block.message).toContain('Connect it again');
    await age(6);
    await meta.fault({ on: 'debug_token', kind: 'internal', times: 10 });
    expect(await health()).toMatchObject({ level: 'error', reconnectRecommended: true });
    expect(await row()).toMatchObject({
      instagram_health_level: 'error',
      instagram_health_error_code: 'token-invalid',
    });
  });

  it('is an error when messages were taken out of the consent', async () => {
    const { personId } = await connect();
    await meta.control('permissions/revoke', { personId, permission: 'instagram_manage_messages' });
    expect(await health()).toMatchObject({ level: 'error', reconnectRecommended: true });
    expect((await row()).instagram_health_error_code).toBe('permission-missing');
  });

  it('is an error when the token does not open, and Meta is not asked', async () => {
    await connect({ instagram_access_token_sealed: 'v1.a-key-that-is-nowhere.x.x.x' });
    const before = await asks();
    expect(await health()).toMatchObject({ level: 'error', reconnectRecommended: true });
    expect((await row()).instagram_health_error_code).toBe('token-unreadable');
    expect(await asks()).toBe(before);
  });

  it('is an error once the access is over, although nobody has asked since', async () => {
    await connect({
      ...{ instagram_health_level: 'ok', instagram_health_checked_at: new Date() },
      instagram_token_expires_at: new Date(Date.now() - 1_000),
    });
    const before = await asks();
    expect(await health()).toMatchObject({ level: 'error', reconnectRecommended: true });
    expect(await asks()).toBe(before);
  });

  it('is unknown when Meta does not answer well, for five minutes', async () => {
    await connect();
    await meta.fault({ on: 'debug_token', kind: 'internal', times: 10 });
    expect(await health()).toMatchObject({ level: 'unknown', reconnectRecommended: false });
    expect((await row()).instagram_health_level).toBe('unknown');
    await meta.control('faults/clear', {});
    const before = await asks();
    expect((await health()).level).toBe('unknown');
    expect(await asks()).toBe(before);
    await expectSoon('ok');
  });

  it('is unknown when we ask too often, which is no judgement and not written down', async () => {
    await connect({ instagram_health_level: 'ok' });
    // One of its own: it asks nothing further for a while.
    const hasty = await another({});
    await meta.fault({ on: 'debug_token', kind: 'rate-limited' });
    const token = await hasty.tokenOf(doctor);
    const { body } = await hasty.call('GET', '/settings/instagram/status', { token });
    await hasty.stop();
    expect(body.health).toMatchObject({ level: 'unknown', checkedAt: null });
    expect(await row()).toMatchObject({ instagram_health_level: 'ok', instagram_health_checked_at: null });
  });
});

describe('The pages of an owner', () => {
  const pages = async (email: string) =>
    (await service.call('GET', '/messenger/pages', { token: await service.tokenOf(email) })).body.data;

  it.each([colleague, demoAdmin])('say how each is: of %s', async (email) => {
    await insertConnection(service, email, { is_active: false, page_name: 'Former' });
    const { personId } = await connectPage({ meta, service }, email, { page_name: 'Present' });
    const levels = async () =>
      Object.fromEntries((await pages(email)).map((page: Page) => [page.name, page.health.level]));
    expect(await levels()).toEqual({ Former: 'not_connected', Present: 'ok' });
    await meta.control('permissions/revoke', { personId, permission: 'pages_messaging' });
    await service.database.sql(`UPDATE messenger_connections SET health_checked_at = now() - interval '6 minutes'`);
    expect(await levels()).toEqual({ Former: 'not_connected', Present: 'error' });
  });

  it('need no permission of Instagram, nor the account one of pages', async () => {
    const page = await connectPage({ meta, service }, colleague, { page_name: 'Present' });
    await meta.control('permissions/revoke', { personId: page.personId, permission: 'instagram_manage_messages' });
    const account = await connect();
    await meta.control('permissions/revoke', { personId: account.personId, permission: 'pages_messaging' });
    expect((await pages(colleague))[0].health.level).toBe('ok');
    expect((await health()).level).toBe('ok');
  });
});

interface Page {
  name: string;
  health: { level: string };
}

describe('When Meta takes long', () => {
  it('nobody waits longer than three seconds, and what it says then is there the next time', async () => {
    const patient = await another({ META_TIMEOUT_MS: '10000' });
    await connect();
    await meta.fault({ on: 'debug_token', kind: 'slow', delayMs: 4_000 });
    const begun = Date.now();
    const token = await patient.tokenOf(doctor);
    const first = await patient.call('GET', '/settings/instagram/status', { token });
    const took = Date.now() - begun;
    expect(first.body.health).toMatchObject({ level: 'unknown', checkedAt: null });
    expect(took).toBeGreaterThan(2_900);
    expect(took).toBeLessThan(3_900);
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    const second = await patient.call('GET', '/settings/instagram/status', { token });
    expect(second.body.health).toMatchObject({ level: 'ok', checkedAt: expect.any(String) });
    await patient.stop();
  });
});

describe('What is written down', () => {
  const looker = () => service.application.get(ConnectionHealth, { strict: false });
  const watchedOf = ({ id, ownerId }: Connected) => ({ channel: 'instagram', id, ownerId }) as const;

  it('leaves a line in the audit log when it breaks and when it works again, and none for a look that tells nothing new', async () => {
    const lines = () =>
      service.database.sql<{ table_name: string; changes: object }>(
        `SELECT table_name, changes FROM audit.events WHERE table_name IN ('public.doctor_instagram', 'public.messenger_connections')
            AND action = 'update' AND route = 'check Messenger health' ORDER BY occurred_at, id`,
      );
    const { personId } = await connect();
    const page = await connectPage({ meta, service }, doctor, { health_level: 'error' });
    const before = (await lines()).length;
    expect((await health()).level).toBe('ok');
    expect(await lines()).toHaveLength(before);
    await meta.control('permissions/revoke', { personId });
    for (let look = 0; look < 2; look += 1) {
      await age(6);
      expect((await health()).level).toBe('error');
    }
    await looker().check({ channel: 'messenger', id: page.id, ownerId: page.ownerId });
    const [broke, mended, ...more] = (await lines()).slice(before);
    expect(broke).toMatchObject({ table_name: 'public.doctor_instagram' });
    expect(broke?.changes).toMatchObject({ instagram_health_level: ['ok', 'error'] });
    expect(mended?.changes).toMatchObject({ health_level: ['error', 'ok'] });
    expect(more).toEqual([]);
  });

  it('says nothing of a consent that came while Meta was asked', async () => {
    const connected = await connect();
    await meta.control('permissions/revoke', { personId: connected.personId });
    await meta.fault({ on: 'debug_token', kind: 'slow', delayMs: 500 });
    const looking = looker().check(watchedOf(connected));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await service.database.sql(`UPDATE doctor_instagram SET connected_at = now(), instagram_health_level = 'ok'`);
    await looking;
    expect(await row()).toMatchObject({ instagram_health_level: 'ok', instagram_health_checked_at: null });
  });

  it('of a token that died while it was used is an error, unless it was replaced', async () => {
    const connected = await connect();
    const { instagram_access_token_sealed: sealed } = await row();
    await looker().noteDeadToken(watchedOf(connected), 'v1.another');
    expect((await row()).instagram_health_level).toBe('ok');
    await looker().noteDeadToken(watchedOf(connected), String(sealed));
    expect(await row()).toMatchObject({
      instagram_health_level: 'error',
      instagram_health_error_code: 'token-invalid',
    });
  });

  it('of a person who removed our app is an error on all that hung on it by then, and nothing else', async () => {
    const one = await connect();
    const page = await connectPage({ meta, service }, colleague, { facebook_user_id: one.personId });
    const later = await connectPage({ meta, service }, demoAddress('staff', 'northside'), {
      ...{ facebook_user_id: one.personId, connected_at: new Date(Date.now() + 60_000) },
    });
    const other = await connectPage({ meta, service }, demoAddress('viewer', 'northside'));
    await looker().noteRemoval(one.personId, new Date());
    expect((await row()).instagram_health_level).toBe('error');
    const levels = await service.database.sql<{ id: string; health_level: string }>(
      'SELECT id, health_level FROM messenger_connections',
    );
    expect(Object.fromEntries(levels.map(({ id, health_level }) => [id, health_level]))).toEqual({
      [page.id]: 'error',
      [later.id]: 'ok',
      [other.id]: 'ok',
    });
  });
});

describe('Two doctors of one clinic', () => {
  it('read how their own account is, and nothing of the other’s', async () => {
    const { personId } = await connect({ instagram_username: 'mine' });
    expect((await status(colleague)).body).toMatchObject({ connected: false, name: null });
    await connect({ instagram_username: 'hers' }, colleague);
    await meta.control('permissions/revoke', { personId });
    const [mine, hers] = [await status(), await status(colleague)];
    expect([mine.body.name, mine.body.health.level]).toEqual(['mine', 'error']);
    expect([hers.body.name, hers.body.health.level]).toEqual(['hers', 'ok']);
  });

  it('do not reach each other’s row in the database either, and nobody reads a token', async () => {
    const { ownerId: own } = await connect();
    const { ownerId: other } = await connect({}, colleague);
    const { database } = service;
    const token = 'instagram_access_token_sealed';
    for (const who of [own, other]) {
      const as = (statement: string) => asRole(database, 'authenticated', who, statement);
      expect(await as('SELECT doctor_id FROM doctor_instagram')).toBe(1);
      const elses = who === own ? other : own;
      expect(await as(`SELECT doctor_id FROM doctor_instagram WHERE doctor_id = '${elses}'`)).toBe(0);
      expect(await as(`UPDATE doctor_instagram SET instagram_username = 'x' WHERE doctor_id = '${elses}'`)).toBe(0);
      expect(await as(`DELETE FROM doctor_instagram WHERE doctor_id = '${elses}'`)).toBe(0);
      await expect(as(`SELECT ${token} FROM doctor_instagram`)).rejects.toMatchObject({ code: '42501' });
      await expect(as('SELECT * FROM doctor_instagram')).rejects.toMatchObject({ code: '42501' });
      await expect(as(`UPDATE doctor_instagram SET doctor_id = '${elses}'`)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it.each([
    `INSERT INTO doctor_instagram (doctor_id, instagram_page_id, facebook_page_id, instagram_access_token_sealed, instagram_username)
     SELECT id, '1', '2', 'v1.x', 'x' FROM auth.users LIMIT 1`,
    `UPDATE doctor_instagram SET instagram_health_level = 'ok'`,
    `UPDATE doctor_instagram SET instagram_access_token_sealed = 'v1.x'`,
    'DELETE FROM doctor_instagram',
    'TRUNCATE doctor_instagram',
  ])('are safe from the service, which only reads: %s', async (statement) => {
    await connect();
    const { database } = service;
    expect(await asRole(database, 'service_role', '', 'SELECT * FROM doctor_instagram')).toBe(1);
    await expect(asRole(database, 'service_role', '', statement)).rejects.toMatchObject({ code: '42501' });
  });
});
