import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Connected } from '../connections/connected-pages.js';
import { bookingWords } from './booking-words.js';
import { type Comment, commentIn } from './comment-change.js';
import { findKeyword } from './keyword-matching.js';
import { LeadSeals } from './lead-seals.js';
import type { ReplyKind } from './lead-states.js';
import { replyJob } from './reply-requests.service.js';

export interface IncomingComment {
  connected: Connected;
  /** Meta's own JSON of one change. */
  change: unknown;
  /** When Meta delivered it; now unless given. */
  at?: Date;
}

/** What a doctor has set for comments; nothing of it need be there. */
interface LeadSettings {
  ownerId: string;
  username: string;
  keywords: string[];
  publicReply: string | null;
  privateReply: string | null;
}

interface NewLead extends Comment {
  leadId: string;
  connected: Connected;
  settings: LeadSettings;
  at: Date;
}

/** Who commented, and to whom. */
interface Person {
  ownerId: string;
  commenterId: string;
}

const nameOf = ({ ownerId, commenterId }: Person): string => `${ownerId} ${commenterId}`;

/** Nobody is answered of itself long after they wrote, as when a page is connected days later. */
const freshMs = 3_600_000;

/** Comments that Meta tells of: who wants an appointment becomes a lead, once. */
@Injectable()
export class CommentEvents {
  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly seals: LeadSeals,
  ) {}

  /** Runs in the transaction of the batch, as the service. What is no comment, or our own, is passed over. */
  async handle(comments: readonly IncomingComment[]): Promise<void> {
    const found = comments.flatMap(({ connected, change, at = new Date() }) => {
      const comment = connected.channel === 'instagram' ? commentIn(change) : undefined;
      return comment && !isOfAccount(comment, connected) ? [{ ...comment, connected, at }] : [];
    });
    if (found.length === 0) return;
    const settings = await this.settingsOf(found.map(({ connected }) => connected.ownerId));
    const leads = found.flatMap((comment) => leadOf(comment, settings.get(comment.connected.ownerId)));
    if (leads.length > 0) await this.keep(leads);
  }

  private async settingsOf(ownerIds: string[]): Promise<Map<string, LeadSettings>> {
    const rows = await this.database.query<LeadSettings>(readSettings, [[...new Set(ownerIds)]]);
    return new Map(rows.map((row) => [row.ownerId, row]));
  }

  /** A comment that is told twice, also at the same time, is kept once, and answered once. */
  private async keep(leads: NewLead[]): Promise<void> {
    const kept = await this.database.query<{ id: string }>(insertLeads, [
      leads.map(({ leadId }) => leadId),
      leads.map(({ connected }) => connected.ownerId),
      leads.map(({ connected }) => connected.clinicId),
      leads.map(({ connected }) => connected.pageId),
      leads.map(({ mediaId }) => mediaId),
      leads.map(({ id }) => id),
      leads.map(({ commenterId }) => commenterId),
      leads.map(({ username }) => username),
      leads.map(({ leadId, text }) => this.seals.sealComment(leadId, text)),
      leads.map(({ at }) => at),
    ]);
    const ids = new Set(kept.map(({ id }) => id));
    await this.answer(await this.notAnswered(leads.filter((lead) => ids.has(lead.leadId) && isToBeAnswered(lead))));
  }

  /** Once a day for each person: two accounts that answer by themselves would else answer each other for ever. */
  private async notAnswered(leads: NewLead[]): Promise<NewLead[]> {
    if (leads.length === 0) return [];
    const people = await this.database.query<Person>(findAnswered, [
      leads.map(({ connected }) => connected.ownerId),
      leads.map(({ commenterId }) => commenterId),
    ]);
    const answered = new Set(people.map(nameOf));
    return leads.filter(({ connected: { ownerId }, commenterId }) => {
      const name = nameOf({ ownerId, commenterId });
      return !answered.has(name) && answered.add(name);
    });
  }

  private async answer(leads: NewLead[]): Promise<void> {
    const replies = leads.flatMap(({ leadId, connected: { ownerId }, settings }) =>
      automaticReplies(settings).map((reply) => ({ ...reply, id: uuidv7(), leadId, ownerId })),
    );
    if (replies.length === 0) return;
    await this.database.query(insertReplies, [
      replies.map(({ id }) => id),
      replies.map(({ ownerId }) => ownerId),
      replies.map(({ leadId }) => leadId),
      replies.map(({ kind }) => kind),
      replies.map(({ id, text }) => this.seals.sealReply(id, text)),
    ]);
    for (const { id } of replies) await this.jobs.enqueue(replyJob, { replyId: id }, { key: `${replyJob}:${id}` });
  }
}

/** What the account itself says, our replies among it: to answer that would be to answer for ever. */
function isOfAccount({ commenterId }: Comment, { pageId, facebookPageId }: Connected): boolean {
  return commenterId === pageId || commenterId === facebookPageId;
}

function leadOf(comment: Omit<NewLead, 'leadId' | 'settings'>, settings: LeadSettings | undefined): NewLead[] {
  if (!settings || comment.username?.toLowerCase() === settings.username.toLowerCase()) return [];
  const words = settings.keywords.length > 0 ? settings.keywords : bookingWords;
  if (findKeyword(comment.text, words) === undefined) return [];
  return [{ ...comment, leadId: uuidv7(), settings }];
}

function isToBeAnswered({ connected, at }: NewLead): boolean {
  return !connected.isPaused && Date.now() - at.getTime() < freshMs;
}

function automaticReplies({ publicReply, privateReply }: LeadSettings): { kind: ReplyKind; text: string }[] {
  return [
    ...(publicReply ? [{ kind: 'public' as const, text: publicReply }] : []),
    ...(privateReply ? [{ kind: 'private' as const, text: privateReply }] : []),
  ];
}

const readSettings = `
  SELECT d.doctor_id AS owner_id, d.instagram_username AS username, coalesce(s.lead_keywords, '{}') AS keywords,
         s.lead_public_reply AS public_reply, s.lead_private_reply AS private_reply
    FROM public.doctor_instagram d LEFT JOIN public.doctor_settings s ON s.doctor_id = d.doctor_id
   WHERE d.doctor_id = ANY ($1::uuid[])`;

const insertLeads = `
  INSERT INTO public.comment_leads
    (id, owner_id, clinic_id, page_id, media_id, comment_id, commenter_id, username, comment_sealed, commented_at)
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                       $9::text[], $10::timestamptz[])
  ON CONFLICT (comment_id) DO NOTHING
  RETURNING id`;

const findAnswered = `
  SELECT DISTINCT l.owner_id, l.commenter_id
    FROM unnest($1::uuid[], $2::text[]) AS told (owner_id, commenter_id)
    JOIN public.comment_leads l ON l.owner_id = told.owner_id AND l.commenter_id = told.commenter_id
    JOIN public.comment_replies r ON r.owner_id = l.owner_id AND r.lead_id = l.id
   WHERE r.sent_by = 'automation' AND r.asked_at > now() - interval '1 day'`;

const insertReplies = `
  INSERT INTO public.comment_replies (id, owner_id, lead_id, kind, text_sealed, sent_by)
  SELECT made.*, 'automation' FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS made`;
