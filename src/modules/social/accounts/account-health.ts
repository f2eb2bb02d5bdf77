import { Injectable } from '@nestjs/common';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountLapses } from './account-lapses.js';
import { AccountRecords } from './account-records.js';
import type { Platform } from './consent-scopes.js';
import { SocialTokens } from './social-tokens.js';

interface HeldAccess {
  id: string;
  platform: Platform;
  sealed: string;
}

/** Asks Meta what a token is still worth. Pages' tokens have no end, and die all the same: with the consent. */
@Injectable()
export class AccountHealth {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly login: MetaLogin,
    private readonly tokens: SocialTokens,
    private readonly records: AccountRecords,
    private readonly lapses: AccountLapses,
  ) {}

  /**
   * Writes down what Meta says; an account whose token counts no more has expired. Nothing happens to one that has.
   *
   * @returns whether the token counts
   * @throws MetaFailure
   */
  async check(accountId: string): Promise<boolean> {
    const held = await this.asService(() => this.database.first<HeldAccess>(readAccess, [accountId]));
    if (!held) return false;
    const token = await this.tokens.readPage(accountId, held.sealed);
    if (token === undefined) return false;
    const inspection = await this.login.inspect(token);
    if (inspection.isValid) await this.asService(() => this.records.noteInspection(held, inspection));
    else await this.lapses.expire(accountId, held.sealed);
    return inspection.isValid;
  }

  /** Accounts whose token has no end and was not looked at for a week, the longest first. */
  findStale(most: number): Promise<{ id: string }[]> {
    return this.asService(() => this.database.query<{ id: string }>(findStale, [most]));
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'check social accounts' }, work);
  }
}

const readAccess = `
  SELECT id, platform, access_token_sealed AS sealed FROM public.social_media_accounts
   WHERE id = $1 AND status IN ('active', 'error') AND access_token_sealed IS NOT NULL`;

const findStale = `
  SELECT id FROM public.social_media_accounts
   WHERE status = 'active' AND token_expires_at IS NULL
     AND (health_checked_at IS NULL OR health_checked_at < now() - interval '7 days')
   ORDER BY health_checked_at NULLS FIRST, id LIMIT $1`;
