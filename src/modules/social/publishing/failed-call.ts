import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { AccountNotConnected } from '../social.errors.js';
import { askAgain, outcomeUnknown, type PublishingOutcome, retryLater } from './publishing-outcome.js';
import type { PublishingTask } from './publishing-task.js';

/** Instagram's posts of a day are used up. */
const limitSubcode = 2207042;
/** The container is not ready to be published. */
const notReadyCode = 9007;

/** Where Meta asks to slow down without saying until when. */
const unnamedWaitSeconds = 60;
const limitWaitSeconds = 900;

/** What a call that failed means for its post; other errors are the queue's to try again. */
export function outcomeOfFailure(task: PublishingTask, error: unknown): PublishingOutcome {
  const isEnded = error instanceof DomainError && error.definition.code === AccountNotConnected.definition.code;
  if (isEnded || (error instanceof MetaFailure && error.kind === 'token-invalid')) return withoutAccount(task);
  if (!(error instanceof MetaFailure)) throw error;
  if (task.publishStartedAt) return inDoubt(task, error);
  return beforePublishing(task, error);
}

/** Nobody can ask Meta any more: not even whether it stands there. */
export function withoutAccount({ publishStartedAt }: PublishingTask): PublishingOutcome {
  if (!publishStartedAt) return { kind: 'paused' };
  return outcomeUnknown('The access to the account ended while it was being published.');
}

export function publishingLimitReached(): PublishingOutcome {
  // Spread, so that all who wait for the same account do not ask at once.
  return { kind: 'waits', reason: 'publishing-limit', seconds: limitWaitSeconds * (0.8 + Math.random() * 0.4) };
}

function inDoubt(task: PublishingTask, { kind, retryAfter }: MetaFailure): PublishingOutcome {
  if (kind === 'permission-missing') return outcomeUnknown('Meta does not allow us to see what became of it.');
  // A container that is published meanwhile refuses to be published again: next time its state says so.
  return askAgain(task, retryAfter);
}

function beforePublishing(task: PublishingTask, failure: MetaFailure): PublishingOutcome {
  const { kind, graphCode, graphSubcode, retryAfter = unnamedWaitSeconds } = failure;
  switch (kind) {
    case 'rate-limited':
      if (graphSubcode === limitSubcode) return publishingLimitReached();
      return { kind: 'waits', reason: 'rate-limited', seconds: retryAfter + Math.random() * 10 };
    case 'unavailable':
      if (graphCode === notReadyCode)
        return { kind: 'waits', reason: 'container', seconds: notReadySeconds(task), check: true };
      return retryLater(task);
    case 'permission-missing':
      return {
        ...{ kind: 'failed', code: 'meta-permission-missing' },
        message: `Meta does not allow this app to publish there${numbered(failure)}. Connect the account again with all boxes ticked.`,
      };
    case 'not-configured':
      return { kind: 'failed', code: 'meta-not-configured', message: 'This installation has no app of Meta.' };
    default:
      return { kind: 'failed', code: 'meta-refused', message: `Meta refuses this post${numbered(failure)}.` };
  }
}

/** A container that said it was ready and is not: the longer it takes, the less often it is tried. */
function notReadySeconds({ containerCreatedAt }: PublishingTask): number {
  const age = containerCreatedAt ? (Date.now() - containerCreatedAt.getTime()) / 1000 : 0;
  return Math.min(Math.max(age / 10, 10), 300);
}

/** Graph's own words may quote what they were given; its numbers say what they mean in its documentation. */
function numbered({ graphCode, graphSubcode }: MetaFailure): string {
  if (graphCode === undefined) return '';
  return graphSubcode === undefined ? ` (error ${graphCode})` : ` (error ${graphCode}, ${graphSubcode})`;
}
