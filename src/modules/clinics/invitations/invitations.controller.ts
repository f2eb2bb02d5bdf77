import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  ClinicInactive,
  Forbidden,
  InvalidCursor,
  NotFound,
  TooManyRequests,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { PasswordTooCommon } from '../../../kernel/secrets/passwords.js';
import { anybodyOrSignedIn, clinicRole, organisationRole } from '../../../kernel/tenancy/access.js';
import { type Client, CurrentClient } from '../../../kernel/tenancy/current-client.decorator.js';
import {
  AccountNeeded,
  AlreadyInvited,
  AlreadyMember,
  InvitationForAnotherAddress,
  InvitationNotFound,
  InvitationNotPending,
} from '../clinics.errors.js';
import { AcceptanceService } from './acceptance.service.js';
import {
  Acceptance,
  Accepted,
  Invitation,
  Invitations,
  InvitationsQuery,
  NewClinicInvitation,
  NewOrganisationInvitation,
} from './invitations.schemas.js';
import { InvitationsService } from './invitations.service.js';

@ApiTags('clinics')
@Controller()
export class InvitationsController {
  constructor(
    private readonly invitations: InvitationsService,
    private readonly acceptance: AcceptanceService,
  ) {}

  @Post('clinics/:clinicId/invitations')
  @Operation({
    id: 'inviteToClinic',
    summary: 'Invite somebody into a clinic by mail',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: Invitation,
    idempotent: true,
    refusals: [AlreadyInvited, AlreadyMember],
  })
  inviteToClinic(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewClinicInvitation }) { email, role }: NewClinicInvitation,
  ): Promise<Invitation> {
    return this.invitations.create(email, { clinicId, clinicRole: role });
  }

  @Get('clinics/:clinicId/invitations')
  @Operation({
    id: 'listClinicInvitations',
    summary: 'List the invitations into a clinic, newest first',
    access: clinicRole('clinic_admin'),
    answers: Invitations,
    refusals: [InvalidCursor],
  })
  listOfClinic(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: InvitationsQuery }) query: InvitationsQuery,
  ): Promise<Invitations> {
    return this.invitations.list({ clinicId }, query);
  }

  @Delete('clinics/:clinicId/invitations/:invitationId')
  @Operation({
    id: 'revokeClinicInvitation',
    summary: 'Revoke a pending invitation into a clinic',
    access: clinicRole('clinic_admin'),
    refusals: [InvitationNotPending],
  })
  revokeOfClinic(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('invitationId', { schema: Uuid }) invitationId: string,
  ): Promise<void> {
    return this.invitations.revoke({ clinicId }, invitationId);
  }

  @Post('organisations/:organisationId/invitations')
  @Operation({
    id: 'inviteToOrganisation',
    summary: 'Invite somebody into an organisation by mail',
    access: organisationRole('manager'),
    status: 201,
    answers: Invitation,
    idempotent: true,
    refusals: [AlreadyInvited, AlreadyMember, Forbidden],
  })
  inviteToOrganisation(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Body({ schema: NewOrganisationInvitation }) { email, role }: NewOrganisationInvitation,
  ): Promise<Invitation> {
    return this.invitations.create(email, { organisationId, organisationRole: role });
  }

  @Get('organisations/:organisationId/invitations')
  @Operation({
    id: 'listOrganisationInvitations',
    summary: 'List the invitations into an organisation, newest first',
    access: organisationRole('manager'),
    answers: Invitations,
    refusals: [InvalidCursor],
  })
  listOfOrganisation(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: InvitationsQuery }) query: InvitationsQuery,
  ): Promise<Invitations> {
    return this.invitations.list({ organisationId }, query);
  }

  @Delete('organisations/:organisationId/invitations/:invitationId')
  @Operation({
    id: 'revokeOrganisationInvitation',
    summary: 'Revoke a pending invitation into an organisation',
    access: organisationRole('manager'),
    refusals: [InvitationNotPending],
  })
  revokeOfOrganisation(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('invitationId', { schema: Uuid }) invitationId: string,
  ): Promise<void> {
    return this.invitations.revoke({ organisationId }, invitationId);
  }

  @Post('invitations/accept')
  @Operation({
    id: 'acceptInvitation',
    summary: 'Accept an invitation, with an account or by making one',
    access: anybodyOrSignedIn,
    answers: Accepted,
    refusals: [
      AccountNeeded,
      ClinicInactive,
      InvitationForAnotherAddress,
      InvitationNotFound,
      NotFound,
      PasswordTooCommon,
      TooManyRequests,
    ],
  })
  accept(@Body({ schema: Acceptance }) body: Acceptance, @CurrentClient() client: Client): Promise<Accepted> {
    return this.acceptance.accept(body, client);
  }
}
