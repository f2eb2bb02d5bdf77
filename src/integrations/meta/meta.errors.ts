import { type DomainError, defineProblem } from '../../kernel/errors/domain-error.js';
import { MetaFailure } from './meta-failure.js';

export const MetaNotConfigured = defineProblem({
  code: 'meta-not-configured',
  status: 503,
  title: 'Meta is not set up here',
  meaning: 'The installation has no app of Meta, or one that Meta refuses. Its operator sets it up.',
});
export const MetaUnavailable = defineProblem({
  code: 'meta-unavailable',
  status: 503,
  title: 'Meta does not answer',
  meaning: 'Meta was asked and gave no answer in time, or none that makes sense. Try again later.',
});
export const MetaRateLimited = defineProblem({
  code: 'meta-rate-limited',
  status: 503,
  title: 'Meta asks us to slow down',
  meaning: 'A rate limit of Meta is used up for this page, account or app. Try again after `Retry-After`.',
});
export const MetaReauthorize = defineProblem({
  code: 'meta-reauthorize',
  status: 409,
  title: 'Meta wants a new consent',
  meaning: 'The access has expired or was withdrawn, or the code of the dialog is not taken. Connect or log in again.',
});
export const MetaPermissionMissing = defineProblem({
  code: 'meta-permission-missing',
  status: 422,
  title: 'The consent does not suffice',
  meaning:
    "A permission was not granted on Meta's page, or the person has lost their role on the page or account. Connect " +
    'again, and leave all boxes ticked.',
});
export const MetaRefused = defineProblem({
  code: 'meta-refused',
  status: 422,
  title: 'Meta refuses this',
  meaning: 'Meta calls the request wrong, or knows no such object. The same request will be refused again.',
});

export const MetaOutsideWindow = defineProblem({
  code: 'meta-outside-window',
  status: 422,
  title: 'Meta no longer lets this person be answered',
  meaning: 'A message must follow what the person wrote within the time that Meta sets. They have to write again.',
});
export const MetaRecipientUnavailable = defineProblem({
  code: 'meta-recipient-unavailable',
  status: 422,
  title: 'This person cannot be written to',
  meaning: 'Meta does not deliver to them: they have left, do not want messages, or never wrote to this page.',
});

const defaultWaitSeconds = 30;

/** What a failed call to Meta means to whoever asked; other errors are left as they are: `throw asMetaProblem(error)`. */
export function asMetaProblem(error: unknown): unknown {
  return error instanceof MetaFailure ? problemOf(error) : error;
}

function problemOf(failure: MetaFailure): DomainError {
  const cause = { cause: failure };
  const later = { retryAfter: failure.retryAfter ?? defaultWaitSeconds, cause: failure };
  switch (failure.kind) {
    case 'not-configured':
      return new MetaNotConfigured(undefined, cause);
    case 'code-refused':
    case 'token-invalid':
      return new MetaReauthorize(undefined, cause);
    case 'permission-missing':
      return new MetaPermissionMissing(undefined, cause);
    case 'outside-window':
      return new MetaOutsideWindow(undefined, cause);
    case 'recipient-unavailable':
      return new MetaRecipientUnavailable(undefined, cause);
    case 'not-found':
    case 'refused':
      return new MetaRefused(undefined, cause);
    case 'rate-limited':
      return new MetaRateLimited(undefined, later);
    case 'unavailable':
      return new MetaUnavailable(undefined, later);
  }
}
