import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { ClinicInactive, NotFound, RoleTooLow } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { ClinicNotEmpty } from '../clinics.errors.js';
import type { Clinic, ClinicChanges, ClinicStatistics, Clinics, ClinicsQuery, NewClinic } from './clinics.schemas.js';

const purpose = 'clinics';
const columns = 'id, organisation_id, name, location, time_zone, currency, status, created_at, updated_at';

@Injectable()
export class ClinicsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async create(organisationId: string, { name, location, timeZone, currency }: NewClinic): Promise<Clinic> {
    const id = uuidv7();
    await this.database.query(insertClinic, [id, organisationId, name, location ?? null, timeZone, currency]);
    return this.get(id);
  }

  /** Those of one organisation, or all that the caller belongs to, with the caller's effective role. */
  async list(query: ClinicsQuery, organisationId: string | null = null): Promise<Clinics> {
    const [afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const values = [organisationId, query.status ?? null, afterId, query.limit + 1];
    const rows = await this.database.query<Clinics['data'][number]>(listClinics, values);
    return toPage(rows, query.limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(clinicId: string): Promise<Clinic> {
    const row = await this.database.first<Clinic>(`SELECT ${columns} FROM public.clinics WHERE id = $1`, [clinicId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** An inactive clinic can be made active again, and nothing else of it changes. */
  async change(clinicId: string, changes: ClinicChanges, ifMatch: string | undefined): Promise<Clinic> {
    const present = await this.database.first<{ updatedAt: Date; status: string }>(lockClinic, [clinicId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt));
    const { status, ...others } = changes;
    const changesOthers = Object.values(others).some((value) => value !== undefined);
    if (present.status === 'inactive' && changesOthers && status !== 'active') throw new ClinicInactive();
    const update = partialUpdate({
      table: 'public.clinics',
      where: { id: clinicId },
      changes,
      columns: changeable,
      returning: 'id',
    });
    if (update) await this.database.query(update.text, update.values);
    return this.get(clinicId);
  }

  /** @throws ClinicNotEmpty while it has providers or facts; roles and invitations go with it */
  async remove(clinicId: string): Promise<void> {
    const inUse = await this.database.first<{ isInUse: boolean }>(isClinicInUse, [clinicId]);
    if (inUse?.isInUse) throw new ClinicNotEmpty();
    const [removed] = await this.database.query('DELETE FROM public.clinics WHERE id = $1 RETURNING id', [clinicId]);
    // The caller administers the clinic, so it is there; the policy leaves deleting to the organisation's managers.
    if (!removed) throw new RoleTooLow();
  }

  async statistics(clinicId: string): Promise<ClinicStatistics> {
    const row = await this.database.first<ClinicStatistics>(statistics, [clinicId]);
    if (!row) throw new NotFound();
    return row;
  }
}

const insertClinic = `
  INSERT INTO public.clinics (id, organisation_id, name, location, time_zone, currency, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, app.user_id())`;

const listClinics = `
  SELECT c.id, c.organisation_id, c.name, c.location, c.time_zone, c.currency, c.status, c.created_at, c.updated_at,
         greatest(r.role, CASE WHEN m.role >= 'manager' THEN 'clinic_admin'::app.clinic_role END) AS role
    FROM public.clinics c
    LEFT JOIN public.user_clinic_roles r ON r.clinic_id = c.id AND r.user_id = app.user_id() AND r.is_active
    LEFT JOIN public.organisation_members m ON m.organisation_id = c.organisation_id AND m.user_id = app.user_id()
   WHERE ($1::uuid IS NULL OR c.organisation_id = $1)
     AND ($2::text IS NULL OR c.status = $2)
     AND ($3::uuid IS NULL OR c.id > $3)
   ORDER BY c.id LIMIT $4`;

const lockClinic = 'SELECT updated_at, status FROM public.clinics WHERE id = $1 FOR UPDATE';

const isClinicInUse = `
  SELECT EXISTS (SELECT FROM public.providers WHERE clinic_id = $1) OR app.clinic_has_facts($1) AS is_in_use`;

const statistics = `
  SELECT (SELECT jsonb_object_agg(role, coalesce(n, 0)) FROM unnest(enum_range(NULL::app.clinic_role)) AS role
            LEFT JOIN (SELECT r.role, count(*) AS n FROM public.user_clinic_roles r
                        WHERE r.clinic_id = $1 AND r.is_active GROUP BY r.role) counted USING (role)) AS members,
         (SELECT jsonb_build_object('active', count(*) FILTER (WHERE status = 'active'),
                                    'inactive', count(*) FILTER (WHERE status = 'inactive'))
            FROM public.providers WHERE clinic_id = $1) AS providers,
         (SELECT count(*)::int FROM public.invitations
           WHERE clinic_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()) AS pending_invitations`;

const changeable = {
  name: 'name',
  location: 'location',
  timeZone: 'time_zone',
  currency: 'currency',
  status: 'status',
};
