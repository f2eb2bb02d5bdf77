import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound, RoleTooLow } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { AlreadyMember } from '../clinics.errors.js';
import type {
  MembersQuery,
  NewOrganisationMember,
  OrganisationMember,
  OrganisationMemberChanges,
  OrganisationMembers,
} from './members.schemas.js';
import { People } from './people.js';

const purpose = 'organisation-members';

/** Who belongs to an organisation. Only owners make and unmake owners: the policies see to it. */
@Injectable()
export class OrganisationMembersService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly people: People,
  ) {}

  async list(organisationId: string, query: MembersQuery): Promise<OrganisationMembers> {
    const [after] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const rows = await this.database.query<OrganisationMember>(listMembers, [organisationId, after, query.limit + 1]);
    return toPage(rows, query.limit, ({ userId }) => this.cursors.encode([userId as string], purpose));
  }

  async get(organisationId: string, userId: string): Promise<OrganisationMember> {
    const row = await this.database.first<OrganisationMember>(getMember, [organisationId, userId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** @throws AlreadyMember; a role above the caller's own is refused by policy (403) */
  async add(organisationId: string, { role, ...person }: NewOrganisationMember): Promise<OrganisationMember> {
    const userId = await this.people.find(person, { organisationId });
    const [added] = await this.database.query(addMember, [organisationId, userId, role]);
    if (!added) throw new AlreadyMember();
    return this.get(organisationId, userId);
  }

  async change(
    organisationId: string,
    userId: string,
    { role }: OrganisationMemberChanges,
  ): Promise<OrganisationMember> {
    const [changed] = await this.database.query(changeMember, [organisationId, userId, role]);
    const member = await this.get(organisationId, userId);
    // There, but not changed: the policy keeps those above the caller out of the caller's reach.
    if (!changed) throw new RoleTooLow();
    return member;
  }

  async remove(organisationId: string, userId: string): Promise<void> {
    const [removed] = await this.database.query(removeMember, [organisationId, userId]);
    if (removed) return;
    await this.get(organisationId, userId);
    throw new RoleTooLow();
  }
}

const memberColumns = 'm.user_id, p.email, p.first_name, p.last_name, m.role, m.created_at, m.updated_at';

const listMembers = `
  SELECT ${memberColumns}
    FROM public.organisation_members m LEFT JOIN public.profiles p ON p.id = m.user_id
   WHERE m.organisation_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2)
   ORDER BY m.user_id LIMIT $3`;

const getMember = `
  SELECT ${memberColumns}
    FROM public.organisation_members m LEFT JOIN public.profiles p ON p.id = m.user_id
   WHERE m.organisation_id = $1 AND m.user_id = $2`;

const addMember = `
  INSERT INTO public.organisation_members (organisation_id, user_id, role, created_by) VALUES ($1, $2, $3, app.user_id())
  ON CONFLICT (organisation_id, user_id) DO NOTHING RETURNING user_id`;

const changeMember = `
  UPDATE public.organisation_members SET role = $3 WHERE organisation_id = $1 AND user_id = $2 RETURNING id`;

const removeMember = 'DELETE FROM public.organisation_members WHERE organisation_id = $1 AND user_id = $2 RETURNING id';
