import type { ReplyError, ReplyKind } from './lead-states.js';

/** A reply that a worker has taken, with what it takes to send it. */
export interface ReplyTask {
  id: string;
  kind: ReplyKind;
  /** Null for one that does not open: its key is lost. */
  text: string | null;
  ownerId: string;
  pageId: string;
  leadId: string;
  commentId: string;
  commenterId: string;
  /** Of the doctor's account; null when it is no longer connected. */
  username: string | null;
  askedAt: Date;
  /** When a call began of which nothing is known: then it may stand there. */
  startedAt: Date | null;
}

/** What a worker's turn leaves a reply as. */
export type ReplyOutcome =
  | { kind: 'sent'; platformId: string }
  | { kind: 'failed'; code: ReplyError }
  /** Put off: nothing of it can have been sent. */
  | { kind: 'waits'; seconds: number }
  /** It may have been sent: looked for again, never sent again. */
  | { kind: 'in-doubt'; seconds: number };
