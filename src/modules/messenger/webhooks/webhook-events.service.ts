import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { InboxWake } from '../inbox/inbox-wake.js';
import { WebhookEventNotFailed } from '../messenger.errors.js';
import type {
  Replayed,
  ReplayRequest,
  WebhookEvent,
  WebhookEvents,
  WebhookEventsQuery,
  WebhookSummary,
} from './webhooks.schemas.js';

const purpose = 'webhook-events';

/** Enough for a morning's failures, and short enough for one statement of a request. */
const replayedAtOnce = 1_000;

/** The inbox as an admin sees it: what is stuck in it, and how it is set going again. What the events say stays sealed. */
@Injectable()
export class WebhookEventsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly inbox: InboxWake,
  ) {}

  async list({ state, pageId, limit, cursor }: WebhookEventsQuery): Promise<WebhookEvents> {
    const list = `${purpose}:${state}`;
    const [afterId] = cursor ? this.cursors.decode(cursor, list) : [null];
    const events = await this.database.query<WebhookEvent>(listEvents[state], [pageId ?? null, afterId, limit + 1]);
    return toPage(events, limit, ({ id }) => this.cursors.encode([id], list));
  }

  async summary(): Promise<WebhookSummary> {
    return { data: await this.database.query(countEvents) };
  }

  /** @throws NotFound, WebhookEventNotFailed */
  async replay(eventId: string): Promise<WebhookEvent> {
    const replayed = await this.database.first<WebhookEvent>(replayEvent, [eventId]);
    if (!replayed) {
      const known = await this.database.first(findEvent, [eventId]);
      throw known ? new WebhookEventNotFailed() : new NotFound();
    }
    this.wakeAfterwards();
    return replayed;
  }

  async replayAll({ pageId }: ReplayRequest): Promise<Replayed> {
    const replayed = await this.database.query(replayEvents, [pageId ?? null, replayedAtOnce]);
    const left = await this.database.first(listEvents.failed, [pageId ?? null, null, 1]);
    this.wakeAfterwards();
    return { replayed: replayed.length, hasMore: left !== undefined };
  }

  private wakeAfterwards(): void {
    this.database.afterCommit(() => this.inbox.wake());
  }
}

const columns = 'id, object, page_id, state, attempts, error_code, received_at, next_attempt_at';

/** The state stands in the text: the index of the few that are stuck is found by it. */
const listOf = (state: 'failed' | 'unresolved') => `
  SELECT ${columns} FROM public.webhook_events
   WHERE state = '${state}' AND ($1::text IS NULL OR page_id = $1) AND ($2::uuid IS NULL OR id > $2)
   ORDER BY id LIMIT $3`;

const listEvents = { failed: listOf('failed'), unresolved: listOf('unresolved') };

/** Of those that are done with there are many, which only a walk through all of them would count. */
const countOf = (state: 'received' | 'failed' | 'unresolved') => `
  SELECT '${state}' AS state, count(*)::integer AS count, min(received_at) AS oldest_received_at
    FROM public.webhook_events WHERE state = '${state}'`;

const countEvents = [countOf('received'), countOf('failed'), countOf('unresolved')].join(' UNION ALL ');

const findEvent = 'SELECT id FROM public.webhook_events WHERE id = $1';

/** As if it had just come; it keeps its id, and with it its place among those of its conversation. */
const asNew = `state = 'received', attempts = 0, error_code = NULL, next_attempt_at = now()`;

const replayEvent = `
  UPDATE public.webhook_events SET ${asNew} WHERE id = $1 AND state = 'failed' RETURNING ${columns}`;

/** Oldest first. What another admin lets run at the same moment is not waited for. */
const replayEvents = `
  UPDATE public.webhook_events SET ${asNew}
   WHERE state = 'failed' AND id IN (
     SELECT id FROM public.webhook_events WHERE state = 'failed' AND ($1::text IS NULL OR page_id = $1)
      ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
  RETURNING id`;
