import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { type MessageRow, messageColumns, withContent } from './message-rows.js';
import { MessageTexts } from './message-texts.js';
import type { Message, Messages, MessagesQuery } from './messages.schemas.js';
import { type ReadConversation, ReadTraces } from './read-traces.js';

type PlacedRow = MessageRow & { position: string };

/** What was said in a conversation, for those who may read it. */
@Injectable()
export class MessagesService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly texts: MessageTexts,
    private readonly traces: ReadTraces,
  ) {}

  /**
   * A page, newest first, to either side of a cursor. Which messages they are the caller's policies say, in a transaction
   * that has ended when the service opens what they say: nobody holds two connections.
   */
  async list(caller: Caller, conversationId: string, query: MessagesQuery): Promise<Messages> {
    const rows = await this.database.separately(async () => {
      await this.admit(caller, conversationId);
      return this.page(conversationId, query);
    });
    const data = query.after ? rows.slice(0, query.limit).reverse() : rows.slice(0, query.limit);
    return {
      data: await this.withContents(data),
      olderCursor: this.olderCursor(conversationId, query, { data, isMore: rows.length > query.limit }),
      newerCursor: this.cursorOf(conversationId, data.at(0)) ?? query.after ?? null,
    };
  }

  /** Messages of which the caller has been shown that they may see them, with what they say. */
  async withContents(rows: readonly MessageRow[]): Promise<Message[]> {
    const contents = await this.texts.open(rows.map(({ id }) => id));
    return rows.map((row) => withContent(row, contents.get(row.id)));
  }

  private async admit(caller: Caller, conversationId: string): Promise<void> {
    const conversation = await this.database.first<ReadConversation>(readConversation, [conversationId]);
    if (!conversation) throw new NotFound();
    await this.traces.leave([conversation], caller.userId);
  }

  private page(conversationId: string, { before, after, limit }: MessagesQuery): Promise<PlacedRow[]> {
    const cursor = before ?? after;
    const [at, id] = cursor ? this.cursors.decode(cursor, purposeOf(conversationId)) : [null, null];
    const statement = after ? listAfter : listBefore;
    return this.database.query<PlacedRow>(statement, [conversationId, at, id, limit + 1]);
  }

  private olderCursor(
    conversationId: string,
    { after }: MessagesQuery,
    { data, isMore }: { data: PlacedRow[]; isMore: boolean },
  ): string | null {
    // What a newer page began after is older than it.
    if (after) return this.cursorOf(conversationId, data.at(-1)) ?? after;
    return isMore ? this.cursorOf(conversationId, data.at(-1)) : null;
  }

  private cursorOf(conversationId: string, row: PlacedRow | undefined): string | null {
    return row ? this.cursors.encode([row.position, row.id], purposeOf(conversationId)) : null;
  }
}

const purposeOf = (conversationId: string): string => `messages of ${conversationId}`;

const readConversation = 'SELECT id, owner_id, clinic_id FROM public.conversations WHERE id = $1';

const listBefore = `
  SELECT ${messageColumns}, platform_timestamp::text AS position FROM public.messages
   WHERE conversation_id = $1 AND ($2::text IS NULL OR (platform_timestamp, id) < ($2::timestamptz, $3::uuid))
   ORDER BY platform_timestamp DESC, id DESC LIMIT $4`;

const listAfter = `
  SELECT ${messageColumns}, platform_timestamp::text AS position FROM public.messages
   WHERE conversation_id = $1 AND (platform_timestamp, id) > ($2::timestamptz, $3::uuid)
   ORDER BY platform_timestamp, id LIMIT $4`;
