import { defineProblem } from '../errors/domain-error.js';

export const InvalidRequest = defineProblem({
  code: 'invalid-request',
  status: 400,
  title: 'The request is malformed',
  meaning: 'A path, query or body does not fit the schema of the route; `errors` names each field.',
});
export const InvalidCursor = defineProblem({
  code: 'invalid-cursor',
  status: 400,
  title: 'The cursor cannot be used',
  meaning: 'The cursor was changed, or comes from another list or order. Start again without one.',
});
export const Unauthenticated = defineProblem({
  code: 'unauthenticated',
  status: 401,
  title: 'Log in first',
  meaning: 'The access token is missing, malformed, expired or not ours. Log in, or refresh.',
});
export const SessionEnded = defineProblem({
  code: 'session-ended',
  status: 401,
  title: 'The session has ended',
  meaning: 'It was logged out, revoked or has expired. Log in again.',
});
export const UserDisabled = defineProblem({
  code: 'user-disabled',
  status: 401,
  title: 'The account is disabled',
  meaning: 'An admin has disabled the account.',
});
export const TokenOutdated = defineProblem({
  code: 'token-outdated',
  status: 401,
  title: 'The access token is out of date',
  meaning: "The user's type has changed since the token was made. Refresh, and go on with the new one.",
});
export const EmailUnverified = defineProblem({
  code: 'email-unverified',
  status: 403,
  title: 'The e-mail address is not verified',
  meaning: 'Until the address is verified the account can do nothing else. Ask for a new mail if it is lost.',
});
export const Forbidden = defineProblem({
  code: 'forbidden',
  status: 403,
  title: 'Not allowed',
  meaning: 'The caller is known, but may not do this.',
});
export const RoleTooLow = defineProblem({
  code: 'role-too-low',
  status: 403,
  title: 'The role does not suffice',
  meaning: 'The caller belongs to this clinic or organisation, with a role below the one that the route asks for.',
});
export const NotFound = defineProblem({
  code: 'not-found',
  status: 404,
  title: 'Not found',
  meaning: 'It does not exist, or it is not yours: the two look the same on purpose.',
});
export const RequestTimedOut = defineProblem({
  code: 'request-timed-out',
  status: 408,
  title: 'The request did not arrive in time',
  meaning: 'Its head or its body came too slowly. Send it again.',
});
export const AlreadyExists = defineProblem({
  code: 'already-exists',
  status: 409,
  title: 'It exists already',
  meaning: 'Something with the same unique value is there; `errors` names the field.',
});
export const StillReferenced = defineProblem({
  code: 'still-referenced',
  status: 409,
  title: 'It is still in use',
  meaning: 'Other things refer to it. Remove or change them first.',
});
export const ClinicInactive = defineProblem({
  code: 'clinic-inactive',
  status: 409,
  title: 'The clinic is inactive',
  meaning: 'An inactive clinic can be read, not changed. Make it active first.',
});
export const IdempotencyKeyBusy = defineProblem({
  code: 'idempotency-key-busy',
  status: 409,
  title: 'The first request with this key still runs',
  meaning: 'Wait for its answer, or send the same request again a little later.',
});
export const PreconditionFailed = defineProblem({
  code: 'precondition-failed',
  status: 412,
  title: 'It was changed in the meantime',
  meaning: 'The `If-Match` names another version than the present one. Read it again.',
});
export const PayloadTooLarge = defineProblem({
  code: 'payload-too-large',
  status: 413,
  title: 'The body is too large',
  meaning: 'The body is above the limit of the installation (by default 1 MiB, and 200 MiB with a file).',
});
export const UnsupportedMediaType = defineProblem({
  code: 'unsupported-media-type',
  status: 415,
  title: 'Not a type that the route takes',
  meaning:
    'Bodies are `application/json`, `multipart/form-data` where a route takes a file, and ' +
    '`application/x-www-form-urlencoded` where it takes the form of a web page.',
});
export const UnknownReference = defineProblem({
  code: 'unknown-reference',
  status: 422,
  title: 'It refers to something that is not there',
  meaning: 'A field names something that does not exist, or not within this tenant; `errors` names the field.',
});
export const RuleViolated = defineProblem({
  code: 'rule-violated',
  status: 422,
  title: 'Against a rule',
  meaning: 'The value is well-formed, but a rule of the data refuses it; `errors` names the field.',
});
export const IdempotencyKeyReused = defineProblem({
  code: 'idempotency-key-reused',
  status: 422,
  title: 'The key belongs to another request',
  meaning: 'The same `Idempotency-Key` came with another path or body. Use a new key.',
});
export const TooManyRequests = defineProblem({
  code: 'too-many-requests',
  status: 429,
  title: 'Slow down',
  meaning: 'A limit is used up; `Retry-After` tells when to try again.',
});
export const HeadersTooLarge = defineProblem({
  code: 'headers-too-large',
  status: 431,
  title: 'The headers are too large',
  meaning: 'Address and headers together are above 16 KiB.',
});
export const InternalError = defineProblem({
  code: 'internal-error',
  status: 500,
  title: 'Something went wrong here',
  meaning: 'A fault of the service. Report it with the `requestId`.',
});
export const DatabaseUnavailable = defineProblem({
  code: 'database-unavailable',
  status: 503,
  title: 'The database cannot be reached',
  meaning:
    'Nothing was answered, and unless it was already committing, nothing was done. Try again after `Retry-After`.',
});
export const TookTooLong = defineProblem({
  code: 'took-too-long',
  status: 503,
  title: 'It took too long',
  meaning: 'A statement ran into its time limit, or waited too long for a lock. Nothing was done.',
});
export const NotReady = defineProblem({
  code: 'not-ready',
  status: 503,
  title: 'Not ready to serve',
  meaning: 'The database is away, or its migrations are not those of this version.',
});
