import type { PostState } from './post-states.js';

/** A post and what its account can do: all that decides whether it may be queued. */
export interface PlannedPost {
  id: string;
  socialAccountId: string;
  platform: 'instagram' | 'facebook';
  platformAccountId: string;
  postType: 'feed' | 'reel' | 'story' | 'carousel';
  contentType: 'video' | 'image';
  contentUrl: string | null;
  thumbnailUrl: string | null;
  caption: string;
  children: string[];
  hashtags: string[];
  shareToFeed: boolean;
  status: PostState;
  errorCode: string | null;
  accountStatus: string;
  canPublishFeed: boolean;
  canPublishStories: boolean;
  canPublishReels: boolean;
  /** Of the row: what was checked is what is queued. */
  version: string;
}

export const findPlanned = `
  SELECT p.id, p.social_account_id, p.platform, a.platform_account_id, p.post_type, p.content_type, p.content_url,
         p.thumbnail_url, p.caption, p.children, p.hashtags, p.share_to_feed, p.status, p.error_code, a.status AS account_status,
         c.can_publish_feed, c.can_publish_stories, c.can_publish_reels, p.updated_at::text AS version
    FROM public.social_media_posts p
    JOIN public.social_media_accounts a ON a.id = p.social_account_id
   CROSS JOIN LATERAL public.get_account_capabilities(a.id) c
   WHERE p.organisation_id = $1 AND p.id = $2`;
