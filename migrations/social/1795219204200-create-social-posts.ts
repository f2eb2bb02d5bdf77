import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  declareAccess,
  everyRow,
  relatedOrganisationRows,
  staffedOrganisationRows,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * Videos that can be posted, and posts from their draft to the page.
 *
 * A post is published by the service alone. What is known of an attempt is written down before the call that publishes,
 * so that whoever goes on after a crash asks Meta what has happened instead of publishing twice.
 */
export class CreateSocialPosts1795219204200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [videos, posts, rates]) await queryRunner.query(part);
    for (const table of ['social_media_videos', 'social_media_posts'])
      await touchUpdatedAt(queryRunner, `public.${table}`);
    await this.declareVideos(queryRunner);
    await this.declarePosts(queryRunner);
    for (const part of [states, rateKeeping, videoCounts, quietAudit]) await queryRunner.query(part);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION public.calculate_engagement_rate(uuid);
      DROP TABLE public.social_media_posts;
      DROP TABLE public.social_media_videos;
      DROP FUNCTION app.guard_post();
      DROP FUNCTION app.keep_engagement_rate();
      DROP FUNCTION app.count_posts_of_videos();
      DROP FUNCTION app.engagement_rate(bigint, bigint, bigint, bigint, bigint);
    `);
  }

  private async declareVideos(queryRunner: QueryRunner): Promise<void> {
    const staffed = staffedOrganisationRows('organisation_id', 'staff');
    const given = ['prompt', 'mode', 'status', 'video_url', 'thumbnail_url'];
    const made = ['organisation_id', 'created_by', ...given];
    await declareAccess(queryRunner, {
      table: 'public.social_media_videos',
      access: {
        authenticated: {
          select: { rows: relatedOrganisationRows('organisation_id') },
          insert: { rows: staffed, columns: made },
          update: { rows: staffed, columns: given },
          delete: { rows: staffed },
        },
        super_admin: {
          select: { rows: everyRow },
          insert: { rows: everyRow, columns: made },
          update: { rows: everyRow, columns: given },
          delete: { rows: everyRow },
        },
        service_role: { select: { rows: everyRow } },
      },
      audit: { organisation: 'organisation_id' },
    });
  }

  private async declarePosts(queryRunner: QueryRunner): Promise<void> {
    const staffed = staffedOrganisationRows('organisation_id', 'staff');
    const content = [
      ...['social_account_id', 'platform', 'content_type', 'content_id', 'content_url', 'thumbnail_url', 'caption'],
      ...['post_type', 'children', 'hashtags', 'location_id', 'share_to_feed'],
    ];
    const planned = ['scheduled_for', 'status', 'max_retries'];
    const progress = [
      ...['next_attempt_at', 'waiting_reason', 'retry_count', 'error_code', 'error_message'],
      ...['child_content_types', 'duration_seconds'],
    ];
    const attempt = [
      ...['attempt_id', 'claimed_until', 'container_id', 'child_containers', 'container_created_at'],
      ...['container_checks', 'publish_started_at', 'published_at', 'platform_post_id', 'platform_url'],
    ];
    const counts = [
      ...['likes_count', 'comments_count', 'shares_count', 'saves_count', 'reach', 'impressions', 'plays_count'],
      ...['last_analytics_sync', 'analytics_available'],
    ];
    // An attempt is begun anew by whoever schedules anew, so its traces can be cleared by people, not written.
    const byPeople = [...content, ...planned, ...progress, 'container_id', 'child_containers', 'container_created_at'];
    const made = ['id', 'organisation_id', 'created_by', ...content, ...planned, ...progress];
    await declareAccess(queryRunner, {
      table: 'public.social_media_posts',
      access: {
        authenticated: {
          select: { rows: relatedOrganisationRows('organisation_id') },
          insert: { rows: staffed, columns: made },
          update: { rows: staffed, columns: [...byPeople, 'container_checks', 'publish_started_at'] },
        },
        super_admin: {
          select: { rows: everyRow },
          insert: { rows: everyRow, columns: made },
          update: { rows: everyRow, columns: [...byPeople, 'container_checks', 'publish_started_at'] },
        },
        service_role: {
          select: { rows: everyRow },
          update: { rows: everyRow, columns: [...planned, ...progress, ...attempt, ...counts] },
        },
      },
      audit: { organisation: 'organisation_id' },
    });
  }
}

const videos = `
  CREATE TABLE public.social_media_videos (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    prompt text NOT NULL,
    mode text NOT NULL DEFAULT 'upload',
    status text NOT NULL DEFAULT 'draft',
    video_url text,
    thumbnail_url text,
    posted_to_social boolean NOT NULL DEFAULT false,
    post_count integer NOT NULL DEFAULT 0,
    legacy_id text,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT social_media_videos_organisation_id_fkey
      FOREIGN KEY (organisation_id) REFERENCES public.organisations (id) ON DELETE CASCADE,
    CONSTRAINT social_media_videos_organisation_id_id_key UNIQUE (organisation_id, id),
    CONSTRAINT social_media_videos_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT social_media_videos_prompt_check CHECK (char_length(prompt) BETWEEN 1 AND 4000),
    CONSTRAINT social_media_videos_mode_check CHECK (mode IN ('upload', 'text-to-video', 'image-to-video')),
    CONSTRAINT social_media_videos_status_check CHECK (status IN ('draft', 'processing', 'ready', 'failed')),
    CONSTRAINT social_media_videos_video_url_check CHECK (status <> 'ready' OR video_url IS NOT NULL),
    CONSTRAINT social_media_videos_post_count_check CHECK (post_count >= 0)
  );
  COMMENT ON TABLE public.social_media_videos IS 'Videos that were made or uploaded for posting';
  COMMENT ON COLUMN public.social_media_videos.prompt IS 'What the video shows: the words it was made from, or a title';
  COMMENT ON COLUMN public.social_media_videos.post_count IS 'Published posts that show it, kept by trigger';
  CREATE INDEX social_media_videos_organisation_id_idx ON public.social_media_videos (organisation_id, id);
