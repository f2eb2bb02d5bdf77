import { GoogleFailure } from '../../../integrations/google/google-failure.js';
import type { DomainError } from '../../../kernel/errors/domain-error.js';
import {
  GoogleNotConfigured,
  GoogleRateLimited,
  GoogleReauthorize,
  GoogleUnavailable,
  SpreadsheetNotReadable,
} from './sheets.errors.js';

const defaultWaitSeconds = 30;

/** What a failed call to Google means to whoever asked; other errors are left as they are. */
export function asSheetsProblem(error: unknown): unknown {
  return error instanceof GoogleFailure ? problemOf(error) : error;
}

function problemOf(failure: GoogleFailure): DomainError {
  const options = { retryAfter: failure.retryAfter ?? defaultWaitSeconds, cause: failure };
  switch (failure.kind) {
    case 'not-configured':
      return new GoogleNotConfigured(undefined, { cause: failure });
    case 'invalid-grant':
    case 'unauthorised':
      return new GoogleReauthorize(undefined, { cause: failure });
    case 'forbidden':
    case 'not-found':
    case 'refused':
      return new SpreadsheetNotReadable(undefined, { cause: failure });
    case 'rate-limited':
      return new GoogleRateLimited(undefined, options);
    case 'unavailable':
      return new GoogleUnavailable(undefined, options);
  }
}

/** Asks Google for somebody who waits for the answer. */
export async function forPerson<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asSheetsProblem(error);
  }
}
