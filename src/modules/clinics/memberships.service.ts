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

  /** Whether there is a clinic that the caller administers. */
  async administersAny(): Promise<boolean> {
    const row = await this.database.first<{ any: boolean }>(
      `SELECT cardinality(app.clinic_ids('clinic_admin')) > 0 AS any`,
    );
    return row?.any ?? false;
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

/** The ids of the people with a role in the clinics that the caller administers, as a sub-select. */
export const membersOfAdministeredClinics = `
  SELECT r.user_id FROM public.user_clinic_roles r
   WHERE r.clinic_id = ANY ((SELECT app.clinic_ids('clinic_admin'))::uuid[]) AND r.is_active`;
