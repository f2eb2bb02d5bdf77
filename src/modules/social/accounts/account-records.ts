import { Injectable } from '@nestjs/common';
import type { TokenInspection } from '../../../integrations/meta/meta-login.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { PostQueue } from '../posts/post-queue.js';
import { capabilitiesOf, healthOf, type Platform } from './consent-scopes.js';
import { SocialTokens } from './social-tokens.js';

/** What Meta gave for one account: tokens, and what there is to know about them and their page. */
export interface GivenAccess {
  platform: Platform;
  accountType: 'business' | 'creator' | 'page';
  username: string;
  pictureUrl: string | null;
  page: { id: string; name: string; accessToken: string };
  /** Who consented: known of a consent, kept by a renewal. On it hangs whether we hear when they want to be forgotten. */
  facebookUserId?: string;
  /** The long-lived token of the person. */
  personToken: string;
  inspection: TokenInspection;
}

/** Writes down what Meta says of accounts. In a transaction of the service that the caller has begun. */
@Injectable()
export class AccountRecords {
  constructor(
    private readonly database: Database,
    private readonly tokens: SocialTokens,
    private readonly queue: PostQueue,
  ) {}

  /**
   * The account works: it keeps these tokens, errors of before are cleared, and the posts that waited go on.
   *
   * @param replaced the person's token that was renewed, as it rested: one of a consent that came meanwhile stays
   */
  async activate(accountId: string, access: GivenAccess, replaced: string | null = null): Promise<boolean> {
    const { page, facebookUserId, personToken, inspection, accountType, username, pictureUrl } = access;
    const active = await this.database.first<{ id: string }>(keepAccess, [
      ...[accountId, replaced, this.tokens.sealPage(accountId, page.accessToken)],
      ...[this.tokens.sealPerson(accountId, personToken), facebookUserId ?? null, accountType, username, pictureUrl],
      ...[page.id, page.name, ...inspected(access.platform, inspection)],
    ]);
    if (active) await this.resumePosts(accountId);
    return active !== undefined;
  }

  /** What `debug_token` says of a token that counts. */
  async noteInspection(
    { id, sealed, platform }: { id: string; sealed: string; platform: Platform },
    inspection: TokenInspection,
  ): Promise<void> {
    await this.database.query(keepInspection, [id, sealed, ...inspected(platform, inspection)]);
  }

  /** At once what is late, and at its time what is not. */
  private async resumePosts(accountId: string): Promise<void> {
    const posts = await this.database.query<{ id: string; nextAttemptAt: Date }>(resumePosts, [accountId]);
    for (const { id, nextAttemptAt } of posts) await this.queue.enqueue(id, nextAttemptAt);
  }
}

function inspected(platform: Platform, { scopes, expiresAt, dataAccessExpiresAt }: TokenInspection): unknown[] {
  const { canPublishFeed, canPublishStories, canPublishReels } = capabilitiesOf(platform, scopes);
  const health = healthOf(platform, scopes, [expiresAt, dataAccessExpiresAt]);
  return [scopes, expiresAt, dataAccessExpiresAt, health, canPublishFeed, canPublishStories, canPublishReels];
}

const keepAccess = `
  UPDATE public.social_media_accounts
     SET access_token_sealed = $3, refresh_token_sealed = $4, facebook_user_id = coalesce($5, facebook_user_id),
         account_type = $6, username = $7, profile_picture_url = $8, page_id = $9, page_name = $10, scopes = $11,
         token_expires_at = $12, data_access_expires_at = $13, health = $14, can_publish_feed = $15,
         can_publish_stories = $16, can_publish_reels = $17, health_checked_at = now(), last_token_refresh = now(),
         connected_at = CASE WHEN $2::text IS NULL THEN now() ELSE connected_at END,
         status = 'active', error_message = NULL, connection_error_count = 0
   WHERE id = $1 AND ($2::text IS NULL OR refresh_token_sealed = $2)
  RETURNING id`;

const keepInspection = `
  UPDATE public.social_media_accounts
     SET scopes = $3, token_expires_at = $4, data_access_expires_at = $5, health = $6, can_publish_feed = $7,
         can_publish_stories = $8, can_publish_reels = $9, health_checked_at = now()
   WHERE id = $1 AND access_token_sealed = $2`;

const resumePosts = `
  UPDATE public.social_media_posts SET waiting_reason = NULL, next_attempt_at = greatest(now(), scheduled_for)
   WHERE social_account_id = $1 AND status = 'queued' AND waiting_reason = 'account-expired'
  RETURNING id, next_attempt_at`;
