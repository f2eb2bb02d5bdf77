import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import type { ClinicRole, OrganisationRole } from '../../../kernel/tenancy/actor.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { AlreadyInvited, AlreadyMember, InvitationNotPending } from '../clinics.errors.js';
import { InvitationMails } from './invitation-mails.js';
import { invitationTransitions, stateOf } from './invitation-state.js';
import type { Invitation, Invitations, InvitationsQuery } from './invitations.schemas.js';

/** Where to, and as what. */
export type InvitedRole =
  | { clinicId: string; clinicRole: ClinicRole }
  | { organisationId: string; organisationRole: OrganisationRole };

export type Tenant = { clinicId: string } | { organisationId: string };

interface InvitationRow {
  id: string;
  clinicId: string | null;
  organisationId: string | null;
  email: string;
  clinicRole: ClinicRole | null;
  organisationRole: OrganisationRole | null;
  expiresAt: Date;
  sentAt: Date | null;
  acceptedAt: Date | null;
  revokedAt: Date | null;
  createdAt: Date;
}

const purpose = 'invitations';
const daysValid = 7;

/** Invitations into clinics and organisations. Nobody invites to a role above their own: the policies see to it. */
@Injectable()
export class InvitationsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly mails: InvitationMails,
  ) {}

  /** The token is made when the mail is sent, and told nowhere else. @throws AlreadyInvited, AlreadyMember */
  async create(email: string, invited: InvitedRole): Promise<Invitation> {
    const tenant = idsOf(invited);
    await this.refuseMember(email, tenant);
    const [created] = await this.database.query<InvitationRow>(insertInvitation, [
      uuidv7(),
      ...tenant,
      email,
      'clinicRole' in invited ? invited.clinicRole : null,
      'organisationRole' in invited ? invited.organisationRole : null,
      daysValid,
    ]);
    if (!created) throw new AlreadyInvited();
    await this.mails.post(created.id);
    return present(created);
  }

  async list(tenant: Tenant, query: InvitationsQuery): Promise<Invitations> {
    const [before] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const rows = await this.database.query<InvitationRow>(listInvitations, [...idsOf(tenant), before, query.limit + 1]);
    const page = toPage(rows, query.limit, ({ id }) => this.cursors.encode([id], purpose));
    return { ...page, data: page.data.map(present) };
  }

  /** @throws NotFound, InvitationNotPending */
  async revoke(tenant: Tenant, invitationId: string): Promise<void> {
    const [row] = await this.database.query<InvitationRow>(lockInvitation, [...idsOf(tenant), invitationId]);
    if (!row) throw new NotFound();
    if (!invitationTransitions[stateOf(row)].includes('revoked')) throw new InvitationNotPending();
    await this.database.query('UPDATE public.invitations SET revoked_at = now() WHERE id = $1', [invitationId]);
  }

  private async refuseMember(email: string, tenant: readonly (string | null)[]): Promise<void> {
    const [member] = await this.database.query(findMember, [...tenant, email]);
    if (member) throw new AlreadyMember();
  }
}

function idsOf(tenant: Tenant): [string | null, string | null] {
  return 'clinicId' in tenant ? [tenant.clinicId, null] : [null, tenant.organisationId];
}

function present(row: InvitationRow): Invitation {
  const role = row.clinicRole ?? row.organisationRole;
  if (!role) throw new Error('An invitation without a role: the table refuses it.');
  return { ...row, role, state: stateOf(row) };
}

const columns = `id, clinic_id, organisation_id, email, clinic_role, organisation_role, expires_at, sent_at,
  accepted_at, revoked_at, created_at`;

/** A clinic_admin sees the profiles of the clinic's members, so an address that is hidden is no member. */
const findMember = `
  SELECT p.id FROM public.profiles p
   WHERE p.email = $3 AND p.deleted_at IS NULL
     AND (EXISTS (SELECT FROM public.user_clinic_roles r WHERE r.user_id = p.id AND r.clinic_id = $1 AND r.is_active)
       OR EXISTS (SELECT FROM public.organisation_members m WHERE m.user_id = p.id AND m.organisation_id = $2))`;

const insertInvitation = `
  INSERT INTO public.invitations
    (id, clinic_id, organisation_id, email, clinic_role, organisation_role, expires_at, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7), app.user_id())
  ON CONFLICT DO NOTHING
  RETURNING ${columns}`;

const listInvitations = `
  SELECT ${columns} FROM public.invitations
   WHERE (clinic_id = $1 OR organisation_id = $2) AND ($3::uuid IS NULL OR id < $3)
   ORDER BY id DESC LIMIT $4`;

const lockInvitation = `
  SELECT ${columns} FROM public.invitations
   WHERE (clinic_id = $1 OR organisation_id = $2) AND id = $3 FOR UPDATE`;
