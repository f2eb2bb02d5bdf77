import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { JobRegistry } from '../../src/kernel/jobs/job-registry.js';
import { ConnectionHealth } from '../../src/modules/messenger/connections/health/connection-health.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { insertConnection, insertInstagram, insertPageChoice, userOf } from '../support/messenger.js';
import { type Connected, connectInstagram, connectPage } from '../support/messenger-health.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';

/** What looks after connections by the clock, and tells their owners. */

const doctor = demoAddress('provider', 'northside');
const colleague = demoAddress('clinic-admin', 'northside');
const owner = demoAddress('owner', 'northside');

let meta: Meta;
let mailbox: Mailbox;
let service: Service;
beforeAll(async () => {
  meta = await startMeta();
  mailbox = await openMailbox();
  service = await startService({ variables: { ...meta.variables, SMTP_URL: mailbox.smtpUrl } });
});
beforeEach(async () => {
  await meta.control('faults/clear', {});
  for (const table of ['messenger_connections', 'doctor_instagram', 'graphile_worker._private_jobs'])
    await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
  await meta.stop();
});

const place = () => ({ meta, service });
const run = (name: string, payload: object = {}) => service.application.get(JobRegistry).get(name).run(payload);
const checkAll = () => run('messenger.check-health');
const instagram = (email = doctor, columns: object = {}): Promise<Connected> =>
  connectInstagram(place(), email, columns);
const page = (email = doctor, columns: object = {}): Promise<Connected> => connectPage(place(), email, columns);

interface Waiting extends Record<string, unknown> {
  payload: object;
  run_at: Date;
}

function waiting(name: string): Promise<Waiting[]> {
  return service.database.sql<Waiting>(
    `SELECT j.payload, j.run_at FROM graphile_worker._private_jobs j
       JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE t.identifier = $1 ORDER BY j.id`,
    [name],
  );
}

/** Does what waits of that name, as a worker would. */
async function work(name: string): Promise<number> {
  const jobs = await waiting(name);
  await service.database.sql(
    `DELETE FROM graphile_worker._private_jobs j USING graphile_worker._private_tasks t
      WHERE t.id = j.task_id AND t.identifier = $1`,
    [name],
  );
  for (const { payload } of jobs) await run(name, payload);
  return jobs.length;
}

const mails = () => work('messenger.mail-health');

async function levels(): Promise<Record<string, string>> {
  const rows = await service.database.sql<{ id: string; level: string }>(
    `SELECT id::text, health_level AS level FROM messenger_connections
     UNION ALL SELECT doctor_id::text, instagram_health_level FROM doctor_instagram`,
  );
  return Object.fromEntries(rows.map(({ id, level }) => [id, level]));
}

/** A day later. */
const nextDay = async () => {
  await service.database.sql(
    `UPDATE messenger_connections SET health_checked_at = health_checked_at - interval '1 day'`,
  );
  await service.database.sql(
    `UPDATE doctor_instagram SET instagram_health_checked_at = instagram_health_checked_at - interval '1 day'`,
  );
};

