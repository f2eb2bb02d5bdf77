import { z } from 'zod';

/**
 * What went wrong, as far as somebody can do something about it:
 * - `not-configured`: the installation has no OAuth client, or Google does not know it
 * - `invalid-grant`: a code or refresh token that is used, expired or revoked
 * - `unauthorised`: the access token is not taken any more
 * - `forbidden`: the account may not do this, or did not allow the scope
 * - `not-found`, `refused`: a file that is not there; a request that Google calls wrong
 * - `rate-limited`, `unavailable`: later it may well succeed
 */
export type GoogleFailureKind =
  | 'not-configured'
  | 'invalid-grant'
  | 'unauthorised'
  | 'forbidden'
  | 'not-found'
  | 'refused'
  | 'rate-limited'
  | 'unavailable';

/** A call to Google that failed. Its message holds nothing that Google said: that may quote what it was given. */
export class GoogleFailure extends Error {
  override readonly name = 'GoogleFailure';
  /** As other errors have it: what may stand in a log. */
  readonly code: GoogleFailureKind;

  constructor(
    readonly kind: GoogleFailureKind,
    /** Seconds, where Google named them. */
    readonly retryAfter?: number,
  ) {
    super(`Google: ${kind}`);
    this.code = kind;
  }
}

/** Runs a call, and turns whatever it throws into a GoogleFailure. */
export async function askingGoogle<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asGoogleFailure(error);
  }
}

interface AnswerHeaders {
  get(name: string): string | null;
}
const AnswerHeaders = z.custom<AnswerHeaders>(
  (value) => typeof value === 'object' && value !== null && 'get' in value && typeof value.get === 'function',
);
const Refused = z.object({
  response: z.object({ status: z.number(), headers: AnswerHeaders.optional(), data: z.unknown() }),
});
const OAuthRefusal = z.object({ error: z.string() });
const Reasons = z.object({
  error: z.object({
    errors: z.array(z.object({ reason: z.string() })).optional(),
    details: z.array(z.object({ reason: z.string().optional() })).optional(),
  }),
});

function asGoogleFailure(error: unknown): GoogleFailure {
  if (error instanceof GoogleFailure) return error;
  const refused = Refused.safeParse(error);
  // No answer, a late one, one that was cut off or that does not say what it should.
  if (!refused.success) return new GoogleFailure('unavailable');
  const { status, headers, data } = refused.data.response;
  return new GoogleFailure(kindOf(status, data), retryAfterOf(headers));
}

function kindOf(status: number, data: unknown): GoogleFailureKind {
  const oauth = OAuthRefusal.safeParse(data);
  const known = oauth.success ? oauthKinds[oauth.data.error] : undefined;
  if (known) return known;
  if (status === 403 && reasonsOf(data).some((reason) => limits.has(reason))) return 'rate-limited';
  if (status >= 500 || status === 408) return 'unavailable';
  return statusKinds[status] ?? 'refused';
}

/** RFC 6749 section 5.2, and what Google's token endpoint says besides when it is asked too often or is not well. */
const oauthKinds: Record<string, GoogleFailureKind> = {
  invalid_grant: 'invalid-grant',
  invalid_token: 'invalid-grant',
  invalid_client: 'not-configured',
  unauthorized_client: 'not-configured',
  redirect_uri_mismatch: 'not-configured',
  rate_limit_exceeded: 'rate-limited',
  internal_failure: 'unavailable',
  temporarily_unavailable: 'unavailable',
};

const statusKinds: Record<number, GoogleFailureKind> = {
  401: 'unauthorised',
  403: 'forbidden',
  404: 'not-found',
  429: 'rate-limited',
};

/** Drive answers 403 where a limit is used up: https://developers.google.com/drive/api/guides/handle-errors */
const limits: ReadonlySet<string> = new Set([
  'dailyLimitExceeded',
  'rateLimitExceeded',
  'sharingRateLimitExceeded',
  'userRateLimitExceeded',
  'RATE_LIMIT_EXCEEDED',
]);

function reasonsOf(data: unknown): string[] {
  const parsed = Reasons.safeParse(data);
  if (!parsed.success) return [];
  const { errors = [], details = [] } = parsed.data.error;
  return [...errors, ...details].flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterOf(headers: AnswerHeaders | undefined): number | undefined {
  const value = headers?.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}
