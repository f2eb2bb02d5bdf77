import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { Forbidden, NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { Assignees } from './assignees.js';
import { type ConversationRow, conversationColumns, conversationStamp, described } from './conversation-rows.js';
import { conversationTransitions } from './conversation-states.js';
import { AssigneeNotInClinic, ConversationClosed } from './conversations.errors.js';
import type { Conversation, ConversationChanges, Conversations, ConversationsQuery } from './conversations.schemas.js';
import { ReadTraces } from './read-traces.js';

const purpose = 'conversations';

type ListedRow = ConversationRow & { position: string };

/** Conversations as their owner, and the colleague to whom one is assigned, find and keep them. */
@Injectable()
export class ConversationsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly traces: ReadTraces,
    private readonly assignees: Assignees,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** What was said last comes first. One in which nothing has been said is in no list. */
  async list(caller: Caller, query: ConversationsQuery): Promise<Conversations> {
    const after = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const values = [...after, query.limit + 1, ...filterValues(caller, query)];
    const rows = await this.database.query<ListedRow>(listConversations[query.unread ?? 'any'], values);
    const page = toPage(rows, query.limit, ({ position, id }) => this.cursors.encode([position, id], purpose));
    await this.traces.leave(page.data, caller.userId);
    return { ...page, data: page.data.map((row) => this.described(row)) };
  }

  async get(caller: Caller, conversationId: string): Promise<Conversation> {
    const row = await this.database.first<ConversationRow>(getConversation, [conversationId]);
    if (!row) throw new NotFound();
    await this.traces.leave([row], caller.userId);
    return this.described(row);
  }

  /** Everything that came in is read; whatever comes in at the same time is not. */
  async markRead(caller: Caller, conversationId: string): Promise<Conversation> {
    // The row first: whoever counts up, counts from what this one leaves.
    const present = await this.held(caller, conversationId);
    await this.database.query(readMessages, [conversationId]);
    if (present.unreadCount === 0) return this.described(present);
    return this.described(await this.database.first<ConversationRow>(readConversation, [conversationId]));
  }

  /**
   * @throws Forbidden for a colleague who would hand it on
   * @throws AssigneeNotInClinic
   * @throws ConversationClosed for one that is to be snoozed and is closed
   */
  async change(
    caller: Caller,
    conversationId: string,
    changes: ConversationChanges,
    ifMatch?: string,
  ): Promise<Conversation> {
    // In a transaction of its own, and so before this one is open.
    const isAdmitted = !changes.assignedTo || (await this.assignees.mayHold(conversationId, changes.assignedTo));
    const present = await this.held(caller, conversationId);
    assertIfMatch(ifMatch, etagOf(conversationStamp(this.described(present))));
    if (changes.assignedTo !== undefined && present.ownerId !== caller.userId)
      throw new Forbidden('The owner alone hands a conversation to somebody.');
    if (!isAdmitted) throw notInClinic();
    this.assertReachable(present, changes);
    const where = { id: conversationId };
    const update = partialUpdate({
      ...{ table: 'public.conversations', where, changes: changed(present, changes) },
      ...{ columns: changeable, returning: conversationColumns },
    });
    if (!update) return this.described(present);
    return this.described(await this.database.first<ConversationRow>(update.text, update.values));
  }

  private assertReachable(present: ConversationRow, { status }: ConversationChanges): void {
    if (!status || status === present.status) return;
    if (!conversationTransitions[present.status].includes(status)) throw new ConversationClosed();
  }

  /** Held for a change, while messages may still be added, each of which holds its conversation's key. */
  private async held(caller: Caller, conversationId: string): Promise<ConversationRow> {
    const row = await this.database.first<ConversationRow>(`${getConversation} FOR NO KEY UPDATE`, [conversationId]);
    if (!row) throw new NotFound();
    await this.traces.leave([row], caller.userId);
    return row;
  }

  private described(row: ConversationRow | undefined): Conversation {
    if (!row) throw new NotFound();
    return described(row, this.config.meta);
  }
}

const notInClinic = () =>
  new AssigneeNotInClinic(undefined, {
    errors: [{ path: 'assignedTo', code: 'assignee-not-in-clinic', message: 'Not somebody of this clinic.' }],
  });

/** What says the same as before is no change: it would be news to everybody who looks on. */
function changed({ status, assignedTo }: ConversationRow, changes: ConversationChanges): Record<string, unknown> {
  const present: Record<string, unknown> = { status, assignedTo };
  return Object.fromEntries(Object.entries(changes).filter(([key, value]) => value !== present[key]));
}

function filterValues({ userId }: Caller, { status, channel, assigned, q }: ConversationsQuery): unknown[] {
  const assignee = assigned === 'me' ? userId : assigned;
  return [
    status ?? null,
    channel ?? null,
    assignee === 'none' ? null : (assignee ?? null),
    assigned === 'none',
    q === undefined ? null : `%${q.replace(/[\\%_]/g, '\\$&')}%`,
  ];
}

const filters = `
      last_message_at IS NOT NULL
      AND ($1::text IS NULL OR (last_message_at, id) < ($1::timestamptz, $2::uuid))
      AND ($4::text IS NULL OR status = $4)
      AND ($5::text IS NULL OR channel = $5)
      AND ($6::uuid IS NULL OR assigned_to = $6)
      AND (NOT $7::boolean OR assigned_to IS NULL)
      AND ($8::text IS NULL OR participant_name ILIKE $8)
    ORDER BY last_message_at DESC, id DESC LIMIT $3`;

/**
 * The caller's own and those that they were handed, each from the index of its order: one condition with OR would read
 * and sort all of them. The policies hold in both.
 */
const listing = (unread: string): string => `
  SELECT ${conversationColumns}, last_message_at::text AS position FROM (
    (SELECT * FROM public.conversations WHERE owner_id = (SELECT app.user_id()) AND ${unread} AND ${filters})
    UNION ALL
    (SELECT * FROM public.conversations
      WHERE assigned_to = (SELECT app.user_id()) AND owner_id <> (SELECT app.user_id()) AND ${unread} AND ${filters})
  ) conversations ORDER BY last_message_at DESC, id DESC LIMIT $3`;

/** Few are unread, and they have an index of their own, which no parameter finds. */
const listConversations = {
  any: listing('true'),
  true: listing('unread_count > 0'),
  false: listing('unread_count = 0'),
};

const getConversation = `SELECT ${conversationColumns} FROM public.conversations WHERE id = $1`;

const readMessages = `
  UPDATE public.messages SET status = 'read'
   WHERE conversation_id = $1 AND direction = 'in' AND status = 'delivered'`;

const readConversation = `
  UPDATE public.conversations SET unread_count = 0, read_at = now() WHERE id = $1 RETURNING ${conversationColumns}`;

const changeable = { status: 'status', assignedTo: 'assigned_to' };
