import { Injectable } from '@nestjs/common';
import { MetaDataHolders } from '../../../integrations/meta/meta-data-holders.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { Authorizations } from './authorizations.js';
import { Leaving, type Left } from './leaving.js';
import { unlessGone } from './page-subscriptions.js';
import { askedScopes } from './purposes.js';

/** Takes back at Meta what was allowed for messages, in the app's own name: no token of the person is left. */
@Injectable()
export class ConsentWithdrawal {
  constructor(
    private readonly transactions: Transactions,
    private readonly authorizations: Authorizations,
    private readonly login: MetaLogin,
    private readonly holders: MetaDataHolders,
    private readonly leaving: Leaving,
  ) {}

  /**
   * Not while anything else, here or in another module, hangs on the same consent. Whoever let go of a page and is at
   * Meta's dialog right now may be giving it anew: that is waited for. What the log-in needs stays.
   */
  async withdraw(left: Left): Promise<void> {
    const { facebookUserId, ownerId } = left;
    if (!facebookUserId || (await this.holders.isNeeded(facebookUserId))) return;
    const until = ownerId ? await this.authorizations.underWayUntil(ownerId) : null;
    if (until) return this.transactions.runAs({ service: 'connect Messenger' }, () => this.leaving.later(left, until));
    for (const scope of askedScopes.instagram) await unlessGone(() => this.login.withdraw(facebookUserId, scope));
  }
}
