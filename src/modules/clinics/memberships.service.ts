import { Injectable } from '@nestjs/common';
import type { ClinicRole, OrganisationRole } from '../../kernel/tenancy/actor.js';
import { Database } from '../../kernel/tenancy/database.js';

export interface ClinicMembership {
  id: string;
  name: string;
  organisationId: string;
  /** The effective role: owners and managers of the organisation count as clinic_admin. */
  role: ClinicRole;
}

export interface OrganisationMembership {
  id: string;
  name: string;
  slug: string;
  /** Null for whoever only has a role in one of its clinics. */
  role: OrganisationRole | null;
}

/** Where the caller belongs: what other modules may ask of this one. */
@Injectable()
export class MembershipsService {
  constructor(private readonly database: Database) {}

  clinicsOfCaller(): Promise<ClinicMembership[]> {
    return this.database.query<ClinicMembership>(clinicsOfCaller);
  }

  organisationsOfCaller(): Promise<OrganisationMembership[]> {
    return this.database.query<OrganisationMembership>(organisationsOfCaller);
  }

  /** The people with a role in the clinics that the caller administers; undefined when there is no such clinic. */
  async membersOfAdministeredClinics(): Promise<string[] | undefined> {
    const row = await this.database.first<{ clinics: number; people: string[] | null }>(membersOfAdministeredClinics);
    return row && row.clinics > 0 ? (row.people ?? []) : undefined;
  }
}

const clinicsOfCaller = `
  SELECT c.id, c.name, c.organisation_id,
         greatest(r.role, CASE WHEN m.role >= 'manager' THEN 'clinic_admin'::app.clinic_role END) AS role
    FROM public.clinics c
    LEFT JOIN public.user_clinic_roles r ON r.clinic_id = c.id AND r.user_id = app.user_id() AND r.is_active
    LEFT JOIN public.organisation_members m ON m.organisation_id = c.organisation_id AND m.user_id = app.user_id()
   WHERE r.id IS NOT NULL OR m.role >= 'manager'
   ORDER BY c.name, c.id`;

const organisationsOfCaller = `
  SELECT o.id, o.name, o.slug, m.role
    FROM public.organisations o
    LEFT JOIN public.organisation_members m ON m.organisation_id = o.id AND m.user_id = app.user_id()
   WHERE m.id IS NOT NULL
      OR EXISTS (SELECT FROM public.user_clinic_roles r JOIN public.clinics c ON c.id = r.clinic_id
                  WHERE c.organisation_id = o.id AND r.user_id = app.user_id() AND r.is_active)
   ORDER BY o.name, o.id`;

const membersOfAdministeredClinics = `
  WITH administered AS (SELECT unnest(app.clinic_ids('clinic_admin')) AS id)
  SELECT (SELECT count(*)::int FROM administered) AS clinics,
         (SELECT array_agg(DISTINCT r.user_id) FROM public.user_clinic_roles r JOIN administered a ON a.id = r.clinic_id
           WHERE r.is_active) AS people`;
