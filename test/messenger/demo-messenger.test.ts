import { seedDemoMessenger } from '../../src/demo/demo-messenger.js';
import { MessageTexts } from '../../src/modules/messenger/conversations/message-texts.js';
import { type Service, startService } from '../support/service.js';

describe('The demo', () => {
  let fresh: Service;
  beforeAll(async () => {
    fresh = await startService();
    await Promise.all([seedDemoMessenger(fresh.config), seedDemoMessenger(fresh.config)]);
  });
  afterAll(() => fresh.stop());

  it('has a doctor of each organisation with conversations in every state that lasts, once however often it starts', async () => {
    await seedDemoMessenger(fresh.config);
    const states = await fresh.database.sql(
      `SELECT p.email, count(DISTINCT c.id)::int AS conversations, array_agg(DISTINCT c.status ORDER BY c.status) AS states,
              array_agg(DISTINCT m.direction || ' ' || m.status ORDER BY m.direction || ' ' || m.status) AS messages,
              count(DISTINCT c.assigned_to)::int AS assigned, count(DISTINCT m.id) FILTER (WHERE m.deleted_at IS NOT NULL)::int AS deleted
         FROM conversations c JOIN messages m ON m.conversation_id = c.id JOIN profiles p ON p.id = c.owner_id
        GROUP BY 1 ORDER BY 1`,
    );
    const each = {
      ...{ conversations: 6, states: ['closed', 'open', 'snoozed'], assigned: 1, deleted: 1 },
      messages: ['in delivered', 'in read', 'out delivered', 'out failed', 'out read', 'out sent'],
    };
    expect(states).toEqual(['northside', 'southbank'].map((slug) => ({ email: `provider@${slug}.example`, ...each })));
    const unread = await fresh.database.sql(
      `SELECT FROM conversations c WHERE unread_count <>
         (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id AND m.direction = 'in' AND m.status = 'delivered')`,
    );
    expect(unread).toEqual([]);
    const leads = await fresh.database.sql(
      'SELECT state, count(*)::int AS leads FROM comment_leads GROUP BY 1 ORDER BY 1',
    );
    expect(leads).toEqual([
      { state: 'contacted', leads: 2 },
      { state: 'dismissed', leads: 2 },
      { state: 'new', leads: 4 },
    ]);
    const names = await fresh.database.sql('SELECT practice_name AS name FROM doctor_settings ORDER BY 1');
    expect(names).toEqual([{ name: 'Northside Dental' }, { name: 'Southbank Dental' }]);
  });

  it('is sealed as what people write is, and opens', async () => {
    const rows = await fresh.database.sql<{ id: string }>(
      'SELECT id FROM messages WHERE deleted_at IS NULL ORDER BY platform_timestamp',
    );
    const contents = await fresh.application.get(MessageTexts, { strict: false }).open(rows.map(({ id }) => id));
    expect([...contents.values()].every(({ isReadable }) => isReadable)).toBe(true);
    expect([...contents.values()].map(({ text }) => text)).toContain('Thursday would be best.');
    expect([...contents.values()].flatMap(({ attachments }) => attachments)[0]?.type).toBe('image');
    const [clear] = await fresh.database.sql(
      `SELECT count(*)::int AS clear FROM messages WHERE text_sealed LIKE '%best%' OR text_sealed NOT LIKE 'v1.%'`,
    );
    expect(clear).toEqual({ clear: 0 });
  });

  it('asks nothing of Meta: no connection has a token, and no job comes of it', async () => {
    const [found] = await fresh.database.sql(
      `SELECT (SELECT count(*) FILTER (WHERE is_active OR page_access_token_sealed IS NOT NULL) FROM messenger_connections)::int AS usable,
              (SELECT count(*) FROM messenger_connections)::int AS all, (SELECT count(*) FROM doctor_instagram)::int AS accounts,
              (SELECT count(*) FROM messages WHERE status = 'pending')::int AS pending,
              (SELECT count(*) FROM graphile_worker._private_jobs)::int AS jobs`,
    );
    expect(found).toEqual({ usable: 0, all: 2, accounts: 0, pending: 0, jobs: 0 });
  });
});
