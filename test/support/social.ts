import type { Config } from '../../src/kernel/config/config.js';
import { parseKeyRing } from '../../src/kernel/secrets/key-ring.js';
import { Vault } from '../../src/kernel/secrets/vault.js';
import type { TestDatabase } from './database.js';
import type { Meta } from './meta.js';
import type { Service } from './service.js';

/** Rows of the module `social` as if somebody had made them long ago; Meta is not asked. Columns are named as in SQL. */
type Columns = Record<string, unknown>;

/**
 * An active page whose token is a text that does not open, unless `columns` say otherwise.
 *
 * @example insertAccount(database, organisationId, { platform: 'instagram', account_type: 'business' })
 */
export function insertAccount(database: TestDatabase, organisationId: string, columns: Columns = {}): Promise<string> {
  const platform = columns.platform ?? 'facebook';
  const number = String(columns.platform_account_id ?? nextNumber());
  return insert(database, 'social_media_accounts', {
    organisation_id: organisationId,
    platform,
    account_type: platform === 'instagram' ? 'business' : 'page',
    platform_account_id: number,
    username: `account-of-${organisationId}`,
    page_id: platform === 'instagram' ? nextNumber() : number,
    page_name: `Page of ${organisationId}`,
    facebook_user_id: nextNumber(),
    status: 'active',
    access_token_sealed: columns.status === 'disconnected' ? null : 'v1.a-key-that-is-nowhere.x.x.x',
    connected_at: new Date(),
    can_publish_feed: true,
    can_publish_stories: platform === 'instagram',
    can_publish_reels: platform === 'instagram',
    ...columns,
  });
}

/** Gives an account a token that the service opens: to publish with the emulator's. */
export async function keepToken(
  { config, database }: { config: Config; database: TestDatabase },
  accountId: string,
  tokens: { page: string; person?: string },
): Promise<void> {
  const vault = new Vault(parseKeyRing(config.secrets.vaultKeys));
  const table = 'public.social_media_accounts';
  const seal = (column: string, text: string) => vault.seal(text, { table, column, rowId: accountId });
  await database.sql(
    `UPDATE social_media_accounts SET access_token_sealed = $2, refresh_token_sealed = $3, status = 'active' WHERE id = $1`,
    [
      accountId,
      seal('access_token_sealed', tokens.page),
      tokens.person === undefined ? null : seal('refresh_token_sealed', tokens.person),
    ],
  );
}

export function insertVideo(database: TestDatabase, organisationId: string, columns: Columns = {}): Promise<string> {
  return insert(database, 'social_media_videos', {
    organisation_id: organisationId,
    prompt: `A video of ${organisationId}`,
    status: 'ready',
    video_url: 'https://media.example/video.mp4',
    ...columns,
  });
}

/** A draft with an image, unless `columns` say otherwise; in any state, which it reaches as a worker would bring it there. */
export async function insertPost(database: TestDatabase, accountId: string, columns: Columns = {}): Promise<string> {
  const [account] = await database.sql<{ organisation_id: string; platform: string }>(
    'SELECT organisation_id, platform FROM social_media_accounts WHERE id = $1',
    [accountId],
  );
  const { status = 'draft', claimed_until, publish_started_at, ...given } = columns;
  const isPlanned = status !== 'draft';
  const id = await insert(database, 'social_media_posts', {
    ...account,
    social_account_id: accountId,
    content_type: 'image',
    content_url: 'https://media.example/image.jpg',
    caption: `Posted by ${account?.organisation_id}`,
    status: isPlanned ? 'queued' : 'draft',
    ...(isPlanned && { scheduled_for: new Date(), next_attempt_at: given.scheduled_for ?? new Date() }),
    ...given,
  });
  const attempt = { attempt_id: id, claimed_until: claimed_until ?? new Date(Date.now() + 60_000) };
  const ended = { next_attempt_at: null, claimed_until: null, publish_started_at, ...given };
  if (status === 'processing' || status === 'published')
    await update(database, id, { ...given, ...attempt, status: 'processing', publish_started_at });
  if (status === 'published') {
    const taken = { published_at: new Date(), platform_post_id: nextNumber(), publish_started_at: new Date() };
    await update(database, id, { ...ended, ...taken, ...given, status });
  }
  if (status === 'failed') await update(database, id, { error_code: 'meta-refused', ...ended, status });
  if (status === 'deleted') await update(database, id, { ...ended, status });
  return id;
}

/** A choice that the person of that address has to make, among two pages. */
export async function insertPending(
  database: TestDatabase,
  organisationId: string,
  email: string,
  columns: Columns = {},
): Promise<string> {
  const [person] = await database.sql<{ user_id: string; session_id: string }>(
    `SELECT u.id AS user_id, coalesce((SELECT max(s.id::text)::uuid FROM auth.sessions s WHERE s.user_id = u.id), u.id) AS session_id
       FROM auth.users u WHERE u.email = $1`,
    [email],
  );
  const candidates = ['First', 'Second'].map((name) => ({
    id: nextNumber(),
    pageId: nextNumber(),
    name,
    username: name,
  }));
  return insert(database, 'social_pending_connections', {
    ...person,
    organisation_id: organisationId,
    platform: 'facebook',
    facebook_user_id: nextNumber(),
    candidates: JSON.stringify(candidates),
    scopes: [],
    access_token_sealed: 'v1.a-key-that-is-nowhere.x.x.x',
    ...columns,
  });
}

async function insert(database: TestDatabase, table: string, columns: Columns): Promise<string> {
  const names = Object.keys(columns);
  const [row] = await database.sql<{ id: string }>(
    `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')}) RETURNING id`,
    Object.values(columns),
  );
  return row?.id ?? '';
}

async function update(database: TestDatabase, postId: string, columns: Columns): Promise<void> {
  const names = Object.keys(columns);
  await database.sql(
    `UPDATE social_media_posts SET ${names.map((name, index) => `${name} = $${index + 2}`).join(', ')} WHERE id = $1`,
    [postId, ...Object.values(columns)],
  );
}

let lastNumber = 900_000_000_000_000;
/** An id as Meta gives them. */
function nextNumber(): string {
  lastNumber += 1;
  return String(lastNumber);
}

/** Connects the pages of a person at Meta as somebody of the organisation does who ticks all boxes. */
export async function connectSocial(
  service: Service,
  meta: Meta,
  asked: { organisationId: string; token: string; platform: 'instagram' | 'facebook'; personId: string },
): Promise<string[]> {
  const { organisationId, token, platform, personId } = asked;
  const path = `/organisations/${organisationId}/social/connect`;
  const begun = await service.call('POST', `${path}/${platform}`, { token });
  const query = await meta.consent(begun.body.authorizationUrl, { personId });
  const { body, text } = await service.call('GET', `${path}/callback?${query}`, { token });
  if (body.connected) return [body.connected.id];
  if (!body.pending) throw new Error(`Nothing is connected: ${text}`);
  const candidates = body.pending.candidates as { id: string; connectable: boolean }[];
  const choices = candidates.filter(({ connectable }) => connectable).map(({ id }) => id);
  const chosen = await service.call('POST', `${path}/pending/${body.pending.id}`, { token, body: { choices } });
  return chosen.body.data.map(({ id }: { id: string }) => id);
}
