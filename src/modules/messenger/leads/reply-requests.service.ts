import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { NotConnected } from '../messenger.errors.js';
import { LeadSeals } from './lead-seals.js';
import { type LeadState, privateReplyMs, type ReplyKind, type ReplyState } from './lead-states.js';
import {
  AlreadyReplied,
  CommentGone,
  LeadStateInvalid,
  PrivateReplyTooLate,
  ReplyOutcomeUnknown,
} from './leads.errors.js';
import type { CommentReply, NewReply } from './leads.schemas.js';

/** Sends one reply. */
export const replyJob = 'messenger.reply-to-comment';

interface AskedLead {
  ownerId: string;
  pageId: string;
  state: LeadState;
  commentedAt: Date;
  deletedAt: Date | null;
}

interface EarlierReply {
  id: string;
  status: ReplyState;
  errorCode: string | null;
}

/** Replies that people ask for: each kind once for each comment. */
@Injectable()
export class ReplyRequests {
  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly seals: LeadSeals,
  ) {}

  /** In the request's transaction: the job is there exactly if the reply is. Who asks at the same time waits, and is late. */
  async ask(leadId: string, kind: ReplyKind, { text, confirmNotSent }: NewReply): Promise<CommentReply> {
    const lead = await this.database.first<AskedLead>(lockLead, [leadId]);
    if (!lead) throw new NotFound();
    const earlier = await this.database.first<EarlierReply>(readReply, [leadId, kind]);
    refuseSecond(earlier, confirmNotSent);
    refuseUnfit(lead, kind);
    if (!(await this.database.first(readAccount, [lead.ownerId, lead.pageId]))) throw new NotConnected();
    const reply = await this.keep({ id: earlier?.id ?? uuidv7(), leadId, kind, text, ownerId: lead.ownerId }, earlier);
    await this.jobs.enqueue(replyJob, { replyId: reply.id }, { key: `${replyJob}:${reply.id}` });
    return reply;
  }

  private async keep(
    { id, leadId, kind, text, ownerId }: { id: string; leadId: string; kind: ReplyKind; text: string; ownerId: string },
    earlier: EarlierReply | undefined,
  ): Promise<CommentReply> {
    const sealed = this.seals.sealReply(id, text);
    const [kept] = earlier
      ? await this.database.query<CommentReply>(askAgain, [id, sealed])
      : await this.database.query<CommentReply>(askFirst, [id, ownerId, leadId, kind, sealed]);
    if (!kept) throw new AlreadyReplied();
    return kept;
  }
}

function refuseSecond(earlier: EarlierReply | undefined, confirmNotSent: boolean): void {
  if (!earlier) return;
  if (earlier.status !== 'failed') throw new AlreadyReplied();
  if (earlier.errorCode === 'outcome-unknown' && !confirmNotSent) throw new ReplyOutcomeUnknown();
}

function refuseUnfit({ state, commentedAt, deletedAt }: AskedLead, kind: ReplyKind): void {
  if (deletedAt) throw new CommentGone();
  if (state === 'dismissed') throw new LeadStateInvalid();
  if (kind === 'private' && Date.now() - commentedAt.getTime() > privateReplyMs) throw new PrivateReplyTooLate();
}

const lockLead = `
  SELECT owner_id, page_id, state, commented_at, deleted_at FROM public.comment_leads WHERE id = $1 FOR UPDATE`;

const readReply = 'SELECT id, status, error_code FROM public.comment_replies WHERE lead_id = $1 AND kind = $2';

/** The doctor's own account, as it is connected now. */
const readAccount = `
  SELECT FROM public.doctor_instagram WHERE doctor_id = $1 AND instagram_page_id = $2`;

const returned = 'id, kind, status, sent_by, error_code, asked_at, sent_at';

const askFirst = `
  INSERT INTO public.comment_replies (id, owner_id, lead_id, kind, text_sealed)
  VALUES ($1, $2, $3, $4, $5)
  RETURNING ${returned}`;

const askAgain = `
  UPDATE public.comment_replies SET status = 'pending', sent_by = 'user', text_sealed = $2
   WHERE id = $1 AND status = 'failed'
  RETURNING ${returned}`;
