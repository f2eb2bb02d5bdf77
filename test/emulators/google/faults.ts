import {
  apiError,
  backendError,
  entityNotFound,
  insufficientScope,
  oauthError,
  permissionDenied,
  quotaExceeded,
  type Reply,
  unauthenticated,
  unavailable,
  usageLimit,
} from './problems.ts';

/** The calls that can go wrong, as the counts name them. */
export const callNames = [
  ...['token', 'revoke', 'files.list', 'spreadsheets.get', 'values.get', 'values.batchGet'],
] as const;
export type CallName = (typeof callNames)[number];

/** What goes wrong: a refusal in Google's form, or an answer that is none. */
export const faultKinds = [
  ...['unauthenticated', 'permission-denied', 'insufficient-scope', 'not-found', 'bad-request'],
  ...['rate-limited', 'usage-limit', 'internal', 'unavailable', 'slow', 'cut', 'truncated', 'malformed', 'html'],
  ...['token-revoked', 'token-limited'],
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** Which call; every one unless given. */
  on?: CallName;
  kind: FaultKind;
  /** How many calls it meets; 1 unless given. */
  times?: number;
  /** How many calls are answered well before; 0 unless given. */
  after?: number;
  /** Seconds, of `rate-limited` and `unavailable`. */
  retryAfter?: number;
  /** Of `slow`. */
  delayMs?: number;
}

type WaitingFault = Fault & Required<Pick<Fault, 'times' | 'after'>>;

/** Faults that wait for their call. The first that fits is met. */
export class Faults {
  private waiting: WaitingFault[] = [];

  add(fault: Fault): void {
    this.waiting.push({ times: 1, after: 0, ...fault });
  }

  clear(): void {
    this.waiting = [];
  }

  next(call: CallName): Fault | undefined {
    const found = this.waiting.find(({ on = call }) => on === call);
    if (!found) return undefined;
    if (found.after > 0) {
      found.after -= 1;
      return undefined;
    }
    found.times -= 1;
    if (found.times <= 0) this.waiting = this.waiting.filter((each) => each !== found);
    return found;
  }
}

/** The refusals; undefined for faults of the connection, which the server stages itself. */
export function refusalFor({ kind, retryAfter }: Fault): Reply | undefined {
  switch (kind) {
    case 'unauthenticated':
    case 'token-revoked':
      return unauthenticated();
    case 'permission-denied':
      return permissionDenied();
    case 'insufficient-scope':
      return insufficientScope();
    case 'not-found':
      return entityNotFound();
    case 'bad-request':
      return apiError(400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.');
    case 'rate-limited':
      return quotaExceeded(retryAfter);
    case 'token-limited':
      return oauthError('rate_limit_exceeded', 'Rate Limit Exceeded', 429);
    case 'usage-limit':
      return usageLimit();
    case 'internal':
      return backendError();
    case 'unavailable':
      return retryAfter === undefined
        ? unavailable()
        : { ...unavailable(), headers: { 'retry-after': String(retryAfter) } };
    default:
      return undefined;
  }
}
