import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { AccountNotConnected } from '../social.errors.js';
import { AccountHealth } from './account-health.js';
import { pausePosts, withdrawJob } from './account-lapses.js';
import type { AccountsQuery, SocialAccount, SocialAccountDetail, SocialAccounts } from './accounts.schemas.js';
import { TokenRenewal } from './token-renewal.js';

const purpose = 'social accounts';
/** Somebody who looks at an account waits no longer than this for Meta; what it says then is there the next time. */
const patienceMs = 3_000;

@Injectable()
export class AccountsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly jobs: Jobs,
    private readonly health: AccountHealth,
    private readonly renewal: TokenRenewal,
  ) {}

  async list(organisationId: string, query: AccountsQuery): Promise<SocialAccounts> {
    const [afterName, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const filters = [query.status ?? null, query.platform ?? null, query.expiring ?? null];
    const values = [organisationId, ...filters, afterName, afterId, query.limit + 1];
    const rows = await this.database.query<SocialAccount>(listAccounts, values);
    return toPage(rows, query.limit, ({ username, id }) => this.cursors.encode([username, id], purpose));
  }

  /** Of these ids, by name. */
  listOf(organisationId: string, ids: readonly string[]): Promise<SocialAccount[]> {
    return this.database.query<SocialAccount>(accountsOf, [organisationId, ids]);
  }

  /** Meta is asked how the account is, unless it was within five minutes, while no connection is held. */
  async get(organisationId: string, accountId: string): Promise<SocialAccountDetail> {
    const seen = await this.database.separately(() =>
      this.database.first<{ isStale: boolean }>(readStaleness, [organisationId, accountId]),
    );
    if (!seen) throw new NotFound();
    if (seen.isStale) await this.lookAfter(accountId);
    return this.read(organisationId, accountId);
  }

  async refresh(organisationId: string, accountId: string): Promise<SocialAccountDetail> {
    const seen = await this.database.separately(() => this.database.first(readStaleness, [organisationId, accountId]));
    if (!seen) throw new NotFound();
    try {
      await this.renewal.renew(accountId);
    } catch (error) {
      // The person's token may be dead while the page's lives on, and the other way round.
      if (error instanceof MetaFailure && error.kind === 'token-invalid') await this.lookAfter(accountId);
      throw asMetaProblem(error);
    }
    return this.read(organisationId, accountId);
  }

  /** The tokens are forgotten at once, by trigger; a job takes the consent back at Meta. Posts stay, queued ones wait. */
  async disconnect(organisationId: string, accountId: string): Promise<void> {
    const values = [organisationId, accountId];
    const seen = await this.database.first(`${readStaleness} FOR UPDATE`, values);
    if (!seen) throw new NotFound();
    const ended = await this.database.first<{ facebookUserId: string | null }>(disconnectAccount, values);
    if (!ended) throw new AccountNotConnected();
    await this.database.query(pausePosts, [[accountId]]);
    const { facebookUserId } = ended;
    if (facebookUserId)
      await this.jobs.enqueue(withdrawJob, { facebookUserId }, { key: `${withdrawJob}:${facebookUserId}` });
  }

  private async read(organisationId: string, accountId: string): Promise<SocialAccountDetail> {
    const row = await this.database.first<SocialAccountDetail>(readAccount, [organisationId, accountId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** An account that Meta does not answer for is shown as it was known last. */
  private async lookAfter(accountId: string): Promise<void> {
    const check = this.health.check(accountId).catch(() => false);
    await Promise.race([check, pause(patienceMs, undefined, { ref: false })]);
  }
}

const columns = [
  ...['id', 'organisation_id', 'platform', 'account_type', 'platform_account_id', 'username', 'profile_picture_url'],
  ...['page_id', 'page_name', 'scopes', 'connected_by', 'connected_at', 'last_synced_at', 'last_token_refresh'],
  ...['token_expires_at', 'data_access_expires_at', 'health', 'health_checked_at', 'status', 'error_message'],
  ...['connection_error_count', 'can_publish_feed', 'can_publish_stories', 'can_publish_reels'],
  ...['created_at', 'updated_at'],
]
  .map((column) => `a.${column}`)
  .join(', ');

const listAccounts = `
  SELECT ${columns} FROM public.social_media_accounts a
   WHERE a.organisation_id = $1
     AND ($2::text IS NULL OR a.status = $2)
     AND ($3::text IS NULL OR a.platform = $3)
     AND ($4::int IS NULL OR (a.status IN ('active', 'error')
          AND least(a.token_expires_at, a.data_access_expires_at) < now() + make_interval(days => $4)))
     AND ($5::text IS NULL OR (a.username, a.id) > ($5, $6::uuid))
   ORDER BY a.username, a.id LIMIT $7`;

const accountsOf = `
  SELECT ${columns} FROM public.social_media_accounts a
   WHERE a.organisation_id = $1 AND a.id = ANY ($2::uuid[]) ORDER BY a.username, a.id`;

const readAccount = `
  SELECT ${columns},
         jsonb_build_object('canPublishFeed', c.can_publish_feed, 'canPublishStories', c.can_publish_stories,
                            'canPublishReels', c.can_publish_reels) AS capabilities
    FROM public.social_media_accounts a, public.get_account_capabilities(a.id) c
   WHERE a.organisation_id = $1 AND a.id = $2`;

const readStaleness = `
  SELECT status IN ('active', 'error')
         AND (health_checked_at IS NULL OR health_checked_at < now() - interval '5 minutes') AS is_stale
    FROM public.social_media_accounts WHERE organisation_id = $1 AND id = $2`;

const disconnectAccount = `
  UPDATE public.social_media_accounts SET status = 'disconnected'
   WHERE organisation_id = $1 AND id = $2 AND status <> 'disconnected'
  RETURNING facebook_user_id`;
