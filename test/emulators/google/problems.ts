/** Google's refusals in Google's words: the body of the APIs (google.rpc.Status) and that of the OAuth endpoints. */

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

interface Detail {
  reason: string;
  /** The reason in the older list `errors`, which Drive sends and Sheets sends for limits. */
  legacyReason: string;
}

/** https://cloud.google.com/apis/design/errors */
export function apiError(status: number, state: string, message: string, detail?: Detail): Reply {
  const errors = detail && [{ message, domain: 'global', reason: detail.legacyReason }];
  const details = detail && [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: detail.reason, domain: 'googleapis.com' },
  ];
  return { status, body: { error: { code: status, message, status: state, errors, details } } };
}

/** RFC 6749 section 5.2. */
export function oauthError(error: string, description: string, status = 400): Reply {
  return { status, body: { error, error_description: description } };
}

export const unauthenticated = (): Reply =>
  apiError(
    401,
    'UNAUTHENTICATED',
    'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
  );

export const insufficientScope = (): Reply => ({
  ...apiError(403, 'PERMISSION_DENIED', 'Request had insufficient authentication scopes.', {
    reason: 'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
    legacyReason: 'insufficientPermissions',
  }),
  headers: { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"' },
});

export const permissionDenied = (): Reply => apiError(403, 'PERMISSION_DENIED', 'The caller does not have permission');

export const entityNotFound = (): Reply => apiError(404, 'NOT_FOUND', 'Requested entity was not found.');

export const invalidArgument = (message: string): Reply => apiError(400, 'INVALID_ARGUMENT', message);

/** Sheets: 429. `Retry-After` is not promised by Google, and honoured where it comes. */
export function quotaExceeded(retryAfter?: number): Reply {
  const reply = apiError(
    429,
    'RESOURCE_EXHAUSTED',
    "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per user'.",
    { reason: 'RATE_LIMIT_EXCEEDED', legacyReason: 'rateLimitExceeded' },
  );
  return retryAfter === undefined ? reply : { ...reply, headers: { 'retry-after': String(retryAfter) } };
}

/** Drive says the same with 403: https://developers.google.com/drive/api/guides/handle-errors */
export function usageLimit(): Reply {
  const message = 'User Rate Limit Exceeded. Rate of requests for user exceed configured project quota.';
  const errors = [{ domain: 'usageLimits', reason: 'userRateLimitExceeded', message }];
  return { status: 403, body: { error: { code: 403, message, errors } } };
}

export const backendError = (): Reply => apiError(500, 'INTERNAL', 'Internal error encountered.');

export const unavailable = (): Reply => apiError(503, 'UNAVAILABLE', 'The service is currently unavailable.');
