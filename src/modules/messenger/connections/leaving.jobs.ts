import { Injectable } from '@nestjs/common';
import { MetaDataHolders } from '../../../integrations/meta/meta-data-holders.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { type Connected, ConnectedPages } from './connected-pages.js';
import { Left, leaveJob } from './leaving.js';
import { PageSubscriptions, unlessGone } from './page-subscriptions.js';
import { askedScopes } from './purposes.js';

/** Tells Meta what nobody is connected to any more, in the app's own name, and as often as it takes. */
@Injectable()
export class LeavingJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly pages: ConnectedPages,
    private readonly subscriptions: PageSubscriptions,
    private readonly login: MetaLogin,
    private readonly holders: MetaDataHolders,
  ) {}

  /** Not while somebody is connected to the page again, nor while anything else hangs on the same consent. */
  @JobHandler(leaveJob, { payload: Left, maxAttempts: 12 })
  async leave({ pageId, accountId, facebookUserId }: Left): Promise<void> {
    if (accountId && !(await this.find('instagram', accountId))) await this.subscriptions.end(accountId);
    await this.leavePage(pageId);
    if (facebookUserId && !(await this.holders.isNeeded(facebookUserId))) await this.withdraw(facebookUserId);
  }

  /**
   * Somebody may connect the page again while Meta is told, and what Meta did not answer in time it may carry out later:
   * whoever is connected in the end is subscribed once more.
   */
  private async leavePage(pageId: string): Promise<void> {
    if (!(await this.find('page', pageId))) await this.subscriptions.end(pageId);
    const connected = await this.find('page', pageId);
    if (!connected) return;
    const subscribe = () =>
      this.pages.withToken(connected, ({ token }) => this.subscriptions.ofPage(token, connected.pageId));
    await unlessGone(subscribe);
  }

  private async find(object: 'page' | 'instagram', id: string): Promise<Connected | undefined> {
    const find = () => this.pages.byEntry(object, [id]);
    return (await this.transactions.runAs({ service: 'connect Messenger' }, find)).get(id);
  }

  private async withdraw(facebookUserId: string): Promise<void> {
    for (const scope of askedScopes.instagram) await unlessGone(() => this.login.withdraw(facebookUserId, scope));
  }
}
