import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { Forbidden, NotFound, RoleTooLow } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { AlreadyMember } from '../clinics.errors.js';
import type {
  ClinicMember,
  ClinicMemberChanges,
  ClinicMembers,
  MembersQuery,
  NewClinicMember,
} from './members.schemas.js';
import { People } from './people.js';

const purpose = 'clinic-members';

/** Who has which role in a clinic. That somebody stays in charge is kept by a trigger, also against two at once. */
@Injectable()
export class ClinicMembersService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly people: People,
  ) {}

  async list(clinicId: string, query: MembersQuery): Promise<ClinicMembers> {
    const [after] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const rows = await this.database.query<ClinicMember>(listMembers, [clinicId, after, query.limit + 1]);
    return toPage(rows, query.limit, ({ userId }) => this.cursors.encode([userId as string], purpose));
  }

  async get(clinicId: string, userId: string): Promise<ClinicMember> {
    const row = await this.database.first<ClinicMember>(getMember, [clinicId, userId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** A membership that was made inactive is taken up again with the new role. @throws AlreadyMember */
  async add(clinicId: string, { role, ...person }: NewClinicMember): Promise<ClinicMember> {
    const userId = await this.people.find(person, { clinicId });
    const [added] = await this.database.query(addMember, [clinicId, userId, role]);
    if (!added) throw new AlreadyMember();
    return this.get(clinicId, userId);
  }

  async change(clinicId: string, userId: string, changes: ClinicMemberChanges): Promise<ClinicMember> {
    const update = partialUpdate({
      table: 'public.user_clinic_roles',
      where: { clinic_id: clinicId, user_id: userId },
      changes,
      columns: { role: 'role', isActive: 'is_active' },
      returning: 'id',
    });
    const changed = update ? await this.database.query(update.text, update.values) : [];
    const member = await this.database.first<ClinicMember>(getMember, [clinicId, userId]);
    if (!member && changed.length > 0) throw new Forbidden('It is your own membership: delete it to leave.');
    if (!member) throw new NotFound();
    // There, but not changed: the caller has lost the role for it since the request began.
    if (update && changed.length === 0) throw new RoleTooLow();
    return member;
  }

  /** Everybody may leave; to remove somebody else takes a clinic_admin. */
  async remove(clinicId: string, userId: string): Promise<void> {
    const [removed] = await this.database.query(removeMember, [clinicId, userId]);
    if (removed) return;
    await this.get(clinicId, userId);
    throw new RoleTooLow();
  }
}

const memberColumns = 'r.user_id, p.email, p.first_name, p.last_name, r.role, r.is_active, r.created_at, r.updated_at';

const listMembers = `
  SELECT ${memberColumns}
    FROM public.user_clinic_roles r LEFT JOIN public.profiles p ON p.id = r.user_id
   WHERE r.clinic_id = $1 AND ($2::uuid IS NULL OR r.user_id > $2)
   ORDER BY r.user_id LIMIT $3`;

const getMember = `
  SELECT ${memberColumns}
    FROM public.user_clinic_roles r LEFT JOIN public.profiles p ON p.id = r.user_id
   WHERE r.clinic_id = $1 AND r.user_id = $2`;

const addMember = `
  INSERT INTO public.user_clinic_roles AS r (clinic_id, user_id, role, created_by) VALUES ($1, $2, $3, app.user_id())
  ON CONFLICT (clinic_id, user_id) DO UPDATE SET role = excluded.role, is_active = true WHERE NOT r.is_active
  RETURNING user_id`;

const removeMember = 'DELETE FROM public.user_clinic_roles WHERE clinic_id = $1 AND user_id = $2 RETURNING id';
