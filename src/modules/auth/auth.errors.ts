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
