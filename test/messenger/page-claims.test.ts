import pg from 'pg';
import { demoAddress } from '../../src/demo/demo.js';
import { insertConnection, insertInstagram } from '../support/messenger.js';
import { type ConnectRoutes, consentAs, personWithPages, subscribedAt } from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';
import { connectSocial } from '../support/social.js';

/** One page, one place to answer: whoever comes second is told that it is taken, and nothing more. */

const first = demoAddress('provider', 'northside');
const second = demoAddress('staff', 'northside');
const elsewhere = demoAddress('staff', 'southbank');

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
});
afterEach(async () => {
  for (const table of ['doctor_instagram', 'messenger_connections', 'messenger_pending_connections'])
    await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const pages: ConnectRoutes = '/messenger/pages';
const instagram: ConnectRoutes = '/settings/instagram';
const taken = { error: 'page-already-linked' };
const connect = async (email: string, routes: ConnectRoutes, personId: string) =>
  Object.fromEntries(await consentAs(service, meta, email, routes, { personId }));
const everything = async () =>
  JSON.stringify(
    await service.database.sql(
      `SELECT (SELECT json_agg(c ORDER BY id) FROM messenger_connections c) AS pages,
              (SELECT json_agg(d ORDER BY doctor_id) FROM doctor_instagram d) AS accounts`,
    ),
  );

describe('What somebody is connected to', () => {
  it.each([
    ['a page', pages, pages],
    ['an account', instagram, instagram],
    ['a page, as the page of an account', pages, instagram],
    ['an account, as its page', instagram, pages],
  ])('is refused to a second one, and nothing moves: %s', async (_what, one, other) => {
    const { personId, pages: of } = await personWithPages(meta);
    expect(await connect(first, one, personId)).toEqual({ connected: '1' });
    const before = await everything();
    const subscribed = await subscribedAt(meta, of[0]?.id ?? '');
    const subscriptions = await meta.count('page.subscribe');
    for (const email of [second, elsewhere]) expect(await connect(email, other, personId)).toEqual(taken);
    expect(await everything()).toBe(before);
    expect(await meta.count('page.subscribe')).toBe(subscriptions);
    expect(await subscribedAt(meta, of[0]?.id ?? '')).toEqual(subscribed);
  });

  it('is refused when it is chosen, by a problem that names nobody', async () => {
    const { personId, pages: of } = await personWithPages(meta, 2);
    const { ownerId } = await insertConnection(service, first, { page_id: of[0]?.id });
    const { choose } = await connect(second, pages, personId);
    const token = await service.tokenOf(second);
    const path = `${pages}/pending/${choose}`;
    const refused = await service.call('POST', path, { token, body: { choice: of[0]?.id } });
    expect([refused.status, refused.body.code]).toEqual([409, 'page-already-linked']);
    expect(refused.text).not.toContain(ownerId);
    expect(refused.text).not.toContain(`Page of ${first}`);
    expect((await service.call('POST', path, { token, body: { choice: of[1]?.id } })).status).toBe(200);
  });

  it('may be both of one person’s', async () => {
    const { personId } = await personWithPages(meta);
    expect(await connect(first, pages, personId)).toEqual({ connected: '1' });
    expect(await connect(first, instagram, personId)).toEqual({ connected: '1' });
  });

  it('is free once it was let go of, and then refused to whoever had it', async () => {
    const { personId } = await personWithPages(meta);
    await connect(first, pages, personId);
    const token = await service.tokenOf(first);
    const { body } = await service.call('GET', pages, { token });
    await service.call('DELETE', `${pages}/${body.data[0].id}`, { token });
    expect(await connect(second, pages, personId)).toEqual({ connected: '1' });
    expect(await connect(first, pages, personId)).toEqual(taken);
    const listed = await service.call('GET', pages, { token });
    expect(listed.body.data).toMatchObject([{ connected: false, health: { level: 'not_connected' } }]);
  });

  it('may be connected for publishing by somebody else at the same time', async () => {
    const { personId } = await personWithPages(meta);
    await connect(first, pages, personId);
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    const asked = { organisationId, token, platform: 'facebook', personId } as const;
    expect(await connectSocial(service, meta, asked)).toHaveLength(1);
    expect(await connect(first, pages, personId)).toEqual({ connected: '1' });
  });
});

describe('Two who connect the same page at the same moment', () => {
  it('are one who has it and one who is told that it is taken', async () => {
    const { personId } = await personWithPages(meta);
    const people = [first, second, elsewhere, demoAddress('viewer', 'northside')];
    const told = await Promise.all(people.map((email) => connect(email, pages, personId)));
    expect(told.filter(({ connected }) => connected)).toHaveLength(1);
    expect(told.filter(({ error }) => error === 'page-already-linked')).toHaveLength(3);
  });
});

describe('The database', () => {
  const as = async (email: string, statement: string, values: unknown[]) => {
    const client = new pg.Client(service.database.adminUrl);
    await client.connect();
    try {
      await client.query('BEGIN');
      const [user] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [email]);
      await client.query(`SELECT set_config('role', app.begin_work($1, 'connect Messenger', 'a test'), true)`, [
        user?.id,
      ]);
      return await client.query(statement, [user?.id, ...values]).then(
        ({ rowCount }) => rowCount,
        ({ code, message }: pg.DatabaseError) => `${code} ${message}`,
      );
    } finally {
      await client.end();
    }
  };

  it('refuses the second claim itself, whatever the code does', async () => {
    const { pageId } = await insertConnection(service, first);
    const account = await insertInstagram(service, elsewhere);
    const makePage = `INSERT INTO messenger_connections (id, owner_id, page_id, page_name, page_access_token_sealed)
      VALUES (app.uuid_v7(), $1, $2, 'Taken', 'sealed')`;
    const makeAccount = `INSERT INTO doctor_instagram (doctor_id, instagram_page_id, facebook_page_id, instagram_username, instagram_access_token_sealed)
      VALUES ($1, $2, $3, 'taken', 'sealed')`;
    const refused = 'PC409 page-already-linked';
    expect(await as(second, makePage, [pageId])).toBe(refused);
    expect(await as(second, makePage, [account.facebookPageId])).toBe(refused);
    expect(await as(second, makeAccount, [account.pageId, '123'])).toBe(refused);
    expect(await as(second, makeAccount, ['123', pageId])).toBe(refused);
    expect(await as(second, makeAccount, ['123', account.facebookPageId])).toBe(refused);
    expect(await as(first, makeAccount, ['123', pageId])).toBe(1);
  });

  it('lets nobody connect in the name of another, nor the service at all', async () => {
    const { connectionId } = await insertConnection(service, first);
    const take = 'UPDATE messenger_connections SET is_paused = true WHERE id = $2 AND $1::uuid IS NOT NULL';
    expect(await as(second, take, [connectionId])).toBe(0);
    expect(await as(first, take, [connectionId])).toBe(1);
    const move = 'UPDATE messenger_connections SET owner_id = $1 WHERE id = $2';
    expect(await as(first, move, [connectionId])).toMatch(/^42501/);
  });
});
