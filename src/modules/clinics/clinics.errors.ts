import { defineProblem } from '../../kernel/errors/domain-error.js';

export const LastAdmin = defineProblem({
  code: 'last-admin',
  status: 409,
  title: 'Somebody must stay in charge',
  meaning: 'The last owner of an organisation and the last clinic_admin of a clinic can neither leave nor be demoted.',
});
export const ClinicHasFacts = defineProblem({
  code: 'clinic-has-facts',
  status: 409,
  title: 'Time zone and currency are fixed',
  meaning: 'The clinic has facts that were counted in its days and its currency; neither can change any more.',
});
export const OrganisationNotEmpty = defineProblem({
  code: 'organisation-not-empty',
  status: 409,
  title: 'The organisation still has clinics',
  meaning: 'Only an organisation without clinics can be deleted.',
});
export const ClinicNotEmpty = defineProblem({
  code: 'clinic-not-empty',
  status: 409,
  title: 'The clinic is still in use',
  meaning: 'Only a clinic without providers and facts can be deleted. Make it inactive instead.',
});
export const AlreadyMember = defineProblem({
  code: 'already-member',
  status: 409,
  title: 'The person is a member already',
  meaning: 'Change the role of the membership that is there.',
});
export const AlreadyInvited = defineProblem({
  code: 'already-invited',
  status: 409,
  title: 'The address is invited already',
  meaning: 'There is a pending invitation. Revoke it to send another.',
});
export const InvitationNotPending = defineProblem({
  code: 'invitation-not-pending',
  status: 409,
  title: 'The invitation is over',
  meaning: 'It was accepted, revoked or has expired, and cannot be revoked any more.',
});
export const InvitationNotFound = defineProblem({
  code: 'invitation-not-found',
  status: 404,
  title: 'There is no such invitation',
  meaning:
    'The token is unknown, the invitation was accepted, revoked or has expired, or whoever sent it may not invite any ' +
    'more. Ask for a new one.',
});
export const InvitationForAnotherAddress = defineProblem({
  code: 'invitation-for-another-address',
  status: 403,
  title: 'The invitation is for another address',
  meaning: 'Log in with the account of the invited address, or accept without being logged in.',
});
export const AccountNeeded = defineProblem({
  code: 'account-needed',
  status: 422,
  title: 'An account is needed',
  meaning: 'Nobody has proven yet to have the invited address: send `account` with a password and a name.',
});
