import { Injectable } from '@nestjs/common';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { type Connected, ConnectedPages } from './connected-pages.js';
import { ConsentWithdrawal } from './consent-withdrawal.js';
import { Left, leaveJob } from './leaving.js';
import { PageSubscriptions, unlessGone } from './page-subscriptions.js';

/** Tells Meta what nobody is connected to any more, in the app's own name, and as often as it takes. */
@Injectable()
export class LeavingJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly login: MetaLogin,
    private readonly pages: ConnectedPages,
    private readonly subscriptions: PageSubscriptions,
    private readonly withdrawal: ConsentWithdrawal,
  ) {}

  /**
   * Not while somebody is connected to it again. That may happen while Meta is told, and what Meta did not answer in time
   * it may carry out later: whoever is connected in the end is subscribed once more.
   */
  @JobHandler(leaveJob, { payload: Left, maxAttempts: 12 })
  async leave(left: Left): Promise<void> {
    const { pageId, accountId } = left;
    if (accountId && !(await this.find('instagram', accountId))) await this.subscriptions.end(accountId);
    if (!(await this.find('page', pageId))) await this.subscriptions.end(pageId);
    for (const connected of [accountId && (await this.find('instagram', accountId)), await this.find('page', pageId)])
      if (connected) await unlessGone(() => this.subscribe(connected));
    await this.withdrawal.withdraw(left);
  }

  private subscribe(connected: Connected): Promise<void> {
    return this.pages.withToken(connected, async ({ token, channel, pageId, facebookPageId }) => {
      if (channel === 'messenger') return this.subscriptions.ofPage(token, facebookPageId);
      const { scopes } = await this.login.inspect(token);
      await this.subscriptions.ofAccount(token, facebookPageId, pageId, scopes);
    });
  }

  private async find(object: 'page' | 'instagram', id: string): Promise<Connected | undefined> {
    const find = () => this.pages.byEntry(object, [id]);
    return (await this.transactions.runAs({ service: 'connect Messenger' }, find)).get(id);
  }
}
