import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Config } from '../../src/kernel/config/config.js';
import { parseKeyRing } from '../../src/kernel/secrets/key-ring.js';
import { Vault } from '../../src/kernel/secrets/vault.js';
import type { TestDatabase } from './database.js';

/** Rows of the module `messenger` as if somebody had made them long ago; Meta is not asked. Columns are named as in SQL. */
type Columns = Record<string, unknown>;

/** A service of a test, as far as these need it. */
interface Place {
  config: Config;
  database: TestDatabase;
}

/** A number as Meta gives them. */
export const metaId = (): string =>
  BigInt(`0x${randomBytes(6).toString('hex')}`)
    .toString()
    .padStart(15, '1');

/** An active page of that person, whose token the service opens; `token` is the page's own at the emulator. */
export async function insertConnection(
  { config, database }: Place,
  email: string,
  { token = 'a token of nobody', ...columns }: Columns & { token?: string } = {},
): Promise<{ connectionId: string; ownerId: string; pageId: string }> {
  const id = randomUUID();
  const ownerId = await userOf(database, email);
  const pageId = String(columns.page_id ?? metaId());
  const sealed = seal(config, token, 'messenger_connections', 'page_access_token_sealed', id);
  await insert(database, 'messenger_connections', {
    ...{ id, owner_id: ownerId, page_id: pageId, page_name: `Page of ${email}`, facebook_user_id: metaId() },
    ...{ page_access_token_sealed: columns.is_active === false ? null : sealed, health_level: 'ok' },
    ...columns,
  });
  return { connectionId: id, ownerId, pageId };
}

/** The Instagram account of that doctor. */
export async function insertInstagram(
  { config, database }: Place,
  email: string,
  { token = 'a token of nobody', ...columns }: Columns & { token?: string } = {},
): Promise<{ doctorId: string; pageId: string; facebookPageId: string }> {
  const doctorId = await userOf(database, email);
  const pageId = String(columns.instagram_page_id ?? metaId());
  const facebookPageId = String(columns.facebook_page_id ?? metaId());
  await insert(database, 'doctor_instagram', {
    ...{ doctor_id: doctorId, instagram_page_id: pageId, facebook_page_id: facebookPageId },
    ...{ instagram_username: `of.${email.split('@')[0]}`, facebook_user_id: metaId(), instagram_health_level: 'ok' },
    instagram_access_token_sealed: seal(config, token, 'doctor_instagram', 'instagram_access_token_sealed', doctorId),
    ...columns,
  });
  return { doctorId, pageId, facebookPageId };
}

/** A conversation on Messenger in which the participant wrote just now, unless `columns` say otherwise. */
export async function insertConversation(
  database: TestDatabase,
  ownerId: string,
  columns: Columns = {},
): Promise<string> {
  return insert(database, 'conversations', {
    ...{ owner_id: ownerId, channel: 'messenger', page_id: metaId(), participant_id: metaId() },
    ...{ participant_name: `Patient of ${ownerId}`, last_message_at: new Date(), last_customer_message_at: new Date() },
    ...columns,
  });
}

/** A message that came in, unless `columns` say otherwise. */
export async function insertMessage(
  { config, database }: Place,
  conversationId: string,
  { text = 'Good morning', ...columns }: Columns & { text?: string } = {},
): Promise<string> {
  const id = randomUUID();
  const [conversation] = await database.sql<{ owner_id: string; channel: string }>(
    'SELECT owner_id, channel FROM conversations WHERE id = $1',
    [conversationId],
  );
  return insert(database, 'messages', {
    ...{ id, ...conversation, conversation_id: conversationId, direction: 'in', status: 'delivered' },
    ...{ platform_message_id: `m_${id}`, text_sealed: seal(config, text, 'messages', 'text_sealed', id) },
    ...columns,
  });
}

export function insertLead(database: TestDatabase, ownerId: string, columns: Columns = {}): Promise<string> {
  return insert(database, 'comment_leads', {
    ...{ owner_id: ownerId, page_id: metaId(), media_id: metaId(), comment_id: metaId(), commenter_id: metaId() },
    ...{ username: `commenter.of.${ownerId}`, commented_at: new Date() },
    ...columns,
  });
}

/** A choice that the person of that address has to make, among two pages. */
export async function insertPageChoice(
  { config, database }: Place,
  email: string,
  columns: Columns = {},
): Promise<string> {
  const id = randomUUID();
  const candidates = ['First', 'Second'].map((name) => ({ id: metaId(), pageId: metaId(), name, username: null }));
  return insert(database, 'messenger_pending_connections', {
    ...{ id, user_id: await userOf(database, email), purpose: 'page', facebook_user_id: metaId() },
    ...{ candidates: JSON.stringify(candidates) },
    access_token_sealed: seal(config, 'a token of nobody', 'messenger_pending_connections', 'access_token_sealed', id),
    ...columns,
  });
}

export async function userOf(database: TestDatabase, email: string): Promise<string> {
  const [user] = await database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [email]);
  if (!user) throw new Error(`There is nobody of the address ${email}.`);
  return user.id;
}

/** Runs one statement as a role of the API, on that person's account; undone again. @returns how many rows it met */
export async function asRole(
  database: TestDatabase,
  role: 'authenticated' | 'super_admin' | 'service_role',
  userId: string,
  statement: string,
): Promise<number> {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  try {
    await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
    await client.query(`SELECT set_config('app.user_id', $1, true)`, [userId]);
    return (await client.query(statement)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}

function seal({ secrets }: Config, text: string, table: string, column: string, rowId: string): string {
  return new Vault(parseKeyRing(secrets.vaultKeys)).seal(text, { table: `public.${table}`, column, rowId });
}

async function insert(database: TestDatabase, table: string, columns: Columns): Promise<string> {
  const names = Object.keys(columns);
  const [row] = await database.sql<{ id: string }>(
    `INSERT INTO ${table} AS made (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})
     RETURNING to_jsonb(made) ->> 'id' AS id`,
    Object.values(columns),
  );
  return row?.id ?? '';
}
