import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { SealBroken, Vault } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountNotConnected } from '../social.errors.js';
import { AccountLapses } from './account-lapses.js';

const accessColumn = { table: 'public.social_media_accounts', column: 'access_token_sealed' };
const refreshColumn = { table: 'public.social_media_accounts', column: 'refresh_token_sealed' };
const pendingColumn = { table: 'public.social_pending_connections', column: 'access_token_sealed' };
for (const column of [accessColumn, refreshColumn, pendingColumn]) declareSealedColumn(column);

interface HeldToken {
  sealed: string;
}

/**
 * The tokens at rest: sealed and opened here and nowhere else, for the length of a call; no route ever answers one.
 *
 * Calls to Meta stand between transactions: whoever calls `withToken` holds no connection.
 */
@Injectable()
export class SocialTokens {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly vault: Vault,
    private readonly lapses: AccountLapses,
  ) {}

  /**
   * Makes calls with the token of an active account. When Meta does not take the token any more, the account has
   * expired: its posts wait and its owners hear of it, once, before the failure goes on to the caller.
   *
   * @throws AccountNotConnected for an account that is not active, or whose token does not open
   * @throws MetaFailure of the work
   */
  async withToken<T>(accountId: string, work: (token: string) => Promise<T>): Promise<T> {
    const held = await this.transactions.runAs({ service: 'check social accounts' }, () =>
      this.database.first<HeldToken>(readActive, [accountId]),
    );
    const token = held && (await this.readPage(accountId, held.sealed));
    if (!held || token === undefined) throw new AccountNotConnected();
    try {
      return await work(token);
    } catch (error) {
      if (error instanceof MetaFailure) await this.noteFailure(accountId, held.sealed, error);
      throw error;
    }
  }

  sealPage(accountId: string, token: string): string {
    return this.vault.seal(token, { ...accessColumn, rowId: accountId });
  }

  /**
   * Undefined for one that does not open, which is noted: a lost key says nothing of the consent, and must not stand in
   * the way of the other accounts either.
   */
  async readPage(accountId: string, sealed: string): Promise<string | undefined> {
    try {
      return this.vault.open(sealed, { ...accessColumn, rowId: accountId });
    } catch (error) {
      if (!(error instanceof SealBroken)) throw error;
      await this.transactions.runAs({ service: 'check social accounts' }, () =>
        this.database.query(noteUnreadable, [accountId, sealed]),
      );
      return undefined;
    }
  }

  /** Of the person who consented. */
  sealPerson(accountId: string, token: string): string {
    return this.vault.seal(token, { ...refreshColumn, rowId: accountId });
  }

  /** @throws MetaFailure `token-invalid` for one that does not open: nothing but a new consent helps then, either */
  openPerson(accountId: string, sealed: string): string {
    try {
      return this.vault.open(sealed, { ...refreshColumn, rowId: accountId });
    } catch (error) {
      throw error instanceof SealBroken ? new MetaFailure('token-invalid') : error;
    }
  }

  sealPending(pendingId: string, token: string): string {
    return this.vault.seal(token, { ...pendingColumn, rowId: pendingId });
  }

  openPending(pendingId: string, sealed: string): string {
    return this.vault.open(sealed, { ...pendingColumn, rowId: pendingId });
  }

  private async noteFailure(accountId: string, sealed: string, { kind }: MetaFailure): Promise<void> {
    if (kind === 'token-invalid') await this.lapses.expire(accountId, sealed);
    if (kind === 'permission-missing') await this.lapses.doubt(accountId);
  }
}

const readActive = `
  SELECT access_token_sealed AS sealed FROM public.social_media_accounts WHERE id = $1 AND status = 'active'`;

/** Unless somebody has connected it anew meanwhile: what does not open was the token of before. */
const noteUnreadable = `
  UPDATE public.social_media_accounts
     SET health = 'error', health_checked_at = now(), error_message = 'Its tokens do not open here. Connect it again.'
   WHERE id = $1 AND access_token_sealed = $2`;