`;

const posts = `
  CREATE TABLE public.social_media_posts (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    social_account_id uuid NOT NULL,
    platform text NOT NULL,
    content_type text NOT NULL,
    content_id uuid,
    content_url text,
    thumbnail_url text,
    caption text NOT NULL DEFAULT '',
    post_type text NOT NULL DEFAULT 'feed',
    children text[] NOT NULL DEFAULT '{}',
    child_content_types text[] NOT NULL DEFAULT '{}',
    duration_seconds numeric(8, 3),
    hashtags text[] NOT NULL DEFAULT '{}',
    location_id text,
    share_to_feed boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'draft',
    scheduled_for timestamptz,
    next_attempt_at timestamptz,
    waiting_reason text,
    attempt_id uuid,
    claimed_until timestamptz,
    container_id text,
    child_containers text[] NOT NULL DEFAULT '{}',
    container_created_at timestamptz,
    container_checks integer NOT NULL DEFAULT 0,
    publish_started_at timestamptz,
    published_at timestamptz,
    platform_post_id text,
    platform_url text,
    error_code text,
    error_message text,
    retry_count integer NOT NULL DEFAULT 0,
    max_retries integer NOT NULL DEFAULT 3,
    likes_count bigint NOT NULL DEFAULT 0,
    comments_count bigint NOT NULL DEFAULT 0,
    shares_count bigint NOT NULL DEFAULT 0,
    saves_count bigint NOT NULL DEFAULT 0,
    reach bigint NOT NULL DEFAULT 0,
    impressions bigint NOT NULL DEFAULT 0,
    plays_count bigint NOT NULL DEFAULT 0,
    engagement_rate numeric(24, 2) NOT NULL DEFAULT 0,
    last_analytics_sync timestamptz,
    analytics_available boolean NOT NULL DEFAULT true,
    legacy_id text,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT social_media_posts_social_account_id_fkey FOREIGN KEY (organisation_id, platform, social_account_id)
      REFERENCES public.social_media_accounts (organisation_id, platform, id) ON DELETE CASCADE,
    CONSTRAINT social_media_posts_content_id_fkey FOREIGN KEY (organisation_id, content_id)
      REFERENCES public.social_media_videos (organisation_id, id) ON DELETE SET NULL (content_id),
    CONSTRAINT social_media_posts_organisation_id_id_key UNIQUE (organisation_id, id),
    CONSTRAINT social_media_posts_legacy_id_key UNIQUE (legacy_id),
    -- What is found on a page after a lost answer belongs to one post, whoever of several finds it first.
    CONSTRAINT social_media_posts_platform_post_id_key UNIQUE (social_account_id, platform_post_id),
    CONSTRAINT social_media_posts_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.profiles (id),
    CONSTRAINT social_media_posts_content_type_check CHECK (content_type IN ('video', 'image')),
    CONSTRAINT social_media_posts_caption_check CHECK (char_length(caption) <= 2200),
    CONSTRAINT social_media_posts_post_type_check CHECK (post_type IN ('feed', 'reel', 'story', 'carousel')),
    CONSTRAINT social_media_posts_children_check CHECK (
      CASE WHEN post_type <> 'carousel' THEN cardinality(children) = 0
           WHEN status = 'draft' THEN cardinality(children) <= 10
           ELSE cardinality(children) BETWEEN 2 AND 10 END),
    CONSTRAINT social_media_posts_hashtags_check CHECK (
      cardinality(hashtags) <= 30 AND array_position(hashtags, NULL) IS NULL AND array_to_string(hashtags, '') !~ '[#[:space:]]'),
    CONSTRAINT social_media_posts_status_check
      CHECK (status IN ('draft', 'queued', 'processing', 'published', 'failed', 'deleted')),
    CONSTRAINT social_media_posts_scheduled_for_check
      CHECK (status IN ('draft', 'failed') OR scheduled_for IS NOT NULL OR published_at IS NOT NULL),
    CONSTRAINT social_media_posts_platform_post_id_check
      CHECK (status <> 'published' OR (platform_post_id IS NOT NULL AND published_at IS NOT NULL)),
    CONSTRAINT social_media_posts_attempt_id_check
      CHECK ((status = 'processing') = (claimed_until IS NOT NULL) AND (claimed_until IS NULL OR attempt_id IS NOT NULL)),
    CONSTRAINT social_media_posts_publish_started_at_check
      CHECK (publish_started_at IS NULL OR status NOT IN ('draft', 'queued')),
    CONSTRAINT social_media_posts_waiting_reason_check CHECK (waiting_reason IN
      ('rate-limited', 'publishing-limit', 'meta-unavailable', 'account-expired', 'container')),
    CONSTRAINT social_media_posts_error_code_check CHECK ((status = 'failed') <= (error_code IS NOT NULL)),
    CONSTRAINT social_media_posts_retry_count_check CHECK (retry_count >= 0 AND max_retries BETWEEN 0 AND 10)
  );
  COMMENT ON TABLE public.social_media_posts IS 'What is posted, from its draft to the page and its echo there';
  COMMENT ON COLUMN public.social_media_posts.children IS 'Addresses of a carousel''s images and videos, in their order';
  COMMENT ON COLUMN public.social_media_posts.child_content_types IS 'video or image for each child, as its server said';
  COMMENT ON COLUMN public.social_media_posts.next_attempt_at IS
    'When a worker looks at it next; null while it is paused or not queued';
  COMMENT ON COLUMN public.social_media_posts.waiting_reason IS 'Why a queued post waits beyond its time';
  COMMENT ON COLUMN public.social_media_posts.attempt_id IS 'The worker''s attempt that holds it until claimed_until';
  COMMENT ON COLUMN public.social_media_posts.publish_started_at IS
    'Committed before the call that publishes: while nothing came of it, its outcome is unknown and Meta is asked first';
  COMMENT ON COLUMN public.social_media_posts.published_at IS 'When Meta took it; it stays when the post is deleted here';
  COMMENT ON COLUMN public.social_media_posts.engagement_rate IS 'Percent; kept by trigger from the counts beside it';
  COMMENT ON COLUMN public.social_media_posts.analytics_available IS 'False once Meta has said that there are none';
  CREATE INDEX social_media_posts_organisation_id_idx ON public.social_media_posts (organisation_id, created_at, id);
  -- The calendar, and what is still to come.
  CREATE INDEX social_media_posts_scheduled_for_idx ON public.social_media_posts (organisation_id, scheduled_for)
    WHERE status <> 'deleted' AND scheduled_for IS NOT NULL;
  CREATE INDEX social_media_posts_upcoming_idx ON public.social_media_posts (organisation_id, scheduled_for, id)
    WHERE status IN ('queued', 'processing');
  CREATE INDEX social_media_posts_published_at_idx ON public.social_media_posts (organisation_id, published_at)
    WHERE status = 'published';
  CREATE INDEX social_media_posts_social_account_id_idx ON public.social_media_posts (social_account_id, scheduled_for);
  CREATE INDEX social_media_posts_content_id_idx ON public.social_media_posts (content_id) WHERE content_id IS NOT NULL;
  CREATE INDEX social_media_posts_created_by_idx ON public.social_media_posts (created_by);
  -- What the worker asks: posts that are due, and those whose worker was lost.
  CREATE INDEX social_media_posts_next_attempt_at_idx ON public.social_media_posts (next_attempt_at)
    WHERE status = 'queued' AND next_attempt_at IS NOT NULL;
  CREATE INDEX social_media_posts_claimed_until_idx ON public.social_media_posts (claimed_until)
    WHERE status = 'processing';
  CREATE INDEX social_media_posts_platform_url_idx ON public.social_media_posts (published_at)
    WHERE status = 'published' AND platform_url IS NULL;
  -- What the hourly look at analytics asks: the accounts of the year's posts whose turn it is, from the index alone.
  CREATE INDEX social_media_posts_last_analytics_sync_idx
    ON public.social_media_posts (published_at, last_analytics_sync) INCLUDE (social_account_id)
    WHERE status = 'published' AND analytics_available;
