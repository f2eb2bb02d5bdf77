import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { type ConversationRow, conversationColumns, described } from '../conversations/conversation-rows.js';
import { Conversation } from '../conversations/conversations.schemas.js';
import { type MessageRow, messageColumns } from '../conversations/message-rows.js';
import { Message } from '../conversations/messages.schemas.js';
import { MessagesService } from '../conversations/messages.service.js';
import { type ReadConversation, ReadTraces } from '../conversations/read-traces.js';
import type { StreamPosition } from './stream-position.js';

/** More than anybody reads one by one. */
const mostChanges = 10_000;

interface Change {
  kind: 'conversation' | 'message';
  id: string;
}

/** What has changed between two positions: names alone, so that it can be much. */
export interface Changes {
  position: StreamPosition;
  /** Undefined when there are too many: then one reads anew. */
  changes: Change[] | undefined;
}

export interface ChangeEvent {
  name: Change['kind'];
  data: unknown;
}

/**
 * What somebody's stream tells: read in transactions of the request's caller, whose session is checked in each, under
 * their policies. A change can be told twice, and none is left out.
 */
@Injectable()
export class StreamChanges {
  constructor(
    private readonly database: Database,
    private readonly traces: ReadTraces,
    private readonly messages: MessagesService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async now(): Promise<StreamPosition> {
    const row = await this.database.separately(() => this.database.first<{ position: StreamPosition }>(readPosition));
    if (!row) throw new Error('A database has a snapshot.');
    return row.position;
  }

  /** Of the caller's conversations, and of those that they were handed, in the order in which it was committed or nearly. */
  async since(position: StreamPosition): Promise<Changes> {
    const rows = await this.database.separately(() =>
      this.database.query<{ position: StreamPosition } & (Change | { kind: null; id: null })>(findChanges, [
        position,
        mostChanges + 1,
      ]),
    );
    const changes = rows.flatMap(({ kind, id }) => (kind === null ? [] : [{ kind, id }]));
    return { position: rows[0]?.position ?? position, changes: changes.length > mostChanges ? undefined : changes };
  }

  /** A few of them as they are now. Those that the caller may no longer see are left out. */
  async events(caller: Caller, changes: readonly Change[]): Promise<ChangeEvent[]> {
    const ids = (wanted: Change['kind']) => changes.filter(({ kind }) => kind === wanted).map(({ id }) => id);
    const { conversations, messages } = await this.database.separately(() =>
      this.read(caller, ids('conversation'), ids('message')),
    );
    const said = await this.messages.withContents(messages);
    const found = new Map<string, ChangeEvent>([
      ...conversations.map((row) => [row.id, this.conversationEvent(row)] as const),
      ...said.map((message) => [String(message.id), { name: 'message', data: Message.parse(message) }] as const),
    ]);
    return changes.flatMap(({ id }) => found.get(id) ?? []);
  }

  private async read(caller: Caller, conversationIds: string[], messageIds: string[]) {
    const [conversations, messages, read] = [
      await this.database.query<ConversationRow>(readConversations, [conversationIds]),
      await this.database.query<MessageRow>(readMessages, [messageIds]),
      await this.database.query<ReadConversation>(conversationsOf, [messageIds]),
    ];
    const shown = new Map([...conversations, ...read].map((conversation) => [conversation.id, conversation]));
    await this.traces.leave([...shown.values()], caller.userId);
    return { conversations, messages };
  }

  private conversationEvent(row: ConversationRow): ChangeEvent {
    return { name: 'conversation', data: Conversation.parse(described(row, this.config.meta)) };
  }
}

const readPosition = 'SELECT pg_current_snapshot()::text AS position';

/**
 * What is seen now was changed by a transaction of before this snapshot's end. Rows of a restored dump may say otherwise:
 * they bear the numbers of another server, and would be news at every look until this one has counted so far.
 */
const unseen = `change_id >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(change_id, $1::pg_snapshot)
       AND change_id < pg_snapshot_xmax(pg_current_snapshot())`;

/**
 * The position is that of this very statement: what it does not see, it does not count as seen. Of a colleague's
 * conversations those are looked through that belong to somebody who has handed over one: that index knows when.
 */
const findChanges = `
  WITH handed AS MATERIALIZED (
    SELECT id, owner_id FROM public.conversations
     WHERE assigned_to = (SELECT app.user_id()) AND owner_id <> (SELECT app.user_id())
  ), changes AS (
    SELECT change_id, 'conversation' AS kind, last_message_at AS at, id FROM public.conversations
     WHERE owner_id = (SELECT app.user_id()) AND ${unseen}
    UNION ALL
    SELECT change_id, 'conversation', last_message_at, id FROM public.conversations
     WHERE assigned_to = (SELECT app.user_id()) AND owner_id <> (SELECT app.user_id()) AND ${unseen}
    UNION ALL
    SELECT change_id, 'message', platform_timestamp, id FROM public.messages
     WHERE owner_id = (SELECT app.user_id()) AND ${unseen}
    UNION ALL
    SELECT change_id, 'message', platform_timestamp, id FROM public.messages
     WHERE owner_id = ANY (ARRAY(SELECT owner_id FROM handed)) AND conversation_id = ANY (ARRAY(SELECT id FROM handed))
       AND owner_id <> (SELECT app.user_id()) AND ${unseen}
  )
  SELECT pg_current_snapshot()::text AS position, c.kind, c.id
    FROM (VALUES (1)) AS always (row)
    LEFT JOIN (SELECT * FROM changes ORDER BY change_id, kind, at, id LIMIT $2) c ON true
   ORDER BY c.change_id, c.kind, c.at, c.id`;

const readConversations = `SELECT ${conversationColumns} FROM public.conversations WHERE id = ANY ($1::uuid[])`;

const readMessages = `SELECT ${messageColumns} FROM public.messages WHERE id = ANY ($1::uuid[])`;

const conversationsOf = `
  SELECT id, owner_id, clinic_id FROM public.conversations
   WHERE id = ANY (ARRAY(SELECT conversation_id FROM public.messages WHERE id = ANY ($1::uuid[])))`;
