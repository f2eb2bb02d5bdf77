import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { NotConnected } from '../messenger.errors.js';
import type { ReplyError } from './lead-states.js';
import type { ReplyOutcome, ReplyTask } from './reply-task.js';

/** A reply that is a day late helps nobody. */
const longestWaitMs = 24 * 3_600_000;
/** How long one is looked for that may have been sent: an echo comes within seconds, at the worst within minutes. */
const longestDoubtMs = 10 * 60_000;
const unnamedWaitSeconds = 60;

/** A comment that takes no private reply: https://developers.facebook.com/docs/messenger-platform/error-codes */
const invalidForPrivateReply = 2534025;

/** What a call that failed means for its reply; other errors are the queue's to try again. */
export function outcomeOfFailure(task: ReplyTask, error: unknown): ReplyOutcome {
  if (isNotConnected(error)) return { kind: 'failed', code: 'not-connected' };
  if (!(error instanceof MetaFailure)) throw error;
  if (error.mayHaveHappened) return lookLater(task);
  if (error.kind === 'rate-limited') return later(task, error.retryAfter ?? unnamedWaitSeconds);
  if (error.kind === 'unavailable') return later(task, Math.max(error.retryAfter ?? 0, ageOf(task.askedAt) / 2_000));
  return { kind: 'failed', code: codeOf(task, error) };
}

/** It may stand there, and is not found yet. The longer it takes, the less often it is looked for. */
export function lookLater({ startedAt }: ReplyTask): ReplyOutcome {
  const age = ageOf(startedAt);
  if (age > longestDoubtMs) return { kind: 'failed', code: 'outcome-unknown' };
  return { kind: 'in-doubt', seconds: Math.min(Math.max(age / 1_000, 2), 120) };
}

/** While it was looked for. Whoever may not look any more never learns it. */
export function outcomeOfLooking(task: ReplyTask, error: unknown): ReplyOutcome {
  if (isNotConnected(error)) return { kind: 'failed', code: 'outcome-unknown' };
  if (!(error instanceof MetaFailure)) throw error;
  if (error.kind === 'not-found') return { kind: 'failed', code: 'comment-gone' };
  if (error.kind !== 'unavailable' && error.kind !== 'rate-limited') return { kind: 'failed', code: 'outcome-unknown' };
  const outcome = lookLater(task);
  if (outcome.kind !== 'in-doubt') return outcome;
  return { kind: 'in-doubt', seconds: Math.max(outcome.seconds, Math.min(error.retryAfter ?? 0, 300)) };
}

function isNotConnected(error: unknown): boolean {
  if (error instanceof MetaFailure) return error.kind === 'token-invalid';
  return error instanceof DomainError && error.definition.code === NotConnected.definition.code;
}

function later({ askedAt }: ReplyTask, seconds: number): ReplyOutcome {
  if (ageOf(askedAt) > longestWaitMs) return { kind: 'failed', code: 'meta-unavailable' };
  return { kind: 'waits', seconds: Math.min(Math.max(seconds, 2), 900) * (1 + Math.random() / 4) };
}

function codeOf({ kind: replyKind }: ReplyTask, { kind, graphSubcode }: MetaFailure): ReplyError {
  if (replyKind === 'private' && graphSubcode === invalidForPrivateReply) return 'private-reply-refused';
  switch (kind) {
    case 'not-configured':
      return 'meta-not-configured';
    case 'permission-missing':
      return 'meta-permission-missing';
    case 'not-found':
      return 'comment-gone';
    case 'recipient-unavailable':
      return 'recipient-unavailable';
    default:
      return 'meta-refused';
  }
}

const ageOf = (time: Date | null): number => (time ? Math.max(Date.now() - time.getTime(), 0) : 0);
