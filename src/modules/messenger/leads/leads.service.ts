import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { LeadSeals } from './lead-seals.js';
import { type LeadState, leadTransitions, privateReplyMs, type ReplyKind } from './lead-states.js';
import { LeadStateInvalid } from './leads.errors.js';
import type { CommentReply, Lead, Leads, LeadsQuery } from './leads.schemas.js';

const purpose = 'comment leads';

type LeadRow = Omit<Lead, 'text' | 'publicReply' | 'privateReply' | 'privateReplyUntil' | 'commentedAt'> & {
  commentedAt: Date;
};
type ReplyRow = CommentReply & { leadId: string };

/** The caller's own leads. Nobody else sees them, whoever works in the same clinic. */
@Injectable()
export class LeadsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly seals: LeadSeals,
  ) {}

  async list({ state, cursor, limit }: LeadsQuery): Promise<Leads> {
    const [afterId] = cursor ? this.cursors.decode(cursor, purpose) : [null];
    const found = await this.readWhole(listLeads, [state ?? null, afterId, limit + 1]);
    return toPage(found, limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(leadId: string): Promise<Lead> {
    const [lead] = await this.readWhole(getLead, [leadId]);
    if (!lead) throw new NotFound();
    return lead;
  }

  async change(leadId: string, state: LeadState): Promise<Lead> {
    await this.database.separately(async () => {
      const present = await this.database.first<{ state: LeadState }>(lockLead, [leadId]);
      if (!present) throw new NotFound();
      if (present.state === state) return;
      if (!leadTransitions[present.state].includes(state)) throw new LeadStateInvalid();
      await this.database.query(changeLead, [leadId, state]);
    });
    return this.get(leadId);
  }

  /** What the caller sees by their own policies first, and what it says afterwards: no two connections are held at once. */
  private async readWhole(statement: string, values: readonly unknown[]): Promise<Lead[]> {
    const [rows, replies] = await this.database.separately(async () => {
      const leads = await this.database.query<LeadRow>(statement, values);
      const ids = leads.map(({ id }) => id);
      return [leads, ids.length > 0 ? await this.database.query<ReplyRow>(listReplies, [ids]) : []] as const;
    });
    const texts = await this.seals.openComments(rows.map(({ id }) => id));
    const replyTo = (leadId: string, kind: ReplyKind) =>
      replies.find((reply) => reply.leadId === leadId && reply.kind === kind) ?? null;
    return rows.map((row) => ({
      ...row,
      text: texts.get(row.id) ?? null,
      privateReplyUntil: new Date(row.commentedAt.getTime() + privateReplyMs),
      publicReply: replyTo(row.id, 'public'),
      privateReply: replyTo(row.id, 'private'),
    }));
  }
}

const columns = 'id, state, media_id, comment_id, username, commented_at, deleted_at, created_at, updated_at';

/** Ids are made as comments come in: the newest first. */
const listLeads = `
  SELECT ${columns} FROM public.comment_leads
   WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR id < $2)
   ORDER BY id DESC LIMIT $3`;

const getLead = `SELECT ${columns} FROM public.comment_leads WHERE id = $1`;

const lockLead = 'SELECT state FROM public.comment_leads WHERE id = $1 FOR UPDATE';

const changeLead = 'UPDATE public.comment_leads SET state = $2 WHERE id = $1';

const listReplies = `
  SELECT id, lead_id, kind, status, sent_by, error_code, asked_at, sent_at
    FROM public.comment_replies WHERE lead_id = ANY ($1::uuid[])`;
