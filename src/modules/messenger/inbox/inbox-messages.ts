import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { Database } from '../../../kernel/tenancy/database.js';
import { type Attachment, MessageTexts } from '../conversations/message-texts.js';
import { type Growth, InboxConversations, type Placed } from './inbox-conversations.js';

/** Something that somebody has written to us, whether it is new or was known. */
type Incoming = Placed<'message' | 'postback' | 'deletion'>;

interface Row {
  id: string;
  event: Incoming;
  deletedAt: Date | null;
}

/** What customers write, kept. In the transaction of a batch, as the service. */
@Injectable()
export class InboxMessages {
  constructor(
    private readonly database: Database,
    private readonly texts: MessageTexts,
    private readonly conversations: InboxConversations,
  ) {}

  /**
   * Keeps what is new among them. One that was taken back is kept without what it said, also when that is heard before
   * the message itself: it then comes too late.
   *
   * @param events in the order of the platform's time
   * @returns customers' messages that were not known before and still stand
   */
  async keep(events: readonly Placed[]): Promise<Placed<'message' | 'postback'>[]> {
    const rows = rowsOf(events);
    const added = rows.length > 0 ? await this.insert(rows) : [];
    await this.conversations.grow(growthOf(added));
    return added.flatMap(({ event, deletedAt }) => (deletedAt || event.kind === 'deletion' ? [] : [event]));
  }

  private async insert(rows: readonly Row[]): Promise<Row[]> {
    const values = <Value>(of: (row: Row) => Value) => rows.map(of);
    const inserted = await this.database.query<{ id: string }>(insertMessages, [
      values(({ id }) => id),
      values(({ event }) => event.party.connected.ownerId),
      values(({ event }) => event.conversationId),
      values(({ event }) => event.party.connected.channel),
      values(({ event }) => (event.kind === 'postback' ? 'postback' : 'message')),
      values(({ event }) => event.mid),
      values((row) => this.sealText(row)),
      values((row) => this.sealAttachments(row)),
      values(({ event }) => event.at),
      values(({ deletedAt }) => deletedAt),
    ]);
    const ids = new Set(inserted.map(({ id }) => id));
    return rows.filter(({ id }) => ids.has(id));
  }

  private sealText({ id, event, deletedAt }: Row): string | null {
    if (deletedAt || event.kind === 'deletion' || event.text === null) return null;
    return this.texts.seal(id, event.text);
  }

  private sealAttachments({ id, event, deletedAt }: Row): string | null {
    const attachments: Attachment[] = event.kind === 'deletion' ? [] : event.attachments;
    return deletedAt || attachments.length === 0 ? null : this.texts.sealAttachments(id, attachments);
  }
}

/** One row for each message, however often it came. Of one whose deletion came too, nothing but the place is kept. */
function rowsOf(events: readonly Placed[]): Row[] {
  const rows = new Map<string, Row>();
  for (const event of events) {
    if (!isIncoming(event)) continue;
    const deletedAt = event.kind === 'deletion' ? event.at : null;
    const key = event.mid === null ? event.id : `${event.party.connected.channel} ${event.mid}`;
    const known = rows.get(key);
    if (!known) rows.set(key, { id: uuidv7(), event, deletedAt });
    else if (deletedAt) known.deletedAt ??= deletedAt;
    else if (known.event.kind === 'deletion') known.event = event;
  }
  return [...rows.values()];
}

function isIncoming(event: Placed): event is Incoming {
  return event.kind === 'message' || event.kind === 'postback' || (event.kind === 'deletion' && !event.isOurs);
}

/** What conversations have gained. Of what we wrote ourselves, its echo tells. */
function growthOf(added: readonly Row[]): Growth[] {
  const growths = new Map<string, Growth>();
  for (const { event, deletedAt } of added) {
    const { conversationId, at, kind } = event;
    const before = growths.get(conversationId) ?? { conversationId, lastAt: at, customerAt: null, unread: 0 };
    growths.set(conversationId, {
      conversationId,
      lastAt: latest(before.lastAt, at),
      customerAt: kind === 'deletion' ? before.customerAt : latest(before.customerAt, at),
      unread: before.unread + (deletedAt ? 0 : 1),
    });
  }
  return [...growths.values()];
}

function latest(one: Date | null, other: Date): Date {
  return one && one > other ? one : other;
}

const insertMessages = `
  INSERT INTO public.messages (id, owner_id, conversation_id, channel, direction, kind, platform_message_id, text_sealed,
                               attachments_sealed, status, platform_timestamp, deleted_at)
  SELECT g.id, g.owner_id, g.conversation_id, g.channel, 'in', g.kind, g.mid, g.text_sealed,
         g.attachments_sealed, 'delivered', g.at, g.deleted_at
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::timestamptz[], $10::timestamptz[])
           AS g (id, owner_id, conversation_id, channel, kind, mid, text_sealed, attachments_sealed, at, deleted_at)
      ON CONFLICT (channel, platform_message_id) DO NOTHING
  RETURNING id`;
