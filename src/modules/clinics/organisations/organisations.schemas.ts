import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { organisationRoles } from '../../../kernel/tenancy/actor.js';

const Slug = z
  .string()
  .max(80)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  .meta({ description: 'Lower-case letters, digits and single dashes.', examples: ['northside-health'] });

export const Organisation = z
  .object({ id: Uuid, name: z.string(), slug: z.string(), createdAt: Timestamp, updatedAt: Timestamp })
  .meta({ id: 'Organisation' });
export type Organisation = z.input<typeof Organisation>;

export const OwnOrganisation = Organisation.extend({
  role: z.enum(organisationRoles).nullable().meta({ description: 'Null with a role in one of its clinics only.' }),
}).meta({ id: 'OwnOrganisation' });

export const Organisations = pageOf(OwnOrganisation, 'Organisations');
export type Organisations = z.input<typeof Organisations>;
export const OrganisationsQuery = pageQuery;
export type OrganisationsQuery = z.infer<typeof OrganisationsQuery>;

export const NewOrganisation = z.strictObject({ name: Line, slug: Slug.optional() }).meta({ id: 'NewOrganisation' });
export type NewOrganisation = z.infer<typeof NewOrganisation>;

export const OrganisationChanges = z
  .strictObject({ name: Line, slug: Slug })
  .partial()
  .meta({ id: 'OrganisationChanges' });
export type OrganisationChanges = z.infer<typeof OrganisationChanges>;
