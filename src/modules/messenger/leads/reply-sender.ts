import { Injectable } from '@nestjs/common';
import { MetaComments } from '../../../integrations/meta/meta-comments.js';
import { MetaMessaging } from '../../../integrations/meta/meta-messaging.js';
import { ConnectedPages, type ConnectedPlace } from '../connections/connected-pages.js';
import { lookLater, outcomeOfFailure, outcomeOfLooking } from './reply-outcome.js';
import { ReplyStore } from './reply-store.js';
import type { ReplyOutcome, ReplyTask } from './reply-task.js';
import { SentReplies } from './sent-replies.js';

/**
 * Sends a reply, by one call that is made once. What became of a call without an answer is looked for where it would
 * stand; where it cannot be found the reply ends as `outcome-unknown`, and is never sent again by itself.
 */
@Injectable()
export class ReplySender {
  constructor(
    private readonly pages: ConnectedPages,
    private readonly messaging: MetaMessaging,
    private readonly comments: MetaComments,
    private readonly store: ReplyStore,
    private readonly sent: SentReplies,
  ) {}

  /** Undefined when another worker has begun to send it: that one concludes it. */
  async send(task: ReplyTask): Promise<ReplyOutcome | undefined> {
    if (task.startedAt) return this.look(task);
    if (task.text === null) return { kind: 'failed', code: 'meta-refused' };
    try {
      const platformId = await this.call(task, task.text);
      if (platformId === undefined) return undefined;
      return { kind: 'sent', platformId };
    } catch (error) {
      return outcomeOfFailure(task, error);
    }
  }

  private call(task: ReplyTask, text: string): Promise<string | undefined> {
    return this.pages.withToken(placeOf(task), async ({ token, facebookPageId }) => {
      if (!(await this.store.begin(task))) return undefined;
      if (task.kind === 'public') return (await this.comments.reply(token, task.commentId, text)).id;
      const { messageId } = await this.messaging.send(token, {
        ...{ pageId: facebookPageId, channel: 'instagram' },
        ...{ recipient: { commentId: task.commentId }, content: { text }, metadata: task.id },
      });
      return messageId;
    });
  }

  private async look(task: ReplyTask): Promise<ReplyOutcome> {
    try {
      const platformId = await this.find(task);
      return platformId === undefined ? lookLater(task) : { kind: 'sent', platformId };
    } catch (error) {
      return outcomeOfLooking(task, error);
    }
  }

  private find(task: ReplyTask): Promise<string | undefined> {
    if (task.kind === 'private') return this.sent.messageOf(task);
    return this.pages.withToken(placeOf(task), async ({ token }) =>
      this.sent.commentOf(task, await this.comments.replies(token, task.commentId)),
    );
  }
}

export function placeOf({ ownerId, pageId }: ReplyTask): ConnectedPlace {
  return { ownerId, channel: 'instagram', pageId };
}
