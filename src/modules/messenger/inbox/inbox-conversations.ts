import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Meaning, Meant, Party } from './inbox-event.js';

/** An event with the conversation that it belongs to. */
export type Placed<Kind extends Meaning['kind'] = Meaning['kind']> = Meant<Kind> & { conversationId: string };

interface FoundConversation {
  id: string;
  ownerId: string;
  channel: string;
  pageId: string;
  participantId: string;
}

/** What was added to a conversation. */
export interface Growth {
  conversationId: string;
  lastAt: Date;
  /** When the customer wrote last, where they did. */
  customerAt: Date | null;
  unread: number;
}

/** Which begin a conversation; the others concern one that there is, or nothing. */
const beginning: ReadonlySet<string> = new Set<Meaning['kind']>(['message', 'postback', 'echo', 'deletion']);

/** Conversations as the inbox fills them. In the transaction of a batch, as the service. */
@Injectable()
export class InboxConversations {
  constructor(private readonly database: Database) {}

  /** Finds the conversation of each event, or begins it. Events of which there is none are left out. */
  async place(events: readonly Meant[]): Promise<{ placed: Placed[]; begun: number }> {
    const known = new Map<string, string>();
    const parties = new Map(events.map((event) => [keyOf(event.party), event]));
    await this.find([...parties.values()], known);
    const first = new Map<string, Meant>();
    for (const event of events) {
      const key = keyOf(event.party);
      if (beginning.has(event.kind) && !known.has(key) && !first.has(key)) first.set(key, event);
    }
    await this.begin([...first.values()], known);
    const placed = events.flatMap((event) => {
      const conversationId = known.get(keyOf(event.party));
      return conversationId === undefined ? [] : [{ ...event, conversationId }];
    });
    return { placed, begun: first.size };
  }

  /** Last come, unread and so on: whatever a list shows. A customer's new message opens what was put aside. */
  async grow(growths: readonly Growth[]): Promise<void> {
    if (growths.length === 0) return;
    const column = <Name extends keyof Growth>(name: Name) => growths.map((each) => each[name]);
    const names = ['conversationId', 'lastAt', 'customerAt', 'unread'] as const;
    await this.database.query(growConversations, names.map(column));
  }

  private async begin(events: readonly Meant[], known: Map<string, string>): Promise<void> {
    if (events.length === 0) return;
    const clinics = events.map(({ party }) => party.connected.clinicId);
    const times = events.map(({ at }) => at);
    const begun = await this.database.query<FoundConversation>(beginConversations, [...keys(events), clinics, times]);
    for (const row of begun) known.set(keyOfRow(row), row.id);
    // Somebody else, as who replies to a comment in private, has begun one at the same moment.
    const others = events.filter(({ party }) => !known.has(keyOf(party)));
    await this.find(others, known);
  }

  private async find(events: readonly Meant[], known: Map<string, string>): Promise<void> {
    if (events.length === 0) return;
    const found = await this.database.query<FoundConversation>(findConversations, keys(events));
    for (const row of found) known.set(keyOfRow(row), row.id);
  }
}

function keys(events: readonly Meant[]): string[][] {
  const connected = events.map(({ party }) => party.connected);
  return [
    connected.map(({ ownerId }) => ownerId),
    connected.map(({ channel }) => channel),
    connected.map(({ pageId }) => pageId),
    events.map(({ party }) => party.participantId),
  ];
}

function keyOf({ connected, participantId }: Party): string {
  return keyOfRow({ ...connected, participantId });
}

function keyOfRow({ ownerId, channel, pageId, participantId }: Omit<FoundConversation, 'id'>): string {
  return `${ownerId} ${channel} ${pageId} ${participantId}`;
}

const given = 'unnest($1::uuid[], $2::text[], $3::text[], $4::text[])';

const findConversations = `
  SELECT c.id, c.owner_id, c.channel, c.page_id, c.participant_id
    FROM ${given} AS g (owner_id, channel, page_id, participant_id)
    JOIN public.conversations c USING (owner_id, channel, page_id, participant_id)`;

const beginConversations = `
  INSERT INTO public.conversations (owner_id, channel, page_id, participant_id, clinic_id, last_message_at)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[])
      ON CONFLICT (owner_id, channel, page_id, participant_id) DO NOTHING
  RETURNING id, owner_id, channel, page_id, participant_id`;

/** A name that Meta did not tell is asked for anew, a day later at the earliest, when there is something new to show. */
const growConversations = `
  UPDATE public.conversations c
     SET last_message_at = greatest(c.last_message_at, g.last_at),
         last_customer_message_at = greatest(c.last_customer_message_at, g.customer_at),
         unread_count = c.unread_count + g.unread,
         status = CASE WHEN g.unread > 0 THEN 'open' ELSE c.status END,
         named_at = CASE WHEN c.participant_name IS NOT NULL OR c.named_at > now() - interval '1 day' THEN c.named_at END
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::integer[])
           AS g (conversation_id, last_at, customer_at, unread)
   WHERE c.id = g.conversation_id AND (g.unread > 0 OR g.customer_at IS NOT NULL OR g.last_at > c.last_message_at)`;