describe('The daily look', () => {
  it('asks of all that is connected, pages and accounts, and of nothing else', async () => {
    const [mine, hers, theirs] = [await instagram(), await instagram(colleague), await page(owner)];
    const { connectionId: former } = await insertConnection(service, doctor, {
      is_active: false,
      health_level: 'unknown',
    });
    await meta.control('permissions/revoke', { personId: hers.personId });
    await meta.control('permissions/revoke', { personId: theirs.personId, permission: 'pages_messaging' });
    const before = await meta.count('debug_token');
    await checkAll();
    expect(await meta.count('debug_token')).toBe(before + 3);
    expect(await levels()).toEqual({
      ...{ [mine.id]: 'ok', [hers.id]: 'error', [theirs.id]: 'error', [former]: 'unknown' },
    });
    await checkAll();
    expect(await meta.count('debug_token')).toBe(before + 3);
  });

  it('takes the longest unseen first, stops when Meta wants less, and goes on there later', async () => {
    const days = (count: number) => new Date(Date.now() - count * 86_400_000);
    const late = await page(owner, { health_checked_at: days(3) });
    const never = await instagram(doctor);
    const later = await instagram(colleague, { instagram_health_checked_at: days(2) });
    const lately = await page(doctor, { health_checked_at: days(0.5) });
    for (const { personId } of [late, never, later, lately]) await meta.control('permissions/revoke', { personId });
    await meta.fault({ on: 'debug_token', kind: 'rate-limited', after: 1, retryAfter: 2 });
    await checkAll();
    expect(await levels()).toEqual({
      ...{ [never.id]: 'error', [late.id]: 'ok', [later.id]: 'ok', [lately.id]: 'ok' },
    });
    const [next, ...more] = await waiting('messenger.check-health');
    expect(more).toEqual([]);
    expect(new Date(next?.run_at ?? 0).getTime()).toBeGreaterThan(Date.now());
    await pause(2_200);
    const before = await meta.count('debug_token');
    await work('messenger.check-health');
    expect(await meta.count('debug_token')).toBe(before + 2);
    expect(await levels()).toEqual({
      ...{ [never.id]: 'error', [late.id]: 'error', [later.id]: 'error', [lately.id]: 'ok' },
    });
    expect(await waiting('messenger.check-health')).toEqual([]);
  });

  it('goes on later when Meta is away, past the one of which it could not ask', async () => {
    const both = [(await instagram(doctor)).id, (await instagram(colleague)).id];
    await meta.fault({ on: 'debug_token', kind: 'internal', times: 100 });
    await checkAll();
    expect(Object.values(await levels()).sort()).toEqual(['ok', 'unknown']);
    expect(await mails()).toBe(0);
    expect(await waiting('messenger.check-health')).toHaveLength(1);
    await meta.control('faults/clear', {});
    // A host that failed is asked again after a while.
    for (let tries = 0; tries < 40 && (await work('messenger.check-health')) > 0; tries += 1) await pause(500);
    expect((await lookedAt()).sort()).toEqual(both.sort());
  });

  it('does many in batches, each a job of its own, until none is left', async () => {
    const doctors = await service.database.sql<{ id: string }>(
      `INSERT INTO auth.users (email) SELECT 'doctor-' || n || '@many.example' FROM generate_series(1, 60) n RETURNING id`,
    );
    await service.database.sql(
      `INSERT INTO doctor_instagram (doctor_id, instagram_page_id, facebook_page_id, instagram_access_token_sealed, instagram_username)
       SELECT d.id, row_number() OVER (), 1000 + row_number() OVER (), 'v1.a-key-that-is-nowhere.x.x.x', 'many'
         FROM unnest($1::uuid[]) AS d (id)`,
      [doctors.map(({ id }) => id)],
    );
    const counts: number[] = [];
    await checkAll();
    do counts.push(Object.values(await levels()).filter((level) => level === 'error').length);
    while ((await work('messenger.check-health')) > 0);
    expect(counts).toEqual([50, 60]);
    expect(await waiting('messenger.mail-health')).toHaveLength(60);
  });

  it('leaves out whom nothing can be written for, and does the others', async () => {
    const [disabled, well] = [await instagram(doctor), await instagram(colleague)];
    await service.database.sql('UPDATE auth.users SET disabled_at = now() WHERE id = $1', [disabled.ownerId]);
    await checkAll();
    await service.database.sql('UPDATE auth.users SET disabled_at = NULL');
    expect(await lookedAt()).toEqual([well.id]);
    expect(await waiting('messenger.check-health')).toEqual([]);
  });

  it('does nothing where the installation has no app of Meta', async () => {
    const bare = await startService({ variables: { SMTP_URL: mailbox.smtpUrl } });
    await insertInstagram(bare, doctor);
    await bare.application.get(JobRegistry).get('messenger.check-health').run({});
    const left = await bare.database.sql('SELECT FROM graphile_worker._private_jobs');
    await bare.stop();
    expect(left).toEqual([]);
  });
});

