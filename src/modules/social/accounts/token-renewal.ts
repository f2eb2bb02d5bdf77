import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { type ManagedPage, MetaPages } from '../../../integrations/meta/meta-pages.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountNotConnected } from '../social.errors.js';
import { AccountRecords } from './account-records.js';
import type { AccountState } from './account-states.js';
import { candidatesOf } from './candidates.js';
import type { Platform } from './consent-scopes.js';
import { SocialTokens } from './social-tokens.js';

interface Renewable {
  platform: Platform;
  platformAccountId: string;
  accountType: 'business' | 'creator' | 'page';
  username: string;
  pageId: string | null;
  status: AccountState;
  sealed: string | null;
}

/** Renews the access of an account with the token of the person who consented. No person is asked. */
@Injectable()
export class TokenRenewal {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly login: MetaLogin,
    private readonly pages: MetaPages,
    private readonly tokens: SocialTokens,
    private readonly records: AccountRecords,
  ) {}

  /**
   * The person's token for a later one, and with it a new token of the page. An account that had ended works again.
   *
   * @throws AccountNotConnected for one that was disconnected
   * @throws MetaFailure `token-invalid` once only a new consent helps
   */
  async renew(accountId: string): Promise<void> {
    const held = await this.transactions.runAs({ service: 'check social accounts' }, () =>
      this.database.first<Renewable>(readRenewable, [accountId]),
    );
    if (!held || held.status === 'disconnected') throw new AccountNotConnected();
    const { sealed } = held;
    if (!sealed) throw new MetaFailure('token-invalid');
    const personToken = (await this.login.extend(this.tokens.openPerson(accountId, sealed))).accessToken;
    const page = pageOf(held, await this.pages.list(personToken));
    const inspection = await this.login.inspect(page.accessToken);
    if (!inspection.isValid) throw new MetaFailure('token-invalid');
    const { username, pictureUrl } = shownAs(held, page);
    const access = { ...held, username, pictureUrl, page, personToken, inspection };
    // What comes back to life is worth a trace; what is renewed each month is not.
    const service = held.status === 'active' ? 'check social accounts' : 'change social accounts';
    await this.transactions.runAs({ service }, () => this.records.activate(accountId, access, sealed));
  }

  /** Active ones, and those that could not be renewed, whose access ends within a week. */
  findEnding(): Promise<{ id: string }[]> {
    return this.transactions.runAs({ service: 'check social accounts' }, () =>
      this.database.query<{ id: string }>(findEnding),
    );
  }
}

/** The person may have lost the page, or the right to publish on it, or the account may hang on another page now. */
function pageOf({ platform, platformAccountId }: Renewable, pages: readonly ManagedPage[]): ManagedPage {
  const candidate = candidatesOf(platform, pages).find(
    ({ id, connectable }) => connectable && id === platformAccountId,
  );
  const page = pages.find(({ id }) => id === candidate?.pageId);
  if (!page) throw new MetaFailure('permission-missing');
  return page;
}

function shownAs({ platform, username }: Renewable, { name, pictureUrl, instagram }: ManagedPage) {
  if (platform === 'facebook') return { username: name, pictureUrl };
  return { username: instagram?.username || username, pictureUrl: instagram?.profilePictureUrl ?? null };
}

const readRenewable = `
  SELECT platform, platform_account_id, account_type, username, page_id, status, refresh_token_sealed AS sealed
    FROM public.social_media_accounts WHERE id = $1`;

const findEnding = `
  SELECT id FROM public.social_media_accounts
   WHERE status IN ('active', 'error')
     AND (token_expires_at < now() + interval '7 days' OR data_access_expires_at < now() + interval '7 days')
   ORDER BY token_expires_at, id`;
