import { Injectable } from '@nestjs/common';
import { persistently } from '../../../kernel/database/persistently.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { SealBroken } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { LeadSeals } from './lead-seals.js';
import { replyJob } from './reply-requests.service.js';
import type { ReplyOutcome, ReplyTask } from './reply-task.js';

/** Together shorter than a worker holds a reply: what Meta has answered is known here alone. */
const pausesMs = [100, 500, 2_000, 5_000, 10_000];

/** More than one round asks for: the next minute goes on. */
const lostAtOnce = 200;

type TakenRow = Omit<ReplyTask, 'text'> & { sealed: string };

/** The steps of a reply, each committed before the next begins. */
@Injectable()
export class ReplyStore {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly seals: LeadSeals,
  ) {}

  /** Undefined when it is not due, or another worker has it. */
  take(replyId: string): Promise<ReplyTask | undefined> {
    return this.asService(async () => {
      const row = await this.database.first<TakenRow>(takeReply, [replyId]);
      if (!row) return undefined;
      const { sealed, ...task } = row;
      return { ...task, text: this.opened(row.id, sealed) };
    });
  }

  /** Before the call that sends. False when somebody else was faster: then nothing may be sent. */
  async begin(task: ReplyTask): Promise<boolean> {
    const begun = await this.asService(() => this.database.first<{ startedAt: Date }>(beginReply, [task.id]));
    if (begun) task.startedAt = begun.startedAt;
    return begun !== undefined;
  }

  /** Ids of messages and comments are at Meta, and only told here: a database that is away for a moment is waited for. */
  conclude(task: ReplyTask, outcome: ReplyOutcome): Promise<void> {
    return persistently(pausesMs, () => this.asService(() => this.write(task, outcome)));
  }

  /** Replies that are due and that no job comes for: their worker was lost. */
  async enqueueLost(): Promise<void> {
    await this.asService(async () => {
      for (const { id } of await this.database.query<{ id: string }>(findLost, [lostAtOnce])) await this.enqueue(id);
    });
  }

  private async write({ id, leadId }: ReplyTask, outcome: ReplyOutcome): Promise<void> {
    switch (outcome.kind) {
      case 'sent':
        await this.database.query(recordSent, [id, outcome.platformId]);
        return void (await this.database.query(markContacted, [leadId]));
      case 'failed':
        await this.database.query(recordFailed, [id, outcome.code]);
        if (outcome.code === 'comment-gone') await this.database.query(forgetComment, [leadId]);
        return;
      case 'waits':
      case 'in-doubt': {
        const put = await this.database.first<{ runAt: Date }>(outcome.kind === 'waits' ? putOff : lookAgain, [
          id,
          outcome.seconds,
        ]);
        if (put) await this.enqueue(id, put.runAt);
      }
    }
  }

  private enqueue(replyId: string, runAt?: Date): Promise<void> {
    return this.jobs.enqueue(replyJob, { replyId }, { key: `${replyJob}:${replyId}`, ...(runAt && { runAt }) });
  }

  private opened(replyId: string, sealed: string): string | null {
    try {
      return this.seals.openReply(replyId, sealed);
    } catch (error) {
      if (error instanceof SealBroken) return null;
      throw error;
    }
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'reply to comments' }, work);
  }
}

/** Held for two minutes, which no call takes: a worker that is lost leaves it to another. */
const takeReply = `
  UPDATE public.comment_replies r SET next_attempt_at = now() + interval '2 minutes'
    FROM public.comment_leads l LEFT JOIN public.doctor_instagram d
      ON d.doctor_id = l.owner_id AND d.instagram_page_id = l.page_id
   WHERE r.id = $1 AND r.status = 'pending' AND r.next_attempt_at <= now() AND l.id = r.lead_id
  RETURNING r.id, r.kind, r.text_sealed AS sealed, r.owner_id, l.page_id, r.lead_id, l.comment_id, l.commenter_id,
            d.instagram_username AS username, r.asked_at, r.started_at`;

const beginReply = `
  UPDATE public.comment_replies SET started_at = now()
   WHERE id = $1 AND status = 'pending' AND started_at IS NULL
  RETURNING started_at`;

const recordSent = `
  UPDATE public.comment_replies SET status = 'sent', platform_id = $2, text_sealed = NULL, sent_at = now()
   WHERE id = $1 AND status = 'pending'`;

const markContacted = `UPDATE public.comment_leads SET state = 'contacted' WHERE id = $1 AND state = 'new'`;

const recordFailed = `
  UPDATE public.comment_replies SET status = 'failed', error_code = $2, text_sealed = NULL
   WHERE id = $1 AND status = 'pending'`;

const forgetComment = `
  UPDATE public.comment_leads SET deleted_at = now(), comment_sealed = NULL WHERE id = $1 AND deleted_at IS NULL`;

/** To the millisecond, which is all that the job's time keeps: it must not come too early by a fraction. */
const putOff = `
  UPDATE public.comment_replies SET started_at = NULL, next_attempt_at = date_trunc('milliseconds', now() + make_interval(secs => $2))
   WHERE id = $1 AND status = 'pending'
  RETURNING next_attempt_at AS run_at`;

const lookAgain = `
  UPDATE public.comment_replies SET next_attempt_at = date_trunc('milliseconds', now() + make_interval(secs => $2))
   WHERE id = $1 AND status = 'pending'
  RETURNING next_attempt_at AS run_at`;

const findLost = `
  SELECT id FROM public.comment_replies
   WHERE status = 'pending' AND next_attempt_at < now() - interval '1 minute'
   ORDER BY next_attempt_at LIMIT $1`;