describe('An owner', () => {
  const mailsTo = (email: string) => mailbox.mails.filter(({ to }) => to === email);
  beforeEach(() => mailbox.mails.splice(0));

  it('hears of it by mail, once, and not again the next day', async () => {
    const { personId, token, id } = await instagram(doctor, { instagram_username: 'dr.hale' });
    await checkAll();
    expect(await mails()).toBe(0);
    await meta.control('permissions/revoke', { personId });
    await nextDay();
    await checkAll();
    expect(await mails()).toBe(1);
    const [mail] = mailsTo(doctor);
    expect(mail?.subject).toBe('Messages to dr.hale do not work any more');
    expect(mail?.text).toContain('Connect it again');
    expect(mail?.text).toContain(service.config.meta.doctorSettingsUrl);
    for (const secret of [token, personId, id]) expect(mail?.text).not.toContain(secret);
    await nextDay();
    await checkAll();
    expect(await mails()).toBe(0);
  });

  it('hears of it anew when it was well in between', async () => {
    const { personId } = await page();
    await meta.control('permissions/revoke', { personId });
    await checkAll();
    // As a new consent leaves it.
    await service.database.sql(
      `UPDATE messenger_connections SET health_level = 'ok', health_error_code = NULL, health_mailed_at = NULL,
              health_checked_at = NULL, connected_at = now()`,
    );
    await checkAll();
    expect(await mails()).toBe(2);
    expect(mailsTo(doctor)).toHaveLength(2);
    expect(mailsTo(doctor)[0]?.text).toContain(service.config.meta.messengerSettingsUrl);
  });

  it('is warned before the access ends, once, and told when it has', async () => {
    const { personId } = await page(doctor, { page_name: 'Ring' });
    await meta.control('tokens/end-in', { personId, seconds: 3 * 86_400 });
    for (const _ of [1, 2]) {
      await checkAll();
      await nextDay();
    }
    expect(await mails()).toBe(1);
    expect(mailsTo(doctor)[0]).toMatchObject({ subject: 'Please look after Ring' });
    expect(mailsTo(doctor)[0]?.text).toContain('ends within a week');
    await meta.control('tokens/expire', { personId });
    for (const _ of [1, 2]) {
      await checkAll();
      await nextDay();
    }
    expect(await mails()).toBe(1);
    expect(mailsTo(doctor)[1]?.subject).toBe('Messages to Ring do not work any more');
  });

  it('is told once when the look and a message meet the dead token at the same time', async () => {
    const { personId, id, ownerId } = await page();
    await meta.control('permissions/revoke', { personId });
    const health = service.application.get(ConnectionHealth, { strict: false });
    const [row] = await service.database.sql<{ sealed: string }>(
      'SELECT page_access_token_sealed AS sealed FROM messenger_connections',
    );
    const meet = () => health.noteDeadToken({ channel: 'messenger', id, ownerId }, row?.sealed ?? '');
    await Promise.all([meet(), checkAll(), meet(), meet(), meet()]);
    expect(await waiting('messenger.mail-health')).toHaveLength(1);
  });

  it('is not told any more of what was mended before the mail went', async () => {
    const { personId } = await page();
    await meta.control('permissions/revoke', { personId });
    await checkAll();
    await service.database.sql(`UPDATE messenger_connections SET health_level = 'ok', health_error_code = NULL`);
    expect(await mails()).toBe(1);
    await service.database.sql(`UPDATE messenger_connections SET health_level = 'error', is_active = false`);
    await run('messenger.mail-health', {
      channel: 'messenger',
      ownerId: await userOf(service.database, doctor),
      id: (await ids())[0],
    });
    expect(mailbox.mails).toEqual([]);
  });
});

describe('What nobody came back for', () => {
  it('is swept away once its time is over', async () => {
    const userId = await userOf(service.database, doctor);
    const begin = (hash: string, minutes: number) =>
      service.database.sql(
        `INSERT INTO messenger_authorizations (user_id, session_id, purpose, state_hash, browser_hash, expires_at)
         VALUES ($1, $1, 'page', $2, 'x', now() + make_interval(mins => $3))`,
        [userId, hash, minutes],
      );
    await begin('over', -1);
    await begin('open', 1);
    await insertPageChoice(service, doctor, { expires_at: new Date(Date.now() - 1_000) });
    const open = await insertPageChoice(service, doctor);
    await run('messenger.clean-consents');
    expect(await service.database.sql('SELECT state_hash FROM messenger_authorizations')).toEqual([
      { state_hash: 'open' },
    ]);
    expect(await service.database.sql('SELECT id FROM messenger_pending_connections')).toEqual([{ id: open }]);
  });
});

async function ids(): Promise<string[]> {
  return Object.keys(await levels());
}

/** Which were looked at within the hour. */
async function lookedAt(): Promise<string[]> {
  const rows = await service.database.sql<{ id: string }>(
    `SELECT id::text FROM messenger_connections WHERE health_checked_at > now() - interval '1 hour'
     UNION ALL SELECT doctor_id::text FROM doctor_instagram WHERE instagram_health_checked_at > now() - interval '1 hour'`,
  );
  return rows.map(({ id }) => id);
}
