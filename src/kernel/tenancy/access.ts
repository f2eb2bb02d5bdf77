import type { ClinicRole, OrganisationRole, UserType } from './actor.js';

/** Who may call a route. Row-level security decides what they find there. */
export type Access =
  | { kind: 'public'; honoursToken: boolean }
  | { kind: 'signed-in' }
  | { kind: 'user-type'; userType: UserType }
  | { kind: 'clinic'; role: ClinicRole }
  | { kind: 'organisation'; role: OrganisationRole | null; clinicRole: ClinicRole | null };

/** Anybody. A token that is sent along is not looked at: it may well have expired when somebody logs in or refreshes. */
export const anybody: Access = { kind: 'public', honoursToken: false };

/** Anybody; whoever sends a token acts as that user, and a bad one is refused. */
export const anybodyOrSignedIn: Access = { kind: 'public', honoursToken: true };

/** Everybody who is logged in. */
export const signedIn: Access = { kind: 'signed-in' };

/** Users of that type alone; everybody else is refused with 403, admins too where it is not theirs. */
export const signedInAs = (userType: UserType): Access => ({ kind: 'user-type', userType });

/** Users of type `admin`; everybody else is refused with 403. */
export const adminOnly: Access = signedInAs('admin');

/** At least this role in the clinic that the path names as `clinicId`. */
export const clinicRole = (role: ClinicRole): Access => ({ kind: 'clinic', role });

/** At least this role in the organisation that the path names as `organisationId`. */
export const organisationRole = (role: OrganisationRole): Access => ({ kind: 'organisation', role, clinicRole: null });

/** Any relation to the organisation: membership, or a role in one of its clinics. */
export const organisationReader: Access = { kind: 'organisation', role: null, clinicRole: null };

/** At least this role in one of the active clinics of the organisation that the path names; its managers have it. */
export const organisationStaff = (clinicRole: ClinicRole): Access => ({
  kind: 'organisation',
  role: null,
  clinicRole,
});

/** The requirement in words, for the API's documentation. */
export function describeAccess(access: Access): string {
  switch (access.kind) {
    case 'public':
      return 'anybody';
    case 'signed-in':
      return 'any signed-in user';
    case 'user-type':
      return `users of type \`${access.userType}\``;
    case 'clinic':
      return `\`${access.role}\` or above in the clinic`;
    case 'organisation':
      if (access.clinicRole)
        return `\`${access.clinicRole}\` or above in one of the organisation's clinics, or its managers`;
      return access.role === null
        ? 'whoever belongs to the organisation or has a role in one of its clinics'
        : `\`${access.role}\` or above in the organisation`;
  }
}
