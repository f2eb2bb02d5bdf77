import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Placed } from './inbox-conversations.js';

type Change = Placed<'deletion' | 'reaction'>;
type Receipt = Placed<'delivery' | 'read'>;

interface Missing {
  channel: string;
  mid: string;
}

/**
 * What befalls messages: they are taken back, reacted to, delivered, read. In the transaction of a batch, as the service.
 *
 * All of it comes in any order and more than once. The latest by the platform's time counts, and no message goes back to
 * a status that it has left.
 */
@Injectable()
export class MessageChanges {
  constructor(private readonly database: Database) {}

  /**
   * @param events in the order of the platform's time
   * @returns ids of the events that tell of a message which is not there
   */
  async apply(events: readonly Placed[]): Promise<string[]> {
    const deletions = events.filter((event) => event.kind === 'deletion');
    const reactions = events.filter((event) => event.kind === 'reaction');
    const receipts = events.filter((event) => event.kind === 'delivery' || event.kind === 'read');
    return [
      ...(await this.change(deleteMessages, deletions)),
      ...(await this.change(react, reactions)),
      ...(await this.receive(receipts)),
    ];
  }

  private async change(statement: string, events: readonly Change[]): Promise<string[]> {
    if (events.length === 0) return [];
    // An UPDATE takes one of several that change the same row, and any of them.
    const last = [...new Map(events.map((event) => [keyOf(event), event])).values()];
    const values = <Value>(of: (event: Change) => Value) => last.map(of);
    const missing = await this.database.query<Missing>(statement, [
      values(({ conversationId }) => conversationId),
      values(({ party }) => party.connected.channel),
      values(({ mid }) => mid),
      values(({ at }) => at),
      ...(statement === react ? [values((event) => (event.kind === 'reaction' ? event.reaction : null))] : []),
    ]);
    const keys = new Set(missing.map(({ channel, mid }) => `${channel} ${mid}`));
    return events.filter((event) => keys.has(keyOf(event))).map(({ id }) => id);
  }

  private async receive(events: readonly Receipt[]): Promise<string[]> {
    const parts = events.flatMap((event) => midsOf(event).map((mid) => ({ event, mid })));
    if (parts.length === 0) return [];
    const missing = await this.database.query<Missing>(takeReceipts, [
      parts.map(({ event }) => event.conversationId),
      parts.map(({ event }) => event.party.connected.channel),
      parts.map(({ mid }) => mid),
      parts.map(({ event }) => event.watermark),
      parts.map(({ event }) => event.kind === 'read'),
    ]);
    const keys = new Set(missing.map(({ channel, mid }) => `${channel} ${mid}`));
    const isMissing = (event: Receipt) =>
      midsOf(event).some((mid) => keys.has(`${event.party.connected.channel} ${mid}`));
    return events.filter(isMissing).map(({ id }) => id);
  }
}

function keyOf({ party, mid }: Change): string {
  return `${party.connected.channel} ${mid}`;
}

/** A receipt names messages, or a moment up to which all are meant, or both. */
function midsOf(event: Receipt): (string | null)[] {
  if (event.kind === 'read') return [event.mid];
  return event.mids.length > 0 ? event.mids : [null];
}

const given = `
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS g (conversation_id, channel, mid, at)`;

const ofGiven = `m.channel = g.channel AND m.platform_message_id = g.mid AND m.conversation_id = g.conversation_id`;

const missing = `
  SELECT DISTINCT g.channel, g.mid FROM given g
   WHERE g.mid IS NOT NULL AND NOT EXISTS (SELECT FROM public.messages m WHERE ${ofGiven})`;

const deleteMessages = `
  WITH given AS (${given}),
  deleted AS (
    UPDATE public.messages m
       SET text_sealed = NULL, attachments_sealed = NULL, reaction = NULL, deleted_at = g.at
      FROM given g WHERE ${ofGiven} AND m.deleted_at IS NULL)
  ${missing}`;

const react = `
  WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
                    AS g (conversation_id, channel, mid, at, reaction)),
  changed AS (
    UPDATE public.messages m SET reaction = g.reaction, reacted_at = g.at
      FROM given g
     WHERE ${ofGiven} AND m.deleted_at IS NULL AND (m.reacted_at IS NULL OR m.reacted_at <= g.at))
  ${missing}`;

/**
 * Whoever has read a message has read those before it; the same holds of what was delivered. So a receipt that names a
 * message means all of ours up to its time.
 *
 * OFFSET 0 has the messages of each conversation looked up by its index, whatever the planner believes of how many
 * messages of all conversations are still unread.
 */
const takeReceipts = `
  WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[])
                    AS g (conversation_id, channel, mid, watermark, is_read)),
  reached AS (
    SELECT g.conversation_id, max(greatest(g.watermark, m.platform_timestamp)) AS delivered_until,
           max(greatest(g.watermark, m.platform_timestamp)) FILTER (WHERE g.is_read) AS read_until
      FROM given g LEFT JOIN public.messages m ON ${ofGiven}
     GROUP BY g.conversation_id),
  raised AS MATERIALIZED (
    SELECT ours.id, ours.status, CASE WHEN ours.platform_timestamp <= r.read_until THEN 'read' ELSE 'delivered' END AS becomes
      FROM reached r CROSS JOIN LATERAL (
        SELECT m.id, m.status, m.platform_timestamp FROM public.messages m
         WHERE m.conversation_id = r.conversation_id AND m.direction = 'out' AND m.status IN ('sent', 'delivered')
           AND m.platform_timestamp <= r.delivered_until
           AND (m.status = 'sent' OR m.platform_timestamp <= r.read_until)
        OFFSET 0) ours),
  changed AS (
    UPDATE public.messages m SET status = raised.becomes
      FROM raised WHERE m.id = raised.id AND m.status = raised.status)
  ${missing}`;
