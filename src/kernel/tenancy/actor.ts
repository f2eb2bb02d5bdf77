import type { ServiceReason } from './service-reasons.js';

/** The four database roles that a transaction may drop to. The bare login can read nothing. */
export type DatabaseRole = 'anon' | 'authenticated' | 'super_admin' | 'service_role';

/** Ascending: whoever has a role has those before it. The same order as the enum `app.clinic_role`. */
export const clinicRoles = ['viewer', 'staff', 'provider', 'clinic_admin'] as const;
export type ClinicRole = (typeof clinicRoles)[number];

/** Ascending, as the enum `app.organisation_role`. */
export const organisationRoles = ['member', 'manager', 'owner'] as const;
export type OrganisationRole = (typeof organisationRoles)[number];

export const userTypes = ['admin', 'provider', 'patient', 'research-partner', 'developer'] as const;
export type UserType = (typeof userTypes)[number];

/** On whose account work outside a request runs: the service's own, or that of one user. */
export type Actor = { service: ServiceReason } | { user: string; reason: ServiceReason };
