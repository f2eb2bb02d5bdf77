/** The columns of a post that leave; those of the worker's attempt stay inside. */
export const postColumns = `id, organisation_id, social_account_id, platform, content_type, content_id, content_url,
  thumbnail_url, caption, post_type, children, hashtags, location_id, share_to_feed, status, scheduled_for,
  next_attempt_at, waiting_reason, published_at, platform_post_id, platform_url, error_code, error_message, retry_count,
  max_retries, likes_count, comments_count, shares_count, saves_count, reach, impressions, plays_count, engagement_rate,
  last_analytics_sync, analytics_available, created_by, created_at, updated_at`;
