import { Injectable } from '@nestjs/common';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { NotConnected } from '../messenger.errors.js';
import { type Connected, ConnectedPages } from './connected-pages.js';
import { ConsentWithdrawal } from './consent-withdrawal.js';
import { Left, leaveJob } from './leaving.js';
import { PageSubscriptions, unlessGone } from './page-subscriptions.js';

/** Tells Meta what nobody is connected to any more, in the app's own name, and as often as it takes. */
@Injectable()
export class LeavingJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly pages: ConnectedPages,
    private readonly login: MetaLogin,
    private readonly subscriptions: PageSubscriptions,
    private readonly withdrawal: ConsentWithdrawal,
  ) {}

  @JobHandler(leaveJob, { payload: Left, maxAttempts: 12 })
  async leave(left: Left): Promise<void> {
    const { pageId, accountId } = left;
    if (accountId) await this.leaveOne('instagram', accountId);
    await this.leaveOne('page', pageId);
    await this.withdrawal.withdraw(left);
  }

  /**
   * Not while somebody is connected to it again. That may change while Meta is told, and what Meta did not answer in time
   * it may carry out later: it is told until it has heard how things stand in the end.
   */
  private async leaveOne(object: 'page' | 'instagram', id: string): Promise<void> {
    let connected: Connected | undefined;
    do {
      connected = await this.find(object, id);
      if (connected) await this.subscribe(connected);
      else await this.subscriptions.end(id);
    } while ((connected === undefined) !== ((await this.find(object, id)) === undefined));
  }

  private async subscribe(place: Connected): Promise<void> {
    const call = () =>
      this.pages.withToken(place, async ({ token, channel, pageId, facebookPageId }) => {
        if (channel === 'messenger') return this.subscriptions.ofPage(token, pageId);
        const { scopes } = await this.login.inspect(token);
        return this.subscriptions.ofAccount(token, facebookPageId, pageId, scopes);
      });
    try {
      await unlessGone(call);
    } catch (error) {
      // Let go of since it was found.
      if (!(error instanceof NotConnected)) throw error;
    }
  }

  private async find(object: 'page' | 'instagram', id: string): Promise<Connected | undefined> {
    const find = () => this.pages.byEntry(object, [id]);
    return (await this.transactions.runAs({ service: 'connect Messenger' }, find)).get(id);
  }
}
