import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { insertConversation } from '../support/messenger.js';
import {
  beginConsent,
  type ConnectRoutes,
  comeBack,
  consentAs,
  personWithPages,
  subscribedAt,
} from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { connectSocial } from '../support/social.js';

/** Letting go: here at once, at Meta as soon as it answers; and what the person at Meta can ask for. */

const pages: ConnectRoutes = '/messenger/pages';
const instagram: ConnectRoutes = '/settings/instagram';
const person = demoAddress('provider', 'northside');
const other = demoAddress('staff', 'northside');

const tables = [
  ...['doctor_instagram', 'messenger_connections', 'messenger_pending_connections', 'messenger_authorizations'],
  ...['conversations', 'graphile_worker._private_jobs'],
];

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
});
afterEach(async () => {
  await meta.control('faults/clear');
  for (const table of tables) await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const call = async (method: string, path: string, email = person): Promise<Answer> =>
  service.call(method, path, { token: await service.tokenOf(email) });
const connect = async (routes: ConnectRoutes, personId: string, email = person) =>
  Object.fromEntries(await consentAs(service, meta, email, routes, { personId }));
const connectionId = async (): Promise<string> => (await call('GET', pages)).body.data[0].id;
/** Those that are due, or soon will be: one that waits for somebody at the dialog may wait for ten minutes. */
const jobsWaiting = async (...names: string[]): Promise<number> => {
  const [row] = await service.database.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id
      WHERE t.identifier = ANY ($1::text[]) AND j.run_at < now() + interval '1 minute'`,
    [names.length > 0 ? names : ['messenger.leave-page']],
  );
  return row?.count ?? 0;
};

/** Until it holds; a busy machine takes its time. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    if (await holds()) return;
    await pause(100);
  }
  throw new Error('It does not come about.');
}

describe('A page that is let go of', () => {
  it('has no token any more, is not told of by Meta, and hangs on no consent', async () => {
    const { personId, pages: of } = await personWithPages(meta);
    await connect(pages, personId);
    const id = await connectionId();
    expect((await call('DELETE', `${pages}/${id}`)).status).toBe(204);
    expect(await service.database.sql('SELECT * FROM messenger_connections')).toMatchObject([
      { id, is_active: false, page_access_token_sealed: null, token_expires_at: null },
    ]);
    await until(async () => (await subscribedAt(meta, of[0]?.id ?? '')).length === 0);
    await until(async () => (await jobsWaiting()) === 0);
    const withdrawn = (await meta.calls()).filter(({ name }) => name === 'permissions.revoke');
    expect(withdrawn.length).toBeGreaterThan(0);
    expect((await call('DELETE', `${pages}/${id}`)).status).toBe(204);
    expect(await jobsWaiting()).toBe(0);
  });

  it('is let go of also while Meta is down, which hears of it later', async () => {
    const { personId, pages: of } = await personWithPages(meta);
    await connect(pages, personId);
    await meta.fault({ on: 'page.unsubscribe', kind: 'internal', times: 1 });
    expect((await call('DELETE', `${pages}/${await connectionId()}`)).status).toBe(204);
    expect(await service.database.sql('SELECT page_access_token_sealed FROM messenger_connections')).toEqual([
      { page_access_token_sealed: null },
    ]);
    await until(async () => (await subscribedAt(meta, of[0]?.id ?? '')).length === 0);
  });

  it('is subscribed where it was connected again before Meta carried out what it was told', async () => {
    const { personId, pages: of } = await personWithPages(meta);
    await connect(pages, personId);
    await meta.control('calls/clear', {});
    await meta.fault({ on: 'page.unsubscribe', kind: 'late', delayMs: 2_500 });
    await call('DELETE', `${pages}/${await connectionId()}`);
    await until(async () => (await meta.count('page.unsubscribe')) > 0);
    await connect(pages, personId);
    expect(await subscribedAt(meta, of[0]?.id ?? '')).toContain('messages');
    await until(async () => (await jobsWaiting()) === 0);
    expect(await subscribedAt(meta, of[0]?.id ?? '')).toContain('messages');
    expect(await service.database.sql('SELECT is_active FROM messenger_connections')).toEqual([{ is_active: true }]);
  });

  it('keeps its conversations, which go on when it is connected again', async () => {
    const { personId, pages: of } = await personWithPages(meta);
    await connect(pages, personId);
    const [user] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [person]);
    const conversationId = await insertConversation(service.database, user?.id ?? '', { page_id: of[0]?.id });
    await call('DELETE', `${pages}/${await connectionId()}`);
    await connect(pages, personId);
    expect(await service.database.sql('SELECT id, page_id FROM conversations')).toEqual([
      { id: conversationId, page_id: of[0]?.id },
    ]);
  });

  it('is nobody else’s to let go of, to pause or to resume', async () => {
    const { personId } = await personWithPages(meta);
    await connect(pages, personId);
    const id = await connectionId();
    for (const nobodys of [id, '00000000-0000-7000-8000-000000000000']) {
      expect((await call('DELETE', `${pages}/${nobodys}`, other)).status).toBe(404);
      expect((await call('POST', `${pages}/${nobodys}/pause`, other)).status).toBe(404);
      expect((await call('POST', `${pages}/${nobodys}/resume`, other)).status).toBe(404);
    }
    expect((await call('GET', pages, other)).body.data).toEqual([]);
    expect((await call('GET', pages)).body.data).toMatchObject([{ id, connected: true, isPaused: false }]);
  });

  it('that was replaced by another is told to Meta, too', async () => {
    const { personId, pages: of } = await personWithPages(meta, 2);
    for (const { id } of of) await consentAs(service, meta, person, pages, { personId, pages: [id] });
    await until(async () => (await subscribedAt(meta, of[0]?.id ?? '')).length === 0);
    expect(await subscribedAt(meta, of[1]?.id ?? '')).toContain('messages');
  });
});

describe('Automatic answers of a page', () => {
  it('are paused and resumed, and cannot be of one that was let go of', async () => {
    const { personId } = await personWithPages(meta);
    await connect(pages, personId);
    const id = await connectionId();
    expect((await call('POST', `${pages}/${id}/pause`)).body).toMatchObject({ id, isPaused: true });
    expect((await call('POST', `${pages}/${id}/pause`)).body).toMatchObject({ id, isPaused: true });
    expect((await call('POST', `${pages}/${id}/resume`)).body).toMatchObject({ id, isPaused: false });
    await call('DELETE', `${pages}/${id}`);
    const refused = await call('POST', `${pages}/${id}/pause`);
    expect([refused.status, refused.body.code]).toEqual([409, 'not-connected']);
  });
});

describe('A doctor’s account that is let go of', () => {
  it('is gone, also when there was none, and Meta tells us of it no more', async () => {
    const { personId, pages: of } = await personWithPages(meta);
    await connect(instagram, personId);
    expect((await call('DELETE', `${instagram}/disconnect`)).status).toBe(204);
    expect(await service.database.sql('SELECT * FROM doctor_instagram')).toEqual([]);
    await until(async () => (await subscribedAt(meta, of[0]?.id ?? '')).length === 0);
    expect((await call('DELETE', `${instagram}/disconnect`)).status).toBe(204);
    expect((await call('GET', `${instagram}/status`)).body).toMatchObject({ health: { level: 'not_connected' } });
  });

  it('is subscribed where it was connected again before Meta carried out what it was told', async () => {
    const { personId } = await personWithPages(meta);
    await connect(instagram, personId);
    await meta.control('calls/clear', {});
    await meta.fault({ on: 'instagram.unsubscribe', kind: 'late', delayMs: 2_500 });
    await call('DELETE', `${instagram}/disconnect`);
    await until(async () => (await meta.count('instagram.unsubscribe')) > 0);
    await connect(instagram, personId);
    const asConnected = await meta.count('instagram.subscribe');
    await until(async () => (await jobsWaiting()) === 0);
    expect(await meta.count('instagram.subscribe')).toBeGreaterThan(asConnected);
  }, 20_000);

  it('leaves the page alone that the same person answers at', async () => {
    const { personId, pages: of } = await personWithPages(meta);
    await connect(pages, personId);
    await connect(instagram, personId);
    await meta.control('calls/clear', {});
    await call('DELETE', `${instagram}/disconnect`);
    await until(async () => (await jobsWaiting()) === 0);
    expect(await subscribedAt(meta, of[0]?.id ?? '')).toContain('messages');
    expect(await meta.count('permissions.revoke')).toBe(0);
    expect((await call('GET', pages)).body.data).toMatchObject([{ connected: true }]);
  });
});

describe('A consent on which publishing hangs as well', () => {
  it('is taken back when neither needs it any more, and not before', async () => {
    const { personId } = await personWithPages(meta);
    await connect(pages, personId);
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    const [accountId] = await connectSocial(service, meta, { organisationId, token, platform: 'facebook', personId });
    await meta.control('calls/clear', {});
    await call('DELETE', `${pages}/${await connectionId()}`);
    await until(async () => (await jobsWaiting()) === 0);
    expect(await meta.count('permissions.revoke')).toBe(0);
    const account = `/organisations/${organisationId}/social/accounts/${accountId}`;
    expect((await service.call('DELETE', account, { token })).status).toBe(204);
    await until(async () => (await meta.count('permissions.revoke')) > 0);
  });

  it('is waited for while the person is at the dialog again, who may be giving it anew', async () => {
    const { personId } = await personWithPages(meta);
    await connect(pages, personId);
    const again = await beginConsent(service, person, pages);
    await meta.control('calls/clear', {});
    await call('DELETE', `${pages}/${await connectionId()}`);
    const waits = `SELECT run_at > now() + interval '5 minutes' AS later FROM graphile_worker._private_jobs j
      JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE t.identifier = 'messenger.leave-page'`;
    await until(async () => (await service.database.sql<{ later: boolean }>(waits)).some(({ later }) => later));
    expect(await meta.count('permissions.revoke')).toBe(0);
    const query = await meta.consent(again.dialogUrl, { personId });
    expect(Object.fromEntries(await comeBack(service, pages, query, again.cookie))).toEqual({ connected: '1' });
    await service.database.sql(`UPDATE graphile_worker._private_jobs SET run_at = now() WHERE task_id =
      (SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'messenger.leave-page')`);
    await until(async () => (await jobsWaiting()) === 0);
    expect(await meta.count('permissions.revoke')).toBe(0);
  }, 20_000);

  it('is taken back in the end when a choice was still to be made, and nobody made it', async () => {
    const { personId, pages: of } = await personWithPages(meta, 2);
    await consentAs(service, meta, person, pages, { personId, pages: [of[0]?.id ?? ''] });
    expect(await connect(pages, personId)).toEqual({ choose: expect.any(String) });
    await meta.control('calls/clear', {});
    await call('DELETE', `${pages}/${await connectionId()}`);
    await until(async () => (await meta.count('page.unsubscribe')) > 0);
    await pause(300);
    expect(await meta.count('permissions.revoke')).toBe(0);
    await service.database.sql(`UPDATE messenger_pending_connections SET expires_at = now()`);
    await service.database.sql(`UPDATE graphile_worker._private_jobs SET run_at = now() WHERE task_id =
      (SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'messenger.leave-page')`);
    await until(async () => (await meta.count('permissions.revoke')) > 0);
  }, 20_000);

  it('survives that the account for publishing is let go of', async () => {
    const { personId } = await personWithPages(meta);
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    const [accountId] = await connectSocial(service, meta, { organisationId, token, platform: 'facebook', personId });
    await connect(instagram, personId);
    await meta.control('calls/clear', {});
    await service.call('DELETE', `/organisations/${organisationId}/social/accounts/${accountId}`, { token });
    await until(async () => (await jobsWaiting('social.withdraw-consent')) === 0);
    expect(await meta.count('permissions.revoke')).toBe(0);
  });

  it.each(['messages', 'publishing'])('is taken back as a whole by whoever lets go last, %s first', async (first) => {
    const { personId } = await personWithPages(meta);
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    const [accountId] = await connectSocial(service, meta, { organisationId, token, platform: 'facebook', personId });
    await connect(instagram, personId);
    await meta.control('calls/clear', {});
    const publishing = `/organisations/${organisationId}/social/accounts/${accountId}`;
    const letGo = [
      () => call('DELETE', `${instagram}/disconnect`),
      () => service.call('DELETE', publishing, { token }),
    ];
    for (const each of first === 'messages' ? letGo : letGo.reverse()) {
      expect(await meta.count('permissions.revoke')).toBe(0);
      expect((await each()).status).toBe(204);
      await until(async () => (await jobsWaiting('messenger.leave-page', 'social.withdraw-consent')) === 0);
    }
    const revoked = (await meta.calls()).filter(({ name }) => name === 'permissions.revoke').map(({ url }) => url);
    for (const scope of [
      'instagram_manage_messages',
      'pages_messaging',
      'pages_manage_posts',
      'instagram_content_publish',
    ])
      expect(revoked.some((url) => url.endsWith(`/permissions/${scope}`))).toBe(true);
    expect(revoked.filter((url) => /public_profile|email/.test(url))).toEqual([]);
  });
});

describe('Somebody who asks Meta that we forget them', () => {
  const ask = async (personId: string): Promise<void> => {
    const body = new URLSearchParams({ signed_request: await meta.signedRequest(personId) }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await service.call('POST', '/auth/facebook/data-deletion', { headers, body });
    await until(async () => {
      const status = await fetch(answer.body.url.replace(service.config.publicUrl, service.url), {
        headers: { accept: 'application/json' },
      });
      return ((await status.json()) as { state: string }).state === 'done';
    });
  };
  const forgotten = async (personId: string) =>
    JSON.stringify(
      await service.database.sql(
        `SELECT (SELECT json_agg(c) FROM messenger_connections c) AS pages,
                (SELECT json_agg(d) FROM doctor_instagram d) AS accounts,
                (SELECT json_agg(p) FROM messenger_pending_connections p) AS choices,
                (SELECT json_agg(e) FROM audit.events e WHERE strpos(e::text, '${personId}') > 0) AS traces`,
      ),
    );

  it('is forgotten here, with accounts, choices and tokens; the conversations stay', async () => {
    const { personId, pages: of } = await personWithPages(meta, 2);
    const only = { personId, pages: [of[0]?.id ?? ''] };
    await consentAs(service, meta, person, pages, only);
    await consentAs(service, meta, person, instagram, only);
    await consentAs(service, meta, other, pages, { personId });
    const [user] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [person]);
    await insertConversation(service.database, user?.id ?? '', { page_id: of[0]?.id });
    await ask(personId);
    expect(await forgotten(personId)).not.toContain(personId);
    expect(
      await service.database.sql('SELECT page_name, is_active, page_access_token_sealed FROM messenger_connections'),
    ).toEqual([{ page_name: 'deleted', is_active: false, page_access_token_sealed: null }]);
    expect(await service.database.sql('SELECT * FROM doctor_instagram')).toEqual([]);
    expect(await service.database.sql('SELECT * FROM messenger_pending_connections')).toEqual([]);
    expect(await service.database.sql('SELECT id FROM conversations')).toHaveLength(1);
    await until(async () => (await subscribedAt(meta, of[0]?.id ?? '')).length === 0);
  });

  it('is forgotten also where the owner’s account is disabled, and nobody else is', async () => {
    const gone = await personWithPages(meta);
    const stays = await personWithPages(meta);
    await connect(pages, gone.personId);
    await connect(pages, stays.personId, other);
    const disable = (at: string) =>
      service.database.sql(`UPDATE auth.users SET disabled_at = ${at} WHERE email = $1`, [person]);
    await disable('now()');
    await ask(gone.personId);
    await disable('NULL');
    expect(await forgotten(gone.personId)).not.toContain(gone.personId);
    expect(await forgotten(stays.personId)).toContain(stays.personId);
  });
});

describe('Somebody who removes our app at Meta', () => {
  it('leaves connections in error, and has nothing to choose any more', async () => {
    const { personId, pages: of } = await personWithPages(meta, 2);
    await consentAs(service, meta, other, pages, { personId, pages: [of[0]?.id ?? ''] });
    await connect(pages, personId, demoAddress('staff', 'southbank'));
    const body = new URLSearchParams({ signed_request: await meta.signedRequest(personId) }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await service.call('POST', '/auth/facebook/deauthorize', { headers, body });
    await until(async () => (await call('GET', pages, other)).body.data[0].health.level === 'error');
    expect((await call('GET', pages, other)).body.data).toMatchObject([
      { connected: true, health: { reconnectRecommended: true } },
    ]);
    expect(await service.database.sql('SELECT * FROM messenger_pending_connections')).toEqual([]);
  });
});
