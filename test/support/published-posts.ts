import { MetaInstagram } from '../../src/integrations/meta/meta-instagram.js';
import { MetaLogin } from '../../src/integrations/meta/meta-login.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import type { TestDatabase } from './database.js';
import type { Meta } from './meta.js';
import type { Service } from './service.js';
import { insertAccount, keepToken } from './social.js';

/** A page of the emulator with its Instagram account, both connected with an organisation as if long ago. */
export interface ConnectedPage {
  personId: string;
  pageId: string;
  instagramId: string;
  pageToken: string;
  /** Rows of social_media_accounts. */
  pageAccountId: string;
  instagramAccountId: string;
}

const scopes = [
  ...['pages_show_list', 'pages_read_engagement', 'pages_manage_posts', 'read_insights', 'business_management'],
  ...['instagram_basic', 'instagram_content_publish', 'instagram_manage_insights'],
];

/** Consent, code and tokens by the client itself; the rows straight by SQL. */
export async function connectPage(
  service: Service,
  meta: Meta,
  organisationId: string,
  name: string,
): Promise<ConnectedPage> {
  const personId = await meta.person(`Owner of ${name}`);
  const page = await meta.page({ personId, name, instagram: { username: name.toLowerCase() } });
  const instagramId = page.instagramId ?? '';
  const tokens = await consent(service, meta, personId, page.id);
  const connect = async (columns: { platform: string; platform_account_id: string }) => {
    const accountId = await insertAccount(service.database, organisationId, { ...columns, page_id: page.id });
    await keepToken(service, accountId, tokens);
    return accountId;
  };
  return {
    ...{ personId, pageId: page.id, instagramId, pageToken: tokens.page },
    pageAccountId: await connect({ platform: 'facebook', platform_account_id: page.id }),
    instagramAccountId: await connect({ platform: 'instagram', platform_account_id: instagramId }),
  };
}

async function consent({ application }: Service, meta: Meta, personId: string, pageId: string) {
  const login = application.get(MetaLogin, { strict: false });
  const redirectUri = 'http://127.0.0.1/callback';
  const back = await meta.consent(login.dialogUrl({ redirectUri, state: 'a-state', scopes }), { personId });
  const person = await login.extend((await login.exchange({ code: back.get('code') ?? '', redirectUri })).accessToken);
  const pages = await application.get(MetaPages, { strict: false }).list(person.accessToken);
  return { person: person.accessToken, page: pages.find(({ id }) => id === pageId)?.accessToken ?? '' };
}

export interface GivenPost {
  platformPostId: string;
  postType?: 'feed' | 'reel' | 'story' | 'carousel';
  contentType?: 'image' | 'video';
  /** `3 days`: how long ago it was published, and when Meta was last asked. */
  age?: string;
  syncedAgo?: string;
}

/** Posts as they are once they stand on the page. @returns their ids, in order */
export async function insertPublished(
  database: TestDatabase,
  accountId: string,
  posts: readonly GivenPost[],
): Promise<string[]> {
  const rows = await database.sql<{ id: string }>(
    `INSERT INTO social_media_posts (organisation_id, social_account_id, platform, post_type, content_type, children,
       content_url, caption, status, scheduled_for)
     SELECT a.organisation_id, a.id, a.platform, g.post_type, g.content_type,
            CASE g.post_type WHEN 'carousel' THEN ARRAY['https://a.example/1.jpg', 'https://a.example/2.jpg'] ELSE '{}' END,
            'https://a.example/1.jpg', 'Post ' || g.position, 'queued', now() - g.age
       FROM unnest($2::text[], $3::text[], $4::interval[]) WITH ORDINALITY AS g (post_type, content_type, age, position)
       JOIN social_media_accounts a ON a.id = $1 ORDER BY g.position RETURNING id`,
    [
      accountId,
      posts.map(({ postType = 'feed' }) => postType),
      posts.map(({ contentType = 'image' }) => contentType),
      posts.map(({ age = '1 hour' }) => age),
    ],
  );
  const ids = rows.map(({ id }) => id);
  await database.sql(
    `UPDATE social_media_posts SET status = 'processing', attempt_id = app.uuid_v7(), claimed_until = now() WHERE id = ANY ($1)`,
    [ids],
  );
  await database.sql(
    `UPDATE social_media_posts p SET status = 'published', claimed_until = NULL, published_at = p.scheduled_for,
            platform_post_id = g.platform_post_id, last_analytics_sync = now() - g.synced_ago
       FROM unnest($1::uuid[], $2::text[], $3::interval[]) AS g (id, platform_post_id, synced_ago) WHERE p.id = g.id`,
    [ids, posts.map(({ platformPostId }) => platformPostId), posts.map(({ syncedAgo }) => syncedAgo ?? null)],
  );
  return ids;
}

/** Brings posts onto the emulator's page. @returns their ids there */
export async function publishOnPage(service: Service, page: ConnectedPage, count: number): Promise<string[]> {
  const pages = service.application.get(MetaPages, { strict: false });
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1)
    ids.push((await pages.publishFeed(page.pageToken, page.pageId, { message: `Post ${number}` })).id);
  return ids;
}

/** Brings one thing onto the emulator's Instagram account. @returns its id there */
export async function publishOnInstagram(
  service: Service,
  page: ConnectedPage,
  container: Parameters<MetaInstagram['createContainer']>[2],
): Promise<string> {
  const instagram = service.application.get(MetaInstagram, { strict: false });
  const { id } = await instagram.createContainer(page.pageToken, page.instagramId, container);
  for (let polls = 0; polls < 50; polls += 1)
    if ((await instagram.containerStatus(page.pageToken, id)).status === 'FINISHED') break;
  return (await instagram.publish(page.pageToken, page.instagramId, id)).id;
}
