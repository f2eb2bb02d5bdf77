import { setTimeout as pause } from 'node:timers/promises';
import { MetaLogin } from '../../src/integrations/meta/meta-login.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import type { TestDatabase } from './database.js';
import type { Meta } from './meta.js';
import type { Service } from './service.js';
import { insertAccount, insertPost, keepToken } from './social.js';

/** A page with its Instagram account, both connected as a person would have connected them. */
export interface Connected {
  personId: string;
  pageId: string;
  instagramId: string;
  /** Of our rows. */
  page: string;
  instagram: string;
}

const scopes = [
  ...['pages_show_list', 'pages_read_engagement', 'pages_manage_posts', 'read_insights', 'business_management'],
  ...['instagram_basic', 'instagram_content_publish', 'instagram_manage_insights'],
];
const redirectUri = 'https://app.example/social/callback';
const longestWaitMs = 20_000;

export async function connect(meta: Meta, service: Service, name: string): Promise<Connected> {
  const { database } = service;
  const [organisation] = await database.sql<{ id: string }>(`SELECT id FROM organisations WHERE slug = 'northside'`);
  const personId = await meta.person(name);
  const { id: pageId, instagramId } = await meta.page({ personId, name, instagram: { username: name.toLowerCase() } });
  const token = await pageToken(meta, service, personId, pageId);
  const accountOf = async (platform: string, platformAccountId: string): Promise<string> => {
    const columns = { platform, platform_account_id: platformAccountId, page_id: pageId, username: name };
    const id = await insertAccount(database, organisation?.id ?? '', columns);
    await keepToken(service, id, { page: token });
    return id;
  };
  const page = await accountOf('facebook', pageId);
  const instagram = await accountOf('instagram', instagramId ?? '');
  return { personId, pageId, instagramId: instagramId ?? '', page, instagram };
}

async function pageToken(meta: Meta, service: Service, personId: string, pageId: string): Promise<string> {
  const login = service.application.get(MetaLogin, { strict: false });
  const dialog = login.dialogUrl({ redirectUri, state: 'any', scopes });
  const code = (await meta.consent(dialog, { personId })).get('code') ?? '';
  const { accessToken } = await login.extend((await login.exchange({ code, redirectUri })).accessToken);
  const pages = await service.application.get(MetaPages, { strict: false }).list(accessToken);
  return pages.find(({ id }) => id === pageId)?.accessToken ?? '';
}

/** A post whose time has come, and the job of it. */
export async function due(
  meta: Meta,
  database: TestDatabase,
  accountId: string,
  columns: Record<string, unknown> = {},
): Promise<string> {
  const medium = columns.content_type === 'video' ? 'film.mp4' : 'photo.jpg';
  const id = await insertPost(database, accountId, { status: 'queued', content_url: meta.media(medium), ...columns });
  await enqueue(database, id);
  return id;
}

export async function enqueue(database: TestDatabase, postId: string): Promise<void> {
  await database.sql(
    `SELECT graphile_worker.add_job('social.publish-post', json_build_object('postId', $1::text),
       job_key => 'social.publish-post:' || $1, max_attempts => 10)`,
    [postId],
  );
}

/** As the time that a post still waits, or a dead worker's lease; what is in the hands of a worker is left there. */
export async function hasten(database: TestDatabase, postId: string): Promise<void> {
  const [hastened] = await database.sql(
    `UPDATE social_media_posts
        SET next_attempt_at = CASE WHEN status = 'queued' THEN now() END,
            claimed_until = CASE WHEN status = 'processing' THEN now() END
      WHERE id = $1 AND (status = 'queued' AND next_attempt_at IS NOT NULL OR status = 'processing')
        AND NOT EXISTS (SELECT FROM graphile_worker._private_jobs
                         WHERE key = 'social.publish-post:' || $1 AND locked_at IS NOT NULL)
     RETURNING id`,
    [postId],
  );
  if (hastened) await enqueue(database, postId);
}

export interface PostRow {
  status: string;
  waiting_reason: string | null;
  next_attempt_at: Date | null;
  platform_post_id: string | null;
  platform_url: string | null;
  container_id: string | null;
  child_containers: string[];
  container_checks: number;
  publish_started_at: Date | null;
  claimed_until: Date | null;
  error_code: string | null;
  error_message: string | null;
  retry_count: number;
  attempt_id: string | null;
}

export async function postRow(database: TestDatabase, postId: string): Promise<PostRow> {
  const [row] = await database.sql<PostRow>('SELECT * FROM social_media_posts WHERE id = $1', [postId]);
  if (!row) throw new Error(`There is no post ${postId}.`);
  return row;
}

/** Waits until a post is as it should become, and says how it is when it does not. */
export async function becomes(
  database: TestDatabase,
  postId: string,
  isSo: (post: PostRow) => boolean,
  { hastened = false, patienceMs = longestWaitMs } = {},
): Promise<PostRow> {
  const deadline = Date.now() + patienceMs;
  for (let round = 1; ; round += 1) {
    const post = await postRow(database, postId);
    if (isSo(post)) return post;
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${JSON.stringify(post)}`);
    await pause(100);
    if (hastened && round % 5 === 0) await hasten(database, postId);
  }
}

export const isPublished = ({ status, platform_url }: PostRow): boolean =>
  status === 'published' && platform_url !== null;
export const isFailed = ({ status }: PostRow): boolean => status === 'failed';
export const waitsFor =
  (reason: string) =>
  ({ status, waiting_reason }: PostRow): boolean =>
    status === 'queued' && waiting_reason === reason;
