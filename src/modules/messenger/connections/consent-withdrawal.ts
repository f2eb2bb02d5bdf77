import { Injectable } from '@nestjs/common';
import { MetaConsents } from '../../../integrations/meta/meta-consents.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { Authorizations } from './authorizations.js';
import { Leaving, type Left } from './leaving.js';

/** Takes back at Meta what was allowed, once nothing hangs on it. */
@Injectable()
export class ConsentWithdrawal {
  constructor(
    private readonly transactions: Transactions,
    private readonly authorizations: Authorizations,
    private readonly consents: MetaConsents,
    private readonly leaving: Leaving,
  ) {}

  /**
   * Whoever let go of a page and is at Meta's dialog right now, or has yet to choose, may be giving the consent anew: that
   * is waited for, and looked at once more when its time is over.
   */
  async withdraw(left: Left): Promise<void> {
    const { facebookUserId, ownerId } = left;
    if (!facebookUserId) return;
    const until = ownerId ? await this.authorizations.underWayUntil(ownerId) : null;
    if (until) return this.transactions.runAs({ service: 'connect Messenger' }, () => this.leaving.later(left, until));
    // After that: whoever is not on the way any more may have arrived.
    await this.consents.withdraw(facebookUserId);
  }
}
