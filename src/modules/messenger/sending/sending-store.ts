import { Inject, Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { keepAnswer } from './keep-answer.js';
import { SendQueue } from './send-queue.js';
import type { SendingOutcome } from './sending-outcome.js';
import type { SendingTask } from './sending-task.js';

/** Another worker goes on with the message: its lease was over before this one came to its end. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/** As many as one look lets begin; the next one is a minute away. */
const mostAtOnce = 500;

interface NextMessage {
  id: string;
  dueAt: Date;
  isDue: boolean;
  /** A worker has it, who looks for the next one when it has ended. */
  isHeld: boolean;
}

/**
 * The rows of messages on their way. Each step is a transaction of its own, so that no connection is held while Meta is
 * asked. Messages of one conversation leave one after the other: the oldest that waits is the only one that can be claimed.
 */
@Injectable()
export class SendingStore {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly queue: SendQueue,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * The message of the conversation that leaves next. Undefined where none is due: then a job looks again when it is. What
   * a lost worker had begun to send is in doubt from here on, and stands in nobody's way.
   */
  claim(conversationId: string): Promise<SendingTask | undefined> {
    return this.alone(conversationId, async () => {
      await this.database.query(doubtAbandoned, [conversationId]);
      const next = await this.next(conversationId);
      if (!next?.isDue) return void (await this.comeBack(conversationId, next));
      return this.database.first<SendingTask>(claimMessage, [next.id, uuidv7(), this.lease]);
    });
  }

  /**
   * Committed before the one call that sends: from here on nobody sends it again.
   *
   * @throws ClaimLost when another worker has claimed it, or could any moment
   */
  async startSending(task: SendingTask): Promise<void> {
    const values = [task.id, task.attemptId, this.lease];
    const started = await this.asService(() => this.database.first<StartedRow>(startSending, values));
    if (!started) throw new ClaimLost();
    task.sendStartedAt = started.sendStartedAt;
  }

  /** Ends the claim of a message that was not sent. The job of the next one is there exactly if one waits. */
  conclude(task: SendingTask, outcome: SendingOutcome): Promise<void> {
    return keepAnswer(() => this.alone(task.conversationId, () => this.end(task, outcome)));
  }

  private async end(task: SendingTask, outcome: SendingOutcome): Promise<void> {
    const claim = [task.id, task.attemptId];
    if (outcome.kind === 'failed') await this.database.query(fail, [...claim, outcome.code]);
    else if (outcome.kind === 'in-doubt') await this.database.query(doubt, claim);
    else await this.database.query(putOff, [...claim, inSeconds(outcome.seconds), outcome.countsAsTry ? 1 : 0]);
    await this.comeBack(task.conversationId);
  }

  /** Gives up what has been in doubt for too long, and lets conversations go on whose job or worker was lost. */
  async resumeLost(): Promise<void> {
    await this.asService(async () => {
      await this.database.query(giveUpDoubted);
      const lost = await this.database.query<{ conversationId: string; dueAt: Date }>(findLost, [mostAtOnce]);
      for (const { conversationId, dueAt } of lost) await this.queue.enqueue(conversationId, dueAt);
    });
  }

  /** In the caller's transaction, which has the conversation's row: the job of what waits in it, if anything does. */
  async comeBack(conversationId: string, known?: NextMessage): Promise<void> {
    const next = known ?? (await this.next(conversationId));
    if (next && !next.isHeld) await this.queue.enqueue(conversationId, next.dueAt);
  }

  /**
   * While nobody else claims or concludes in the conversation, and no echo is settled in it: of a message that is queued
   * while another leaves, either the job that ends sees it, or its own job sees that the other has ended.
   */
  private alone<T>(conversationId: string, work: () => Promise<T>): Promise<T> {
    return this.asService(async () => {
      await this.database.query(lockConversation, [conversationId]);
      return work();
    });
  }

  private next(conversationId: string): Promise<NextMessage | undefined> {
    return this.database.first<NextMessage>(findNext, [conversationId]);
  }

  /** Longer than what happens between two steps may take, the call to Meta included. */
  private get lease(): string {
    return `${this.config.meta.timeoutMs * 3 + 5_000} ms`;
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'send messages' }, work);
  }
}

