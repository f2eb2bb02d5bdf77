import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Forbidden, InvalidCursor, RoleTooLow } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { AlreadyMember, LastAdmin } from '../clinics.errors.js';
import { ClinicMembersService } from './clinic-members.service.js';
import { ClinicMember, ClinicMemberChanges, ClinicMembers, MembersQuery, NewClinicMember } from './members.schemas.js';

@ApiTags('clinics')
@Controller('clinics/:clinicId/members')
export class ClinicMembersController {
  constructor(private readonly members: ClinicMembersService) {}

  @Get()
  @Operation({
    id: 'listClinicMembers',
    summary: 'List the members of a clinic',
    access: clinicRole('viewer'),
    answers: ClinicMembers,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: MembersQuery }) query: MembersQuery,
  ): Promise<ClinicMembers> {
    return this.members.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'addClinicMember',
    summary: 'Give a person who has an account a role in a clinic',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: ClinicMember,
    location: '/clinics/{clinicId}/members/{userId}',
    idempotent: true,
    refusals: [AlreadyMember],
  })
  add(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewClinicMember }) body: NewClinicMember,
  ): Promise<ClinicMember> {
    return this.members.add(clinicId, body);
  }

  @Get(':userId')
  @Operation({
    id: 'getClinicMember',
    summary: 'Read a membership',
    access: clinicRole('viewer'),
    answers: ClinicMember,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('userId', { schema: Uuid }) userId: string,
  ): Promise<ClinicMember> {
    return this.members.get(clinicId, userId);
  }

  @Patch(':userId')
  @Operation({
    id: 'updateClinicMember',
    summary: "Change a member's role, or make the membership inactive",
    access: clinicRole('clinic_admin'),
    answers: ClinicMember,
    refusals: [Forbidden, LastAdmin],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('userId', { schema: Uuid }) userId: string,
    @Body({ schema: ClinicMemberChanges }) body: ClinicMemberChanges,
  ): Promise<ClinicMember> {
    return this.members.change(clinicId, userId, body);
  }

  @Delete(':userId')
  @Operation({
    id: 'removeClinicMember',
    summary: 'Leave a clinic, or (clinic_admin) remove somebody',
    access: clinicRole('viewer'),
    refusals: [LastAdmin, RoleTooLow],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('userId', { schema: Uuid }) userId: string,
  ): Promise<void> {
    return this.members.remove(clinicId, userId);
  }
}
