import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound, UnknownReference } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { PostNotDraft, PostState } from '../social.errors.js';
import { postColumns } from './post-rows.js';
import { postStatesBefore } from './post-states.js';
import type { NewPost, Post, PostChanges, Posts, PostsQuery } from './posts.schemas.js';

const purpose = 'social posts';

/** Posts as drafts, and what has become of them. */
@Injectable()
export class PostsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async list(organisationId: string, query: PostsQuery): Promise<Posts> {
    const [afterTime, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const { status, platform, accountId, from, to, timeZone, limit } = query;
    const filters = [status, platform, accountId, from, to].map((value) => value ?? null);
    const values = [organisationId, ...filters, timeZone, afterTime, afterId, limit + 1];
    const rows = await this.database.query<Post & { position: string }>(listPosts, values);
    return toPage(rows, limit, ({ position, id }) => this.cursors.encode([position, id], purpose));
  }

  async get(organisationId: string, postId: string): Promise<Post> {
    const row = await this.database.first<Post>(getPost, [organisationId, postId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** A draft. Only what the columns cannot hold is refused here: the limits are checked when it is scheduled. */
  async create(organisationId: string, post: NewPost): Promise<Post> {
    const referred = await this.referred(organisationId, post);
    const { caption = '', postType = 'feed', children = [], hashtags = [], shareToFeed = false } = post;
    const [row] = await this.database.query<Post>(insertPost, [
      organisationId,
      ...[post.socialAccountId, referred.platform],
      ...[post.contentType ?? referred.contentType ?? 'image', post.contentId ?? null],
      ...[post.contentUrl ?? referred.contentUrl, post.thumbnailUrl ?? referred.thumbnailUrl],
      ...[caption, postType, children, hashtags],
      ...[post.locationId ?? null, shareToFeed, post.maxRetries ?? 3],
    ]);
    if (!row) throw new NotFound();
    return row;
  }

  async change(organisationId: string, postId: string, changes: PostChanges, ifMatch?: string): Promise<Post> {
    const present = await this.database.first<Post>(`${getPost} FOR UPDATE`, [organisationId, postId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    if (present.status !== 'draft') throw new PostNotDraft();
    const update = partialUpdate({
      table: 'public.social_media_posts',
      where: { organisation_id: organisationId, id: postId },
      changes: { ...changes, ...(await this.followed(organisationId, changes)) },
      columns: changeable,
      returning: postColumns,
    });
    if (!update) return present;
    const [row] = await this.database.query<Post>(update.text, update.values);
    if (!row) throw new NotFound();
    return row;
  }

  /** Kept as deleted, for what it has told; what stands on the page stays there. */
  async remove(organisationId: string, postId: string): Promise<void> {
    const values = [organisationId, postId, postStatesBefore('deleted')];
    const [removed] = await this.database.query(deletePost, values);
    if (removed) return;
    const { status } = await this.get(organisationId, postId);
    throw new PostState(
      status === 'deleted' ? 'It is deleted already.' : 'A worker is publishing it: wait for what comes of it.',
    );
  }

  /** Another draft with the same content. */
  async duplicate(organisationId: string, postId: string): Promise<Post> {
    const [row] = await this.database.query<Post>(duplicatePost, [organisationId, postId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** What goes with a new account or another video. */
  private async followed(organisationId: string, changes: PostChanges): Promise<object> {
    const { socialAccountId, contentId } = changes;
    if (!socialAccountId && !contentId) return {};
    const { platform, contentType, contentUrl, thumbnailUrl } = await this.referred(organisationId, changes);
    return {
      ...(socialAccountId && { platform }),
      ...(contentId && {
        contentType: changes.contentType ?? contentType,
        contentUrl: changes.contentUrl ?? contentUrl,
        thumbnailUrl: changes.thumbnailUrl ?? thumbnailUrl,
      }),
    };
  }

  /** @throws UnknownReference naming the field, for what is not there or not the organisation's */
  private async referred(organisationId: string, { socialAccountId, contentId }: PostChanges): Promise<Referred> {
    const values = [organisationId, socialAccountId ?? null, contentId ?? null];
    const found = await this.database.first<Referred>(findReferred, values);
    const missing = [
      ...(socialAccountId && !found?.platform ? ['socialAccountId'] : []),
      ...(contentId && !found?.contentType ? ['contentId'] : []),
    ];
    if (!found || missing.length > 0) throw new UnknownReference(undefined, { errors: missing.map(nothingHere) });
    return found;
  }
}

interface Referred {
  platform: string | null;
  contentType: string | null;
  contentUrl: string | null;
  thumbnailUrl: string | null;
}

const nothingHere = (path: string) => ({
  path,
  code: 'unknown-reference',
  message: 'There is nothing of this id here.',
});

/** Days are those of the zone in $7. The order is that of the index on what an organisation has made. */
const listPosts = `
  SELECT ${postColumns}, created_at::text AS position FROM public.social_media_posts
   WHERE organisation_id = $1
     AND CASE WHEN $2::text IS NULL THEN status <> 'deleted' ELSE status = $2 END
     AND ($3::text IS NULL OR platform = $3)
     AND ($4::uuid IS NULL OR social_account_id = $4)
     AND ($5::date IS NULL OR scheduled_for >= $5::date::timestamp AT TIME ZONE $7)
     AND ($6::date IS NULL OR scheduled_for < ($6::date + 1)::timestamp AT TIME ZONE $7)
     AND ($8::timestamptz IS NULL OR (created_at, id) < ($8, $9::uuid))
   ORDER BY created_at DESC, id DESC LIMIT $10`;

const getPost = `SELECT ${postColumns} FROM public.social_media_posts WHERE organisation_id = $1 AND id = $2`;

const findReferred = `
  SELECT a.platform, CASE WHEN v.id IS NOT NULL THEN 'video' END AS content_type,
         v.video_url AS content_url, v.thumbnail_url
    FROM (SELECT 1) asked
    LEFT JOIN public.social_media_accounts a ON a.organisation_id = $1 AND a.id = $2
    LEFT JOIN public.social_media_videos v ON v.organisation_id = $1 AND v.id = $3`;

const insertPost = `
  INSERT INTO public.social_media_posts
    (organisation_id, social_account_id, platform, content_type, content_id, content_url, thumbnail_url, caption,
     post_type, children, hashtags, location_id, share_to_feed, max_retries, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, app.user_id())
  RETURNING ${postColumns}`;

/** Outside draft and failed a post has a time: one that never had any was deleted at its own. */
const deletePost = `
  UPDATE public.social_media_posts
     SET status = 'deleted', scheduled_for = coalesce(scheduled_for, now()), next_attempt_at = NULL, waiting_reason = NULL
   WHERE organisation_id = $1 AND id = $2 AND status = ANY ($3)
  RETURNING id`;

const content = `social_account_id, platform, content_type, content_id, content_url, thumbnail_url, caption, post_type,
  children, hashtags, location_id, share_to_feed, max_retries`;

const duplicatePost = `
  INSERT INTO public.social_media_posts (organisation_id, created_by, ${content})
  SELECT organisation_id, app.user_id(), ${content}
    FROM public.social_media_posts WHERE organisation_id = $1 AND id = $2
  RETURNING ${postColumns}`;

const changeable = {
  socialAccountId: 'social_account_id',
  platform: 'platform',
  contentType: 'content_type',
  contentId: 'content_id',
  contentUrl: 'content_url',
  thumbnailUrl: 'thumbnail_url',
  caption: 'caption',
  postType: 'post_type',
  children: 'children',
  hashtags: 'hashtags',
  locationId: 'location_id',
  shareToFeed: 'share_to_feed',
  maxRetries: 'max_retries',
};
