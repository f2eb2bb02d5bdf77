import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Currency, Line, Timestamp, TimeZone, Uuid } from '../../../kernel/http/primitives.js';
import { type ClinicRole, clinicRoles } from '../../../kernel/tenancy/actor.js';

const Status = z.enum(['active', 'inactive']);

export const Clinic = z
  .object({
    id: Uuid,
    organisationId: Uuid,
    name: z.string(),
    location: z.string().nullable(),
    timeZone: z.string().meta({ description: 'IANA' }),
    currency: z.string().meta({ description: 'ISO 4217' }),
    status: Status,
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Clinic' });
export type Clinic = z.input<typeof Clinic>;

export const OwnClinic = Clinic.extend({
  role: z
    .enum(clinicRoles)
    .nullable()
    .meta({ description: 'The effective role of the caller; null for an admin without one.' }),
}).meta({ id: 'OwnClinic' });

export const Clinics = pageOf(OwnClinic, 'Clinics');
export type Clinics = z.input<typeof Clinics>;
export const ClinicsQuery = pageQuery.extend({ status: Status.optional() });
export type ClinicsQuery = z.infer<typeof ClinicsQuery>;

const fields = { name: Line, location: Line.nullable(), timeZone: TimeZone, currency: Currency };

export const NewClinic = z.strictObject({ ...fields, location: fields.location.optional() }).meta({ id: 'NewClinic' });
export type NewClinic = z.infer<typeof NewClinic>;

export const ClinicChanges = z
  .strictObject({ ...fields, status: Status })
  .partial()
  .meta({ id: 'ClinicChanges' });
export type ClinicChanges = z.infer<typeof ClinicChanges>;

export const ClinicStatistics = z
  .object({
    members: z
      .object({ viewer: z.int(), staff: z.int(), provider: z.int(), clinic_admin: z.int() } satisfies Record<
        ClinicRole,
        z.ZodType
      >)
      .meta({ description: 'Active members by role.' }),
    providers: z.object({ active: z.int(), inactive: z.int() }),
    pendingInvitations: z.int().meta({ description: 'Those that the caller may see: 0 below clinic_admin.' }),
  })
  .meta({ id: 'ClinicStatistics' });
export type ClinicStatistics = z.infer<typeof ClinicStatistics>;
