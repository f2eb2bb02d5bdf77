import { Injectable } from '@nestjs/common';
import { SubscriptionFailed } from '../../../integrations/meta/consent.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaPages } from '../../../integrations/meta/meta-pages.js';
import { accountFields, pageFields } from './purposes.js';

/** Lets Meta tell us of a page, and makes sure that it does: what it merely says it did is read back. */
@Injectable()
export class PageSubscriptions {
  constructor(private readonly pages: MetaPages) {}

  /** @throws SubscriptionFailed when a field is not there although Meta took it; MetaFailure */
  ofPage(pageToken: string, pageId: string): Promise<void> {
    return this.subscribe(pageToken, pageId, pageFields);
  }

  /**
   * Of an account, what its page is subscribed to opens the way for whatever the app's dashboard names. Where Graph takes
   * the account's own fields, they are set and read back, too; where it knows no such edge, that is all there is.
   */
  async ofAccount(pageToken: string, pageId: string, accountId: string, scopes: readonly string[]): Promise<void> {
    await this.ofPage(pageToken, pageId);
    try {
      await this.subscribe(pageToken, accountId, accountFields(scopes));
    } catch (error) {
      if (!(error instanceof MetaFailure) || !notTaken.includes(error.kind)) throw error;
    }
  }

  /** Of a page or an account, in the app's own name: no token is left by then. */
  async end(id: string): Promise<void> {
    await unlessGone(() => this.pages.unsubscribeAsApp(id));
  }

  private async subscribe(token: string, id: string, fields: readonly string[]): Promise<void> {
    await this.pages.subscribe(token, id, fields);
    const subscribed = await this.pages.subscribedFields(token, id);
    const missing = fields.filter((field) => !subscribed.includes(field));
    if (missing.length > 0) throw new SubscriptionFailed(`Not subscribed: ${missing.join(', ')}.`);
  }
}

/** What Meta answers where there is no such edge or object, or where it is none of ours. */
const notTaken: readonly string[] = ['refused', 'not-found', 'permission-missing'];
/** What it answers when there is nothing left to take back, or nobody in whose name it could be. */
const nothingLeft: readonly string[] = [...notTaken, 'token-invalid', 'not-configured'];

/** Takes something back at Meta, where it is still there. */
export async function unlessGone(takeBack: () => Promise<void>): Promise<void> {
  try {
    await takeBack();
  } catch (error) {
    if (!(error instanceof MetaFailure) || !nothingLeft.includes(error.kind)) throw error;
  }
}
