import pg from 'pg';
import type { Config } from '../kernel/config/config.js';
import { demoAddress, demoOrganisations } from './demo.js';

/**
 * An Instagram account and a page of each demo organisation, three videos, and thirty posts with the echo of those that
 * were published. Written as the owner, as the demo's people are; only where no account is yet.
 *
 * No account has a token: nothing of the demo reaches Meta. Those of the first organisation are the ones that
 * `test/emulators/meta` begins with, so that connecting them there makes these rows active, and lets the posts that wait
 * go out to the emulator.
 */
export async function seedDemoSocial(config: Config): Promise<void> {
  const client = new pg.Client({ connectionString: config.database.migrationUrl, options: '-c role=polyclinic_owner' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE public.social_media_accounts IN SHARE ROW EXCLUSIVE MODE');
    const { rowCount } = await client.query('SELECT FROM public.social_media_accounts LIMIT 1');
    if (rowCount === 0) await seedEverything(client);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

/** Of the page and of the Instagram account, as Meta would give them. */
const idsAtMeta = [
  { page: '104200000000001', instagram: '17841400000000001' },
  { page: '104299000000001', instagram: '17841499000000001' },
];

async function seedEverything(client: pg.Client): Promise<void> {
  for (const [index, { slug, clinics }] of demoOrganisations.entries()) {
    const { page, instagram } = idsAtMeta[index] ?? {};
    await client.query(accounts, [slug, clinics[0], page, instagram]);
    const values = [slug, demoAddress('staff', slug)];
    for (const statement of [videos, posts, publishing, published, ended]) await client.query(statement, values);
    for (const statement of [snapshots, counts]) await client.query(statement, [slug]);
  }
}

const organisation = 'SELECT id FROM public.organisations WHERE slug = $1';
const staff = 'SELECT id FROM public.profiles WHERE email = $2';

const accounts = `
  WITH organisation AS (${organisation})
  INSERT INTO public.social_media_accounts (organisation_id, platform, account_type, platform_account_id, username, page_id,
    page_name, status, error_message, connected_at, last_synced_at)
  SELECT o.id, a.platform, a.account_type, a.id, a.username, $3, $2, 'expired',
         'The demo has no access to Meta. Connect the account to publish.', now() - interval '60 days', now()
    FROM organisation o CROSS JOIN (VALUES
      ('instagram', 'business', $4, lower(replace($2, ' ', '.'))), ('facebook', 'page', $3, $2)
    ) AS a (platform, account_type, id, username)`;

const videos = `
  INSERT INTO public.social_media_videos (organisation_id, prompt, mode, status, video_url, created_by)
  SELECT o.id, v.prompt, v.mode, v.status, v.url, (${staff})
    FROM (${organisation}) o CROSS JOIN (VALUES
      ('A calm walk through the practice, from the door to the chair', 'text-to-video', 'ready', 'https://media.example/walk.mp4'),
      ('How to clean between teeth, in twenty seconds', 'upload', 'ready', 'https://media.example/cleaning.mp4'),
      ('The team waves goodbye before the summer holidays', 'image-to-video', 'draft', NULL)
    ) AS v (prompt, mode, status, url)`;

/** Three drafts and 27 that were queued: 22 of them are published below, one is deleted, one fails, three wait. */
const posts = `
  WITH written AS (
    SELECT n, CASE WHEN n % 4 = 0 THEN 'facebook' ELSE 'instagram' END AS platform,
           CASE WHEN n % 4 = 0 THEN 'feed' WHEN n % 5 = 0 THEN 'reel' WHEN n % 7 = 0 THEN 'carousel' WHEN n = 11 THEN 'story'
                ELSE 'feed' END AS post_type
      FROM generate_series(1, 30) n
  )
  INSERT INTO public.social_media_posts (organisation_id, social_account_id, platform, post_type, content_type, content_id,
    content_url, children, caption, hashtags, status, scheduled_for, waiting_reason, created_by)
  SELECT o.id, a.id, w.platform, w.post_type, CASE w.post_type WHEN 'reel' THEN 'video' ELSE 'image' END, v.id,
         coalesce(v.video_url, 'https://media.example/' || n || '.jpg'),
         CASE w.post_type WHEN 'carousel' THEN ARRAY['https://media.example/a.jpg', 'https://media.example/b.jpg'] ELSE '{}' END,
         (ARRAY['Open on Saturdays from now on.', 'Meet Dr. Hale, who saves teeth that others give up.',
                'Three habits that your gums will thank you for.', 'We are looking for a colleague at the reception.',
                'Behind the scenes: how our instruments become sterile.', 'Your questions about whitening, answered.'])[1 + n % 6],
         ARRAY['dentist', 'smile'],
         CASE WHEN n > 27 THEN 'draft' ELSE 'queued' END,
         CASE WHEN n > 27 THEN NULL
              WHEN n > 24 THEN date_trunc('day', now()) + (n - 23) * interval '1 day' + interval '9 hours'
              ELSE date_trunc('day', now()) - (n * 3 / 2) * interval '1 day' + (ARRAY[7, 11, 16])[1 + n % 3] * interval '1 hour' END,
         CASE WHEN n > 24 AND n <= 27 THEN 'account-expired' END, (${staff})
    FROM written w CROSS JOIN (${organisation}) o
    JOIN public.social_media_accounts a ON a.organisation_id = o.id AND a.platform = w.platform
    LEFT JOIN public.social_media_videos v
      ON v.organisation_id = o.id AND w.post_type = 'reel' AND v.mode = CASE WHEN n % 2 = 0 THEN 'upload' ELSE 'text-to-video' END
   ORDER BY n`;

/** The worker's way, which is the only one that the table allows. */
const publishing = `
  WITH past AS (
    SELECT p.id FROM public.social_media_posts p
     WHERE p.organisation_id = (${organisation}) AND p.created_by = (${staff}) AND p.scheduled_for < now()
     ORDER BY p.scheduled_for DESC LIMIT 22
  )
  UPDATE public.social_media_posts p SET status = 'processing', attempt_id = app.uuid_v7(), claimed_until = now()
    FROM past WHERE p.id = past.id`;

const published = `
  UPDATE public.social_media_posts p
     SET status = 'published', claimed_until = NULL, published_at = p.scheduled_for,
         platform_post_id = 'demo-' || p.id, platform_url = 'https://media.example/' || p.id
   WHERE p.organisation_id = (${organisation}) AND p.created_by = (${staff}) AND p.status = 'processing'`;

/** Of the two oldest, one was refused and one was deleted before its time. */
const ended = `
  UPDATE public.social_media_posts p
     SET status = CASE WHEN p.scheduled_for = oldest.scheduled_for THEN 'deleted' ELSE 'failed' END,
         error_code = CASE WHEN p.scheduled_for = oldest.scheduled_for THEN NULL ELSE 'meta-refused' END,
         error_message = CASE WHEN p.scheduled_for = oldest.scheduled_for THEN NULL ELSE 'Meta did not take the image.' END
    FROM (SELECT min(scheduled_for) AS scheduled_for FROM public.social_media_posts
           WHERE organisation_id = (${organisation})) oldest
   WHERE p.organisation_id = (${organisation}) AND p.created_by = (${staff}) AND p.status = 'queued'
     AND p.scheduled_for < now()`;

/**
 * As they would have been read: hourly for two days, then daily. A post has nearly all of its echo after three days.
 * `liking` is the same at every start: what is shown in the documentation is what is found.
 */
const snapshots = `
  WITH post AS (
    SELECT p.*, 300 + (hashtext(p.scheduled_for - date_trunc('day', now()) || p.platform) & 1023) AS audience,
           (hashtext(p.caption || p.post_type) & 255) / 255.0 AS liking
      FROM public.social_media_posts p WHERE p.organisation_id = (${organisation}) AND p.status = 'published'
  ), heard AS (
    SELECT post.*, h AS hours,
           round(audience * (1 - exp(-h / 30.0)) * CASE post_type WHEN 'reel' THEN 3 ELSE 1 END)::bigint AS reached
      FROM post CROSS JOIN generate_series(1, 720) h
     WHERE (h <= 48 OR h % 24 = 0) AND published_at + h * interval '1 hour' <= now() AND (post_type <> 'story' OR h < 24)
  ), counted AS (
    SELECT *, round(reached * (0.03 + 0.05 * liking))::bigint AS likes, round(reached * 0.008 * (1 + liking))::bigint AS comments,
           round(reached * 0.004)::bigint AS shares,
           CASE platform WHEN 'instagram' THEN round(reached * 0.012 * liking)::bigint ELSE 0 END AS saves
      FROM heard
  )
  INSERT INTO public.social_media_analytics_snapshots (organisation_id, post_id, likes_count, comments_count, shares_count,
    saves_count, reach, impressions, plays_count, engagement_rate, snapshot_at, hours_since_published)
  SELECT organisation_id, id, likes, comments, shares, saves, reached, round(reached * 1.4),
         CASE post_type WHEN 'reel' THEN round(reached * 1.4) ELSE 0 END,
         app.engagement_rate(likes, comments, shares, saves, reached), published_at + hours * interval '1 hour', hours
    FROM counted`;

const counts = `
  UPDATE public.social_media_posts p
     SET likes_count = s.likes_count, comments_count = s.comments_count, shares_count = s.shares_count,
         saves_count = s.saves_count, reach = s.reach, impressions = s.impressions, plays_count = s.plays_count,
         last_analytics_sync = s.snapshot_at, analytics_available = p.post_type <> 'story'
    FROM (SELECT DISTINCT ON (post_id) * FROM public.social_media_analytics_snapshots
           WHERE organisation_id = (${organisation}) ORDER BY post_id, snapshot_at DESC) s
   WHERE p.id = s.post_id`;