interface StartedRow {
  sendStartedAt: Date;
}

const lockConversation = `SELECT FROM public.conversations WHERE id = $1 FOR NO KEY UPDATE`;

const inSeconds = (seconds: number): string => `${Math.ceil(seconds * 1000)} ms`;

/** Its worker was lost in the middle of the call: it may have been sent. */
const doubtAbandoned = `
  UPDATE public.messages SET doubted_at = now()
   WHERE conversation_id = $1 AND status = 'pending' AND send_started_at IS NOT NULL AND doubted_at IS NULL
     AND next_attempt_at <= now()`;

/**
 * The oldest that waits. One in doubt holds nobody back for longer than its echo usually takes: its call is over, so that
 * it stands before the next or does not stand at all.
 */
const findNext = `
  WITH waiting AS (
    SELECT id, created_at, next_attempt_at, doubted_at, attempt_id FROM public.messages
     WHERE conversation_id = $1 AND status = 'pending')
  SELECT id, due_at, due_at <= clock_timestamp() AS is_due, is_held AND due_at > clock_timestamp() AS is_held FROM (
    SELECT w.id, w.attempt_id IS NOT NULL AS is_held, date_trunc('milliseconds', greatest(coalesce(w.next_attempt_at, w.created_at),
             (SELECT max(d.doubted_at) + interval '10 seconds' FROM waiting d))) AS due_at
      FROM waiting w WHERE w.doubted_at IS NULL ORDER BY w.created_at, w.id LIMIT 1) next`;

const claimMessage = `
  UPDATE public.messages m
     SET attempt_id = $2, next_attempt_at = clock_timestamp() + $3::interval
    FROM public.conversations c
   WHERE m.id = $1 AND c.id = m.conversation_id AND m.status = 'pending' AND m.send_started_at IS NULL
     AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= clock_timestamp())
  RETURNING m.id, m.attempt_id, m.conversation_id, m.owner_id, m.channel, m.tag, m.attempts, m.send_started_at,
            m.text_sealed, m.attachments_sealed, c.page_id, c.participant_id, c.last_customer_message_at`;

const startSending = `
  UPDATE public.messages
     SET send_started_at = clock_timestamp(), next_attempt_at = clock_timestamp() + $3::interval
   WHERE id = $1 AND attempt_id = $2 AND status = 'pending' AND send_started_at IS NULL
     AND next_attempt_at > clock_timestamp()
  RETURNING send_started_at`;

/** Also one that was given up for lost meanwhile: whoever made the call knows better. */
const held = `id = $1 AND attempt_id = $2 AND status = 'pending'`;

const fail = `
  UPDATE public.messages
     SET status = 'failed', error_code = $3, next_attempt_at = NULL, send_started_at = NULL, doubted_at = NULL
   WHERE ${held}`;

const doubt = `
  UPDATE public.messages SET doubted_at = coalesce(doubted_at, clock_timestamp()), next_attempt_at = NULL WHERE ${held}`;

const putOff = `
  UPDATE public.messages
     SET next_attempt_at = clock_timestamp() + $3::interval, attempts = attempts + $4::integer, attempt_id = NULL,
         send_started_at = NULL, doubted_at = NULL
   WHERE ${held}`;

/** send_started_at stays: the echo of one whose outcome is unknown may still come. */
const giveUpDoubted = `
  UPDATE public.messages SET status = 'failed', error_code = 'outcome-unknown', next_attempt_at = NULL
   WHERE status = 'pending' AND doubted_at <= now() - interval '10 minutes'`;

/** Half a minute after its time the job of a conversation was lost, or many wait before it: then it keeps its place. */
const findLost = `
  SELECT conversation_id, due_at FROM (
    SELECT DISTINCT ON (conversation_id) conversation_id, coalesce(next_attempt_at, created_at) AS due_at
      FROM public.messages WHERE status = 'pending' AND doubted_at IS NULL
     ORDER BY conversation_id, created_at, id) waiting
   WHERE due_at <= now() - interval '30 seconds' ORDER BY due_at LIMIT $1`;
