import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { NotConnected } from '../messenger.errors.js';
import type { SendingTask } from './sending-task.js';

/** What `error_code` of a failed message may say. */
export const sendingErrors = [
  'outside-messaging-window',
  'recipient-unavailable',
  'attachment-refused',
  'meta-refused',
  'meta-permission-missing',
  'meta-not-configured',
  'meta-unavailable',
  'not-connected',
  'message-unreadable',
  'outcome-unknown',
] as const;
export type SendingError = (typeof sendingErrors)[number];

/** What a worker's run leaves a message as that it has not sent. What was sent is recorded at once, within the run. */
export type SendingOutcome =
  /** Put off: it has certainly not been sent. */
  | { kind: 'waits'; seconds: number; countsAsTry: boolean }
  /** Its call is over, and nobody knows what came of it: never sent again, its echo settles it. */
  | { kind: 'in-doubt' }
  | { kind: 'failed'; code: SendingError };

export const failed = (code: SendingError): SendingOutcome => ({ kind: 'failed', code });

/** Where Meta asks to slow down without saying until when. */
const unnamedWaitSeconds = 60;
/** Longer than that nobody is kept waiting for a limit without being looked at again. */
const longestWaitSeconds = 3_600;

/** While Meta cannot be reached. Together less than an hour: an answer that comes later is none. */
const silenceWaits = [2, 5, 15, 60, 300, 900, 1_800];

/**
 * Meta could not fetch the file, or does not take it
 * (https://developers.facebook.com/docs/messenger-platform/error-codes).
 */
const attachmentSubcodes: ReadonlySet<number> = new Set([2018008, 2018047, 2018109, 2018294]);

/** What a call that failed means for its message; other errors are the queue's to try again. */
export function outcomeOfFailure(task: SendingTask, error: unknown): SendingOutcome {
  if (error instanceof DomainError && error.definition.code === NotConnected.definition.code)
    return failed('not-connected');
  if (!(error instanceof MetaFailure)) throw error;
  if (error.mayHaveHappened) return { kind: 'in-doubt' };
  return outcomeOfRefusal(task, error);
}

function outcomeOfRefusal(task: SendingTask, { kind, graphSubcode, retryAfter }: MetaFailure): SendingOutcome {
  // Too large a file comes with the code of a rate limit.
  if (graphSubcode !== undefined && attachmentSubcodes.has(graphSubcode)) return failed('attachment-refused');
  switch (kind) {
    case 'rate-limited':
      return waits(retryAfter ?? unnamedWaitSeconds);
    case 'unavailable':
      return sendLater(task, retryAfter);
    case 'outside-window':
      return failed('outside-messaging-window');
    case 'recipient-unavailable':
      return failed('recipient-unavailable');
    // Nothing helps but a new consent, and until then the day in which one may answer may well be over.
    case 'token-invalid':
      return failed('not-connected');
    case 'permission-missing':
      return failed('meta-permission-missing');
    case 'not-configured':
      return failed('meta-not-configured');
    default:
      return failed('meta-refused');
  }
}

/** Spread, so that all who wait for the same limit do not ask at once. */
function waits(seconds: number): SendingOutcome {
  return { kind: 'waits', seconds: Math.min(seconds, longestWaitSeconds) + Math.random() * 5, countsAsTry: false };
}

function sendLater({ attempts }: SendingTask, retryAfter = 0): SendingOutcome {
  const seconds = silenceWaits[attempts];
  if (seconds === undefined) return failed('meta-unavailable');
  return { kind: 'waits', seconds: Math.max(seconds * (0.8 + Math.random() * 0.4), retryAfter), countsAsTry: true };
}
