import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Understood } from './inbox-event.js';
import { shards } from './inbox-shards.js';

/** An event as it rests in the inbox. */
export interface TakenEvent {
  id: string;
  object: 'page' | 'instagram';
  pageId: string;
  lane: number;
  attempts: number;
  receivedAt: Date;
  payloadSealed: string;
}

/** What became of an event that was taken. */
export interface Conclusion {
  id: string;
  lane: number;
  /** What it turned out to be; null of one that nobody has looked into. */
  kind: Understood['kind'] | null;
  state: 'processed' | 'unresolved' | 'failed' | 'received';
  attempts: number;
  errorCode: string | null;
  /** Until it is tried again. */
  waitMs: number;
}

/** Of an event that tells of a message which has not come: it waits, and keeps nobody else waiting. */
export const messageUnknown = 'message-unknown';

const batchEvents = 500;
/** Of sealed payloads at once: an event may be as large as a delivery, which memory does not hold by the hundred. */
const batchBytes = 4 * 1024 * 1024;

/** The inbox as a queue. Everything here runs in the caller's transaction, as the service. */
@Injectable()
export class InboxQueue {
  constructor(private readonly database: Database) {}

  /** Makes this part of the inbox the transaction's own, unless another one has it. */
  async hold(shard: number): Promise<boolean> {
    const row = await this.database.first<{ isFree: boolean }>(tryShard, [shard]);
    return row?.isFree ?? false;
  }

  /** The same, after whoever has it now. */
  async awaitHold(shard: number): Promise<void> {
    await this.database.query(awaitShard, [shard]);
  }

  /** The oldest that may be processed now. The part must be held. */
  take(shard: number): Promise<TakenEvent[]> {
    return this.database.query<TakenEvent>(takeEvents, [shard, batchEvents, batchBytes]);
  }

  async conclude(conclusions: readonly Conclusion[]): Promise<void> {
    const column = <Name extends keyof Conclusion>(name: Name) => conclusions.map((each) => each[name]);
    const names = ['id', 'state', 'attempts', 'errorCode', 'waitMs'] as const;
    await this.database.query(concludeEvents, names.map(column));
  }

  /** In which parts there is something to do now. */
  async due(): Promise<number[]> {
    const rows = await this.database.query<{ shard: number }>(findDue, [shards]);
    return rows.map(({ shard }) => shard);
  }

  /** After how many milliseconds there is something to do; undefined when there is nothing. */
  async nextAfterMs(shard: number): Promise<number | undefined> {
    const row = await this.database.first<{ waitMs: number | null }>(findNext, [shard]);
    return row?.waitMs ?? undefined;
  }
}

const nameOfShard = `hashtextextended('messenger inbox ' || $1::integer, 0)`;
const tryShard = `SELECT pg_try_advisory_xact_lock(${nameOfShard}) AS is_free`;
const awaitShard = `SELECT pg_advisory_xact_lock(${nameOfShard})`;

/** What is due, unless something of its conversation failed and waits to be tried again: that comes first. */
const dueEventsOf = (shard: string): string => `
    FROM public.webhook_events e
   WHERE e.state = 'received' AND e.shard = ${shard} AND e.next_attempt_at <= now()
     AND NOT EXISTS (
       SELECT FROM public.webhook_events w
        WHERE w.state = 'received' AND w.attempts > 0 AND w.lane = e.lane AND w.next_attempt_at > now()
          AND w.error_code <> '${messageUnknown}')`;

const takeEvents = `
  SELECT id, object, page_id, lane, attempts, received_at, payload_sealed
    FROM (SELECT e.*, sum(octet_length(e.payload_sealed)) OVER (ORDER BY e.received_at, e.id)
                   - octet_length(e.payload_sealed) AS before
            FROM (SELECT e.* ${dueEventsOf('$1::integer')} ORDER BY e.received_at, e.id LIMIT $2) e) e
   WHERE before < $3::bigint ORDER BY received_at, id`;

const findDue = `
  SELECT part.shard FROM unnest($1::integer[]) AS part (shard)
   WHERE (SELECT true ${dueEventsOf('part.shard')} ORDER BY e.received_at, e.id LIMIT 1)
   ORDER BY part.shard`;

const findNext = `
  SELECT CASE WHEN (SELECT true ${dueEventsOf('$1::integer')} ORDER BY e.received_at, e.id LIMIT 1) THEN 0 ELSE (
    SELECT (extract(epoch FROM min(w.next_attempt_at) - now()) * 1000)::float8 FROM public.webhook_events w
     WHERE w.state = 'received' AND w.attempts > 0 AND w.shard = $1::integer AND w.next_attempt_at > now())
  END AS wait_ms`;

const concludeEvents = `
  UPDATE public.webhook_events e
     SET state = g.state, attempts = g.attempts, error_code = g.error_code,
         next_attempt_at = now() + g.wait_ms * interval '1 millisecond',
         processed_at = CASE g.state WHEN 'processed' THEN now() END,
         payload_sealed = CASE WHEN g.state <> 'processed' THEN e.payload_sealed END
    FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::integer[])
           AS g (id, state, attempts, error_code, wait_ms)
   WHERE e.id = g.id AND e.state = 'received'`;
