import { defineProblem } from '../../kernel/errors/domain-error.js';

export const WrongCredentials = defineProblem({
  code: 'wrong-credentials',
  status: 401,
  title: 'Address or password is wrong',
  meaning: 'No account has this address and password, or it is disabled. Which of them it is, is not told.',
});
export const RefreshRefused = defineProblem({
  code: 'refresh-refused',
  status: 401,
  title: 'The refresh token does not work',
  meaning:
    'It is unknown, its session has ended, or it was used before: then the whole session is ended. Log in again.',
});
export const InvalidOneTimeToken = defineProblem({
  code: 'invalid-one-time-token',
  status: 422,
  title: 'The token from the mail does not work',
  meaning: 'It is unknown, was used before, has expired, or a later mail replaced it. Ask for a new one.',
});
export const NotYourClinic = defineProblem({
  code: 'not-your-clinic',
  status: 422,
  title: 'You have no role in this clinic',
  meaning: 'The default clinic must be one in which the person has a role.',
});
export const NotYourself = defineProblem({
  code: 'not-yourself',
  status: 409,
  title: 'Not on your own account',
  meaning: 'An admin cannot disable, delete or demote their own account: another admin can.',
});
export const NoAdminLeft = defineProblem({
  code: 'no-admin-left',
  status: 409,
  title: 'Nobody would be left to run the installation',
  meaning:
    'The last enabled admin can be neither disabled, deleted nor demoted, also not by another at the same moment.',
});
export const ReturnToRefused = defineProblem({
  code: 'return-to-refused',
  status: 422,
  title: 'A log-in does not return there',
  meaning:
    'The `returnTo` must be a full address on an origin that the installation allows (`APP_URL`, `CORS_ORIGINS`, ' +
    '`META_RETURN_ORIGINS`), without a fragment and without credentials.',
});
export const FacebookStateInvalid = defineProblem({
  code: 'facebook-state-invalid',
  status: 422,
  title: 'The return from Facebook cannot be taken',
  meaning: 'The `state` is not ours, was used, is older than ten minutes, or belongs to another browser. Begin again.',
});
export const FacebookDenied = defineProblem({
  code: 'facebook-denied',
  status: 422,
  title: 'Facebook was told not to',
  meaning: 'The person cancelled the dialog, or Facebook ended it. Nothing has changed; begin again.',
});
export const FacebookAnswerRefused = defineProblem({
  code: 'facebook-answer-refused',
  status: 422,
  title: 'Facebook does not confirm its answer',
  meaning: 'The code that came from the dialog does not work: it is false, was used, or is too old. Begin again.',
});
export const FacebookCodeInvalid = defineProblem({
  code: 'facebook-code-invalid',
  status: 422,
  title: 'The code of the log-in does not work',
  meaning:
    'It is unknown, was used, is older than two minutes (ten, to link), or the `codeVerifier` is missing or not the one ' +
    'that belongs to the `codeChallenge`. Without a `codeChallenge` it links only the account that has the address which Facebook told.',
});
export const FacebookTokenRefused = defineProblem({
  code: 'facebook-token-refused',
  status: 422,
  title: 'The token of Facebook does not count',
  meaning: 'It is invalid, has expired, is no token of a person, or was given to another app than this one.',
});
export const LinkRequired = defineProblem({
  code: 'link-required',
  status: 409,
  title: 'There is an account with this address',
  meaning:
    'The address that Facebook told belongs to an account that is not linked with it. Log in there, then link the two ' +
    'with the same code, which works for that during ten minutes: `POST /auth/facebook/link`.',
});
export const IdentityTaken = defineProblem({
  code: 'identity-taken',
  status: 409,
  title: 'It is linked with another account',
  meaning: 'This person of Facebook logs in to another account. Unlink it there first.',
});
export const AlreadyLinked = defineProblem({
  code: 'already-linked',
  status: 409,
  title: 'Another person of Facebook is linked',
  meaning: 'An account is linked with one person of Facebook at most. Unlink that one first.',
});
export const LastLogin = defineProblem({
  code: 'last-login',
  status: 409,
  title: 'Nobody could log in any more',
  meaning: 'It is the only way into the account. Set a password first.',
});
export const SignedRequestRefused = defineProblem({
  code: 'signed-request-refused',
  status: 400,
  title: 'The request is not signed by Meta',
  meaning: "The `signed_request` is malformed, or its signature is not by the app's secret.",
});
