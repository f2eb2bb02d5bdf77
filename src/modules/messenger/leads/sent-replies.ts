import { Injectable } from '@nestjs/common';
import type { CommentReply } from '../../../integrations/meta/meta-comments.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { MessageTexts, type SealedContent } from '../conversations/message-texts.js';
import type { ReplyTask } from './reply-task.js';

/** Clocks differ, and Meta's times have no fractions. */
const slackMs = 120_000;

type EchoRow = SealedContent & { platformMessageId: string };

/** Finds a reply that got no answer among what stands at Meta: one's own words cannot be marked there. */
@Injectable()
export class SentReplies {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly texts: MessageTexts,
  ) {}

  /** Below the comment, by the account, since it was sent, of the same words. */
  commentOf(task: ReplyTask, replies: readonly CommentReply[]): string | undefined {
    const since = sinceOf(task);
    const isOurs = ({ username }: CommentReply) =>
      !username || !task.username || username.toLowerCase() === task.username.toLowerCase();
    return replies.find(
      (reply) => isSame(reply.text, task.text) && isOurs(reply) && (reply.createdAt ?? since) >= since,
    )?.id;
  }

  /** The echo of a private reply: Meta tells of what was sent, and the inbox has kept it. */
  async messageOf(task: ReplyTask): Promise<string | undefined> {
    const values = [task.ownerId, task.pageId, task.commenterId, sinceOf(task)];
    const rows = await this.transactions.runAs({ service: 'reply to comments' }, () =>
      this.database.query<EchoRow>(findEchoes, values),
    );
    return rows.find((row) => isSame(this.texts.openRow(row).text, task.text))?.platformMessageId;
  }
}

const sinceOf = ({ startedAt }: ReplyTask): Date => new Date((startedAt?.getTime() ?? 0) - slackMs);

const isSame = (one: string | null, other: string | null): boolean =>
  one !== null && other !== null && one.trim() === other.trim();

/** What went out to that person, except what is a conversation's own message and was sent as such. */
const findEchoes = `
  SELECT m.id, m.platform_message_id, m.text_sealed, m.attachments_sealed
    FROM public.conversations c JOIN public.messages m ON m.owner_id = c.owner_id AND m.conversation_id = c.id
   WHERE c.owner_id = $1 AND c.channel = 'instagram' AND c.page_id = $2 AND c.participant_id = $3
     AND m.direction = 'out' AND m.sent_by IS NULL AND m.platform_message_id IS NOT NULL AND m.platform_timestamp >= $4
   ORDER BY m.platform_timestamp LIMIT 50`;