`;

const rates = `
  CREATE FUNCTION app.engagement_rate(p_likes bigint, p_comments bigint, p_shares bigint, p_saves bigint, p_reach bigint)
    RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = '' AS $$
    SELECT CASE WHEN p_reach > 0
                THEN round((p_likes::numeric + p_comments + p_shares + p_saves) / p_reach * 100, 2) ELSE 0 END
  $$;
  COMMENT ON FUNCTION app.engagement_rate IS 'Percent with two places; 0 where nobody was reached';
  GRANT EXECUTE ON FUNCTION app.engagement_rate TO authenticated, super_admin, service_role;

  CREATE FUNCTION public.calculate_engagement_rate(p_post uuid) RETURNS numeric
    LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT app.engagement_rate(p.likes_count, p.comments_count, p.shares_count, p.saves_count, p.reach)
      FROM public.social_media_posts p WHERE p.id = p_post
  $$;
  COMMENT ON FUNCTION public.calculate_engagement_rate IS 'Null for a post that the caller does not see';
  GRANT EXECUTE ON FUNCTION public.calculate_engagement_rate TO authenticated, super_admin, service_role;
`;

const rateKeeping = `
  CREATE FUNCTION app.keep_engagement_rate() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    NEW.engagement_rate :=
      app.engagement_rate(NEW.likes_count, NEW.comments_count, NEW.shares_count, NEW.saves_count, NEW.reach);
    RETURN NEW;
  END $$;
  CREATE TRIGGER keep_engagement_rate
    BEFORE UPDATE OF likes_count, comments_count, shares_count, saves_count, reach ON public.social_media_posts
    FOR EACH ROW EXECUTE FUNCTION app.keep_engagement_rate();
