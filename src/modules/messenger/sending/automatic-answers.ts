import { Injectable } from '@nestjs/common';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { type AnswerRules, type AutomaticAnswer, automaticAnswer } from './automatic-answer.js';
import { OutgoingMessages } from './outgoing-messages.js';

/** A conversation in which a customer has just written. */
export interface IncomingMessage {
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  /** When they wrote, by the platform's time. */
  at: Date;
}

interface Chosen {
  message: IncomingMessage;
  answer: AutomaticAnswer;
}

/** Welcomes, and says that nobody is there: each at most once a day in a conversation. */
@Injectable()
export class AutomaticAnswers {
  constructor(
    private readonly database: Database,
    private readonly outgoing: OutgoingMessages,
  ) {}

  /**
   * In the transaction of the batch that they came in: a customer's own new messages alone, and none that is older than an
   * hour. Echoes are never told of here, or the page would talk with itself.
   */
  async incoming(messages: readonly IncomingMessage[]): Promise<void> {
    const chosen = await this.choose(messages);
    const due = new Set([...(await this.mark('welcome', chosen)), ...(await this.mark('away', chosen))]);
    for (const { message, answer } of chosen) {
      const { conversationId, ownerId, channel } = message;
      if (!due.delete(conversationId)) continue;
      await this.outgoing.queue({ conversationId, ownerId, channel, text: answer.text, sentBy: 'automation' });
    }
  }

  /** What the doctor who answers there wants to be said; owners without such settings say nothing by themselves. */
  private async choose(messages: readonly IncomingMessage[]): Promise<Chosen[]> {
    const ids = messages.map(({ conversationId }) => conversationId);
    const found = await this.database.query<AnswerRules & { conversationId: string }>(findRules, [ids]);
    const rulesOf = new Map(found.map((rules) => [rules.conversationId, rules]));
    return messages.flatMap((message) => {
      const rules = rulesOf.get(message.conversationId);
      const answer = rules && automaticAnswer(rules, message.at);
      return answer ? [{ message, answer }] : [];
    });
  }

  /** Written down before it is said, so that of two who would say it one does. @returns where it is to be said */
  private async mark(kind: AutomaticAnswer['kind'], chosen: readonly Chosen[]): Promise<string[]> {
    const ofKind = chosen.filter(({ answer }) => answer.kind === kind);
    if (ofKind.length === 0) return [];
    const marked = await this.database.query<{ id: string }>(kind === 'welcome' ? markWelcomed : markAway, [
      ofKind.map(({ message }) => message.conversationId),
      ofKind.map(({ answer }) => answer.day),
    ]);
    return marked.map(({ id }) => id);
  }
}

/** Whether answers are paused says what people write to: a page its connection, what hangs on an account the doctor. */
const findRules = `
  SELECT c.id AS conversation_id, s.time_zone, s.business_hours, s.welcome_message, s.away_message,
         coalesce(m.is_paused, s.instagram_receptionist_paused) AS is_paused,
         CASE WHEN m.is_paused IS NULL THEN s.instagram_receptionist_pause_message END AS pause_message,
         c.welcomed_on::text AS welcomed_on, c.away_on::text AS away_on
    FROM public.conversations c
    JOIN public.doctor_settings s ON s.doctor_id = c.owner_id
    LEFT JOIN public.messenger_connections m
           ON c.channel = 'messenger' AND m.owner_id = c.owner_id AND m.page_id = c.page_id AND m.is_active
   WHERE c.id = ANY ($1::uuid[])
     AND coalesce(s.welcome_message, s.away_message, s.instagram_receptionist_pause_message) IS NOT NULL`;

const marking = (column: string): string => `
  UPDATE public.conversations c SET ${column} = said.day
    FROM unnest($1::uuid[], $2::date[]) AS said (id, day)
   WHERE c.id = said.id AND (c.${column} IS NULL OR c.${column} < said.day)
  RETURNING c.id`;

const markWelcomed = marking('welcomed_on');
const markAway = marking('away_on');
