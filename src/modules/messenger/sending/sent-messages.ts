import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { MessageTexts } from '../conversations/message-texts.js';
import { Echoes } from './echoes.js';
import { keepAnswer } from './keep-answer.js';
import { SendingStore } from './sending-store.js';
import type { SendingTask } from './sending-task.js';

interface Involved {
  id: string;
  isOwn: boolean;
  sentBy: string | null;
  status: string;
  platformMessageId: string | null;
  platformTimestamp: Date;
}

/**
 * Records what Meta answered to the call that sends. Its echo may have come first, and where it names no message it may
 * have been taken for another one: what Meta answered is certain, and puts that right.
 */
@Injectable()
export class SentMessages {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly texts: MessageTexts,
    private readonly echoes: Echoes,
    private readonly store: SendingStore,
  ) {}

  record(task: SendingTask, messageId: string): Promise<void> {
    return keepAnswer(() => this.transactions.runAs({ service: 'send messages' }, () => this.keep(task, messageId)));
  }

  private async keep(task: SendingTask, messageId: string): Promise<void> {
    const { id, conversationId, channel } = task;
    // The row is what echoes of the conversation wait for, too: from here on nothing moves.
    await this.database.query(lockConversation, [conversationId]);
    const involved = await this.database.query<Involved>(findInvolved, [id, channel, messageId]);
    const own = involved.find(({ isOwn }) => isOwn);
    const isFree = await this.free(involved.find(({ isOwn, platformMessageId }) => !isOwn && platformMessageId));
    if (isFree) await this.database.query(markSent, [id, messageId]);
    else await this.database.query(doubt, [id]);
    if (own?.platformMessageId && own.platformMessageId !== messageId) await this.returnEcho(task, own);
    await this.store.comeBack(conversationId);
  }

  /** Takes Meta's id from the row that an echo gave it to. */
  private async free(holder: Involved | undefined): Promise<boolean> {
    if (!holder) return true;
    if (holder.sentBy === null) await this.database.query(removeTaken, [holder.id]);
    else if (holder.status === 'sent') await this.database.query(unsettle, [holder.id]);
    // Somebody has read what says the same: that stays true of one of the two.
    else return false;
    return true;
  }

  /** The echo that this message was settled with is another one's. */
  private async returnEcho(task: SendingTask, { platformMessageId, platformTimestamp }: Involved): Promise<void> {
    const { text, attachments } = this.texts.openRow(task);
    const { conversationId, ownerId, channel } = task;
    const of = { conversationId, ownerId, channel, mid: platformMessageId ?? '', metadata: null, appId: null };
    await this.echoes.settle([{ ...of, text, attachments, at: platformTimestamp }]);
  }
}

const lockConversation = `
  UPDATE public.conversations SET last_message_at = greatest(last_message_at, clock_timestamp()) WHERE id = $1`;

const findInvolved = `
  SELECT id, id = $1 AS is_own, sent_by, status, platform_message_id, platform_timestamp FROM public.messages
   WHERE id = $1 OR channel = $2 AND platform_message_id = $3`;

/** A receipt may have come before the answer: what is delivered or read stays so. When Meta took it its echo tells. */
const markSent = `
  UPDATE public.messages
     SET status = CASE WHEN status IN ('pending', 'failed') THEN 'sent' ELSE status END, platform_message_id = $2,
         platform_timestamp = CASE WHEN platform_message_id = $2 THEN platform_timestamp ELSE clock_timestamp() END,
         error_code = NULL, next_attempt_at = NULL, doubted_at = NULL
   WHERE id = $1`;

const doubt = `
  UPDATE public.messages SET doubted_at = coalesce(doubted_at, clock_timestamp()), next_attempt_at = NULL
   WHERE id = $1 AND status = 'pending'`;

const removeTaken = `DELETE FROM public.messages WHERE id = $1 AND direction = 'out' AND sent_by IS NULL`;

const unsettle = `
  UPDATE public.messages SET status = 'failed', error_code = 'outcome-unknown', platform_message_id = NULL
   WHERE id = $1 AND status = 'sent'`;
