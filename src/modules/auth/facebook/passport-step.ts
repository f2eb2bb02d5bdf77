import type { FacebookStrategy, StepOptions } from './facebook.strategy.js';
import type { FacebookPerson } from './facebook-person.js';

/** What came of a step, where passport's own middleware would write an answer at once. */
export type Outcome =
  | { kind: 'redirect'; url: string }
  | { kind: 'success'; person: FacebookPerson }
  | { kind: 'denied' };

type Request = Parameters<FacebookStrategy['authenticate']>[0];

/**
 * Runs one step of a strategy, as passport does: on a copy that has the methods by which it says what came of it. An
 * answer may leave only after the commit of what belongs to it, so nothing here touches the response.
 *
 * @param query what Facebook sent the browser back with; nothing for the first step
 * @throws what the step failed with: what the Graph client throws, or an error of passport's
 */
export function runStep(strategy: FacebookStrategy, query: object, options: StepOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const step = Object.assign(Object.create(strategy) as FacebookStrategy, {
      redirect: (url: string) => resolve({ kind: 'redirect', url }),
      success: (user: object) => resolve({ kind: 'success', person: user as FacebookPerson }),
      fail: () => resolve({ kind: 'denied' }),
      error: (error: unknown) => reject(causeOf(error)),
    });
    step.authenticate({ query } as unknown as Request, options);
  });
}

/** Passport wraps what the exchange of a code failed with. */
function causeOf(error: unknown): unknown {
  return (error as { oauthError?: unknown } | null)?.oauthError ?? error;
}
