import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Email, Line, NewPassword, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { clinicRoles, organisationRoles } from '../../../kernel/tenancy/actor.js';
import { invitationStates } from './invitation-state.js';

const ClinicRole = z.enum(clinicRoles);
const OrganisationRole = z.enum(organisationRoles);

export const Invitation = z
  .object({
    id: Uuid,
    clinicId: Uuid.nullable(),
    organisationId: Uuid.nullable(),
    email: z.string(),
    role: z.enum([...clinicRoles, ...organisationRoles]),
    state: z.enum(invitationStates),
    expiresAt: Timestamp,
    sentAt: Timestamp.nullable().meta({ description: 'When the mail left; null while it waits in the queue.' }),
    createdAt: Timestamp,
  })
  .meta({ id: 'Invitation' });
export type Invitation = z.input<typeof Invitation>;

export const Invitations = pageOf(Invitation, 'Invitations');
export type Invitations = z.input<typeof Invitations>;
export const InvitationsQuery = pageQuery;
export type InvitationsQuery = z.infer<typeof InvitationsQuery>;

export const NewClinicInvitation = z
  .strictObject({ email: Email, role: ClinicRole })
  .meta({ id: 'NewClinicInvitation' });
export type NewClinicInvitation = z.infer<typeof NewClinicInvitation>;
export const NewOrganisationInvitation = z
  .strictObject({ email: Email, role: OrganisationRole })
  .meta({ id: 'NewOrganisationInvitation' });
export type NewOrganisationInvitation = z.infer<typeof NewOrganisationInvitation>;

export const Acceptance = z
  .strictObject({
    token: z.string().min(20).max(200).optional().meta({ description: 'From the mail.' }),
    invitationId: Uuid.optional().meta({
      description: 'Instead of the token, when logged in with the invited, verified address.',
    }),
    account: z.strictObject({ password: NewPassword, firstName: Line, lastName: Line }).optional().meta({
      description: 'Where nobody has proven the address yet: the account is made with it, or taken over, verified.',
    }),
  })
  .refine(({ token, invitationId }) => (token === undefined) !== (invitationId === undefined), {
    error: 'send the token or the invitationId',
    path: ['token'],
  })
  .meta({ id: 'Acceptance' });
export type Acceptance = z.infer<typeof Acceptance>;

export const Accepted = z
  .object({
    invitationId: Uuid,
    userId: Uuid,
    clinicId: Uuid.nullable(),
    organisationId: Uuid.nullable(),
    role: z.enum([...clinicRoles, ...organisationRoles]),
  })
  .meta({ id: 'AcceptedInvitation' });
export type Accepted = z.infer<typeof Accepted>;
