import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { Vault } from '../../../kernel/secrets/vault.js';
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
   * @throws AccountNotConnected for an account that is not active
   * @throws MetaFailure of the work
   */
  async withToken<T>(accountId: string, work: (token: string) => Promise<T>): Promise<T> {
    const held = await this.transactions.runAs({ service: 'check social accounts' }, () =>
      this.database.first<HeldToken>(readActive, [accountId]),
    );
    if (!held) throw new AccountNotConnected();
    try {
      return await work(this.openPage(accountId, held.sealed));
    } catch (error) {
      if (error instanceof MetaFailure) await this.noteFailure(accountId, held.sealed, error);
      throw error;
    }
  }

  sealPage(accountId: string, token: string): string {
    return this.vault.seal(token, { ...accessColumn, rowId: accountId });
  }

  openPage(accountId: string, sealed: string): string {
    return this.vault.open(sealed, { ...accessColumn, rowId: accountId });
  }

  /** Of the person who consented. */
  sealPerson(accountId: string, token: string): string {
    return this.vault.seal(token, { ...refreshColumn, rowId: accountId });
  }

  openPerson(accountId: string, sealed: string): string {
    return this.vault.open(sealed, { ...refreshColumn, rowId: accountId });
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
