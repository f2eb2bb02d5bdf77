import type { WaitingReason } from '../posts/post-states.js';
import type { PublishedObject, PublishingTask } from './publishing-task.js';

/** What a worker's run leaves a post as. What was published is recorded at once, within the run. */
export type PublishingOutcome =
  | ({ kind: 'published' } & PublishedObject)
  /** Put off: nothing of it can have been published. */
  | { kind: 'waits'; reason: WaitingReason; seconds: number; countsAsRetry?: boolean; check?: boolean }
  /** Its account takes nothing until somebody connects it anew. */
  | { kind: 'paused' }
  /** Whether it stands on the page is not known yet, and asked again. */
  | { kind: 'in-doubt'; seconds: number }
  | { kind: 'failed'; code: PublishingError; message: string };

/** What `error_code` of a failed post may say. */
export type PublishingError =
  | 'outcome-unknown'
  | 'meta-unavailable'
  | 'meta-permission-missing'
  | 'meta-refused'
  | 'meta-not-configured'
  | 'media-refused'
  | 'post-type-not-supported';

/** Seconds until a container is asked for again; after five minutes it is put off longer, and kept. */
const containerWaits = [1, 2, 5, 10, 20, 30, 30, 30, 30, 30, 30, 30, 30, 30];
const longContainerWait = 300;

/** A container lives 24 hours at Meta: an hour before its end it is no longer counted on. */
const containerLifeMs = 23 * 3_600_000;

/** Until the page is looked at again for what may stand there. Together somewhat more than four minutes. */
const doubtWaits = [2, 5, 15, 30, 60, 60, 90];

/** While Meta does not answer at all: over an hour. */
const silenceWaits = [5, 15, 60, 300, 600, 900, 1_200, 1_200];

/** The first, fourth and sixteenth minute: a retry is worth little while Meta is still away. */
const firstRetrySeconds = 60;
const retryFactor = 4;
const longestRetrySeconds = 1_800;

export function waitForContainer({ containerChecks }: PublishingTask): PublishingOutcome {
  return {
    kind: 'waits',
    reason: 'container',
    seconds: containerWaits[containerChecks] ?? longContainerWait,
    check: true,
  };
}

/** Whether the containers of an earlier run can still be used. */
export function hasFreshContainer({ containerCreatedAt }: PublishingTask): boolean {
  return containerCreatedAt !== null && Date.now() - containerCreatedAt.getTime() < containerLifeMs;
}

/** Exponential backoff with full jitter, as many times as the post allows. */
export function retryLater({ retryCount, maxRetries }: PublishingTask): PublishingOutcome {
  if (retryCount >= maxRetries)
    return { kind: 'failed', code: 'meta-unavailable', message: 'Meta did not take it, however often it was tried.' };
  const longest = Math.min(firstRetrySeconds * retryFactor ** retryCount, longestRetrySeconds);
  const seconds = 1 + Math.random() * longest;
  return { kind: 'waits', reason: 'meta-unavailable', seconds, countsAsRetry: true };
}

/** The page was asked, and does not show it. */
export function lookAgain({ containerChecks }: PublishingTask, message: string): PublishingOutcome {
  const seconds = doubtWaits[containerChecks];
  return seconds === undefined ? outcomeUnknown(message) : { kind: 'in-doubt', seconds };
}

/** Meta could not be asked. */
export function askAgain({ containerChecks }: PublishingTask, retryAfter = 0): PublishingOutcome {
  const seconds = silenceWaits[containerChecks];
  if (seconds === undefined) return outcomeUnknown('Meta did not answer when it was asked what became of it.');
  return { kind: 'in-doubt', seconds: Math.max(seconds, Math.min(retryAfter, 3_600)) };
}

export function outcomeUnknown(message: string): PublishingOutcome {
  return {
    kind: 'failed',
    code: 'outcome-unknown',
    message: `${message} Look at the page before you publish it again.`,
  };
}
