import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Email, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { clinicRoles, organisationRoles } from '../../../kernel/tenancy/actor.js';

const ClinicRole = z.enum(clinicRoles);
const OrganisationRole = z.enum(organisationRoles);

const person = {
  userId: Uuid,
  email: z.string().nullable(),
  firstName: z.string().nullable(),
  lastName: z.string().nullable(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
};

export const ClinicMember = z
  .object({ ...person, role: ClinicRole, isActive: z.boolean() })
  .meta({ id: 'ClinicMember' });
export type ClinicMember = z.input<typeof ClinicMember>;
export const ClinicMembers = pageOf(ClinicMember, 'ClinicMembers');
export type ClinicMembers = z.input<typeof ClinicMembers>;

export const OrganisationMember = z.object({ ...person, role: OrganisationRole }).meta({ id: 'OrganisationMember' });
export type OrganisationMember = z.input<typeof OrganisationMember>;
export const OrganisationMembers = pageOf(OrganisationMember, 'OrganisationMembers');
export type OrganisationMembers = z.input<typeof OrganisationMembers>;

export const MembersQuery = pageQuery;
export type MembersQuery = z.infer<typeof MembersQuery>;

const namesOnePerson = ({ userId, email }: { userId?: string; email?: string }) =>
  (userId === undefined) !== (email === undefined);
const onePerson = { error: 'name the person by userId or by email', path: ['userId'] };
const personReference = { userId: Uuid.optional(), email: Email.optional() };

export const NewClinicMember = z
  .strictObject({ ...personReference, role: ClinicRole })
  .refine(namesOnePerson, onePerson)
  .meta({ id: 'NewClinicMember' });
export type NewClinicMember = z.infer<typeof NewClinicMember>;

export const NewOrganisationMember = z
  .strictObject({ ...personReference, role: OrganisationRole })
  .refine(namesOnePerson, onePerson)
  .meta({ id: 'NewOrganisationMember' });
export type NewOrganisationMember = z.infer<typeof NewOrganisationMember>;

export const ClinicMemberChanges = z
  .strictObject({ role: ClinicRole, isActive: z.boolean() })
  .partial()
  .meta({ id: 'ClinicMemberChanges' });
export type ClinicMemberChanges = z.infer<typeof ClinicMemberChanges>;

export const OrganisationMemberChanges = z
  .strictObject({ role: OrganisationRole })
  .meta({ id: 'OrganisationMemberChanges' });
export type OrganisationMemberChanges = z.infer<typeof OrganisationMemberChanges>;