`;

const states = `
  CREATE FUNCTION app.guard_post() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    without_video public.social_media_posts := OLD;
  BEGIN
    IF TG_OP = 'INSERT' THEN
      IF NEW.status NOT IN ('draft', 'queued') THEN
        RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'post-state';
      END IF;
      RETURN NEW;
    END IF;
    -- A deleted post stays as it is, but for the video that it showed: that one may be deleted too.
    IF (NEW.status <> OLD.status OR (NEW.status = 'deleted' AND NEW.content_id IS NOT DISTINCT FROM OLD.content_id))
       AND (OLD.status, NEW.status) NOT IN (
      ('draft', 'queued'), ('draft', 'deleted'),
      ('queued', 'draft'), ('queued', 'processing'), ('queued', 'failed'), ('queued', 'deleted'),
      ('processing', 'queued'), ('processing', 'published'), ('processing', 'failed'),
      ('published', 'deleted'), ('failed', 'queued'), ('failed', 'draft'), ('failed', 'deleted')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'post-state';
    END IF;
    -- Only the worker, which acts for nobody, brings a post to the page or knows that it stands there. A video that is
    -- deleted meanwhile leaves the post its address.
    without_video.content_id := NULL;
    IF app.user_id() IS NOT NULL AND NEW IS DISTINCT FROM without_video
       AND (NEW.status = 'processing' OR OLD.status = 'processing'
            OR (NEW.status = 'published' AND NEW.status <> OLD.status)) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'post-state';
    END IF;
    IF OLD.status <> 'draft' AND NEW.status <> 'draft'
       AND (NEW.social_account_id, NEW.platform, NEW.content_type, NEW.content_url, NEW.caption, NEW.post_type,
            NEW.children, NEW.hashtags, NEW.share_to_feed)
           IS DISTINCT FROM
           (OLD.social_account_id, OLD.platform, OLD.content_type, OLD.content_url, OLD.caption, OLD.post_type,
            OLD.children, OLD.hashtags, OLD.share_to_feed) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'post-not-draft';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_post IS
    'The transitions of a post, as src/modules/social/posts/post-states.ts has them; its content changes as a draft only';
  CREATE TRIGGER guard_post BEFORE INSERT OR UPDATE ON public.social_media_posts
    FOR EACH ROW EXECUTE FUNCTION app.guard_post();
`;

const videoCounts = `
  CREATE FUNCTION app.count_posts_of_videos() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    -- Of two posts that are published at once the second counts what the first has committed.
    PERFORM 1 FROM public.social_media_videos v
      WHERE v.id IN (NEW.content_id, OLD.content_id) ORDER BY v.id FOR NO KEY UPDATE;
    UPDATE public.social_media_videos v
       SET post_count = counted.posts, posted_to_social = counted.posts > 0
      FROM (SELECT t.content_id, count(p.id) AS posts
              FROM (SELECT NEW.content_id UNION SELECT OLD.content_id) AS t (content_id)
              LEFT JOIN public.social_media_posts p ON p.content_id = t.content_id AND p.platform_post_id IS NOT NULL
             WHERE t.content_id IS NOT NULL GROUP BY t.content_id) counted
     WHERE v.id = counted.content_id AND v.post_count <> counted.posts;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.count_posts_of_videos IS
    'Counts what was published, also what was deleted here since. SECURITY DEFINER: nobody may write the count';
  CREATE TRIGGER count_posts_of_videos AFTER UPDATE OF platform_post_id, content_id ON public.social_media_posts
    FOR EACH ROW WHEN (NEW.content_id IS NOT NULL OR OLD.content_id IS NOT NULL)
    EXECUTE FUNCTION app.count_posts_of_videos();
`;

/** Counts that are read each hour, and the steps of a worker, would bury what people changed. */
const quietAudit = `
  DROP TRIGGER audit_update ON public.social_media_posts;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.social_media_posts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') NOT IN ('read social analytics', 'publish posts'))
    EXECUTE FUNCTION audit.record('', 'organisation_id', '');
`;
