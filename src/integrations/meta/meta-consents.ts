import type { MetaDataHolders } from './meta-data-holders.js';
import { MetaFailure } from './meta-failure.js';
import type { MetaLogin } from './meta-login.js';

/** What Meta answers when there is nothing left to take back: the person has removed the app, or is no more. */
const nothingLeft = ['not-found', 'refused', 'permission-missing', 'token-invalid', 'not-configured'];

/** What people allowed this app at Meta, beside logging in. */
export class MetaConsents {
  constructor(
    private readonly login: MetaLogin,
    private readonly holders: MetaDataHolders,
  ) {}

  /**
   * Takes back all that any module asks for, in the app's own name: no token of the person need be left. Whoever lets go
   * last takes back what those before had to leave. Nothing happens as long as anything here hangs on it; what the log-in
   * needs stays.
   */
  async withdraw(facebookUserId: string): Promise<void> {
    if (await this.holders.isNeeded(facebookUserId)) return;
    for (const scope of this.holders.scopes) await this.withdrawScope(facebookUserId, scope);
  }

  private async withdrawScope(facebookUserId: string, scope: string): Promise<void> {
    try {
      await this.login.withdraw(facebookUserId, scope);
    } catch (error) {
      if (!(error instanceof MetaFailure) || !nothingLeft.includes(error.kind)) throw error;
    }
  }
}
