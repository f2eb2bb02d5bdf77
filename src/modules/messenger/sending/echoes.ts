import { Inject, Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { type Attachment, MessageTexts, type SealedContent } from '../conversations/message-texts.js';
import { matching, type Unsettled } from './echo-matching.js';

/** What Meta tells of a message that left the page or account, whoever wrote it. */
export interface Echo {
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  /** Meta's id of the message. */
  mid: string;
  /** What we gave along: the message's own id. Null where Meta does not give it back, and of what others wrote. */
  metadata: string | null;
  /** The app that sent it, where Meta says so. */
  appId: string | null;
  text: string | null;
  attachments: Attachment[];
  /** The platform's time. */
  at: Date;
}

interface UnsettledRow extends SealedContent {
  conversationId: string;
  sendStartedAt: Date;
}

/** Settles from echoes what became of messages whose answer was lost, and keeps what was written in Meta's own inbox. */
@Injectable()
export class Echoes {
  constructor(
    private readonly database: Database,
    private readonly texts: MessageTexts,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** In the transaction of the batch that they came in, as the service. None of them is ever answered. */
  async settle(echoes: readonly Echo[]): Promise<void> {
    if (echoes.length === 0) return;
    // Who records the answer of a call waits for the same rows: an echo comes before it or after it, never in between.
    await this.database.query(lockConversations, [conversationsOf(echoes)]);
    const unnamed = await this.settleNamed(await this.unknown(echoes));
    await this.insert(await this.settleAlike(unnamed));
    await this.database.query(noteTimes, [
      echoes.map(({ conversationId }) => conversationId),
      echoes.map(({ at }) => at),
    ]);
  }

  /** Without those of messages whose answer has come, which is nearly all; they get the platform's time. Each once. */
  private async unknown(echoes: readonly Echo[]): Promise<Echo[]> {
    const byMid = new Map(echoes.map((echo) => [keyOf(echo), echo]));
    const told = [...byMid.values()];
    const known = await this.database.query<Pick<Echo, 'channel' | 'mid'>>(dateKnown, [
      told.map(({ conversationId }) => conversationId),
      told.map(({ channel }) => channel),
      told.map(({ mid }) => mid),
      told.map(({ at }) => at),
    ]);
    for (const each of known) byMid.delete(keyOf(each));
    return [...byMid.values()];
  }

  /** Those that name their message. @returns the others */
  private async settleNamed(echoes: readonly Echo[]): Promise<Echo[]> {
    const named = echoes.filter(({ metadata }) => metadata !== null && uuid.test(metadata));
    const settled = await this.mark(named.map((echo) => ({ echo, messageId: echo.metadata ?? '' })));
    return echoes.filter(({ mid }) => !settled.has(mid));
  }

  /** Those that say what one of ours says. @returns the others */
  private async settleAlike(echoes: readonly Echo[]): Promise<Echo[]> {
    const ours = echoes.filter(({ appId }) => appId === null || appId === this.config.meta.appId);
    const unsettled = ours.length === 0 ? [] : await this.unsettled(conversationsOf(ours));
    const found: { echo: Echo; messageId: string }[] = [];
    for (const echo of ours.toSorted((a, b) => a.at.getTime() - b.at.getTime())) {
      const told = { at: echo.at, text: echo.text, attachmentTypes: echo.attachments.map(({ type }) => type) };
      const open = unsettled.filter(({ conversationId }) => conversationId === echo.conversationId);
      const match = matching(told, open);
      if (!match) continue;
      found.push({ echo, messageId: match.id });
      unsettled.splice(
        unsettled.findIndex(({ id }) => id === match.id),
        1,
      );
    }
    const settled = await this.mark(found);
    return echoes.filter(({ mid }) => !settled.has(mid));
  }

  private async unsettled(conversationIds: string[]): Promise<(Unsettled & { conversationId: string })[]> {
    const rows = await this.database.query<UnsettledRow>(findUnsettled, [conversationIds]);
    return rows.map((row) => {
      const { text, attachments } = this.texts.openRow(row);
      const attachmentTypes = attachments.map(({ type }) => type);
      const { id, conversationId, sendStartedAt: startedAt } = row;
      return { id, conversationId, startedAt, text, attachmentTypes };
    });
  }

  private async mark(found: readonly { echo: Echo; messageId: string }[]): Promise<Set<string>> {
    if (found.length === 0) return new Set();
    const settled = await this.database.query<{ mid: string }>(markSettled, [
      found.map(({ messageId }) => messageId),
      found.map(({ echo }) => echo.conversationId),
      found.map(({ echo }) => echo.mid),
      found.map(({ echo }) => echo.at),
    ]);
    return new Set(settled.map(({ mid }) => mid));
  }

  /** Written in Meta's own inbox, or by another app. */
  private async insert(echoes: readonly Echo[]): Promise<void> {
    if (echoes.length === 0) return;
    const ids = echoes.map(() => uuidv7());
    const idOf = (index: number): string => ids[index] ?? '';
    await this.database.query(insertWritten, [
      ids,
      echoes.map(({ ownerId }) => ownerId),
      echoes.map(({ conversationId }) => conversationId),
      echoes.map(({ channel }) => channel),
      echoes.map(({ mid }) => mid),
      echoes.map(({ text }, index) => (text === null ? null : this.texts.seal(idOf(index), text))),
      echoes.map(({ attachments }, index) =>
        attachments.length === 0 ? null : this.texts.sealAttachments(idOf(index), attachments),
      ),
      echoes.map(({ at }) => at),
    ]);
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const keyOf = ({ channel, mid }: Pick<Echo, 'channel' | 'mid'>): string => `${channel} ${mid}`;
const conversationsOf = (echoes: readonly Echo[]): string[] => [
  ...new Set(echoes.map(({ conversationId }) => conversationId)),
];

const lockConversations = `
  SELECT FROM public.conversations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`;

const dateKnown = `
  WITH told AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS echo (conversation_id, channel, mid, at)),
  dated AS (
    UPDATE public.messages m SET platform_timestamp = told.at
      FROM told
     WHERE m.channel = told.channel AND m.platform_message_id = told.mid AND m.conversation_id = told.conversation_id
       AND m.direction = 'out' AND m.platform_timestamp <> told.at)
  SELECT m.channel, m.platform_message_id AS mid
    FROM told JOIN public.messages m ON m.channel = told.channel AND m.platform_message_id = told.mid`;

/** Begun, and without an answer: on their way, in doubt, or given up. */
const findUnsettled = `
  SELECT id, conversation_id, send_started_at, text_sealed, attachments_sealed FROM public.messages
   WHERE conversation_id = ANY ($1::uuid[]) AND direction = 'out' AND platform_message_id IS NULL
     AND send_started_at > now() - interval '7 days'
     AND (status = 'pending' OR status = 'failed' AND error_code = 'outcome-unknown')`;

const markSettled = `
  UPDATE public.messages m
     SET status = 'sent', platform_message_id = echo.mid, platform_timestamp = echo.at, error_code = NULL,
         next_attempt_at = NULL, doubted_at = NULL
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS echo (message_id, conversation_id, mid, at)
   WHERE m.id = echo.message_id AND m.conversation_id = echo.conversation_id AND m.direction = 'out'
     AND m.platform_message_id IS NULL AND m.status IN ('pending', 'failed')
  RETURNING echo.mid`;

const insertWritten = `
  INSERT INTO public.messages
    (id, owner_id, conversation_id, channel, direction, status, platform_message_id, text_sealed, attachments_sealed,
     platform_timestamp)
  SELECT id, owner_id, conversation_id, channel, 'out', 'sent', mid, text_sealed, attachments_sealed, at
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
         AS echo (id, owner_id, conversation_id, channel, mid, text_sealed, attachments_sealed, at)
  ON CONFLICT (channel, platform_message_id) DO NOTHING`;

const noteTimes = `
  UPDATE public.conversations c SET last_message_at = echo.at
    FROM (SELECT conversation_id, max(at) AS at FROM unnest($1::uuid[], $2::timestamptz[]) AS told (conversation_id, at)
           GROUP BY conversation_id) echo
   WHERE c.id = echo.conversation_id AND (c.last_message_at IS NULL OR c.last_message_at < echo.at)`;
