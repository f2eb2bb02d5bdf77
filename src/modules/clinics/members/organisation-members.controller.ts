import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Forbidden, InvalidCursor, RoleTooLow } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationRole } from '../../../kernel/tenancy/access.js';
import { AlreadyMember, LastAdmin } from '../clinics.errors.js';
import {
  MembersQuery,
  NewOrganisationMember,
  OrganisationMember,
  OrganisationMemberChanges,
  OrganisationMembers,
} from './members.schemas.js';
import { OrganisationMembersService } from './organisation-members.service.js';

@ApiTags('clinics')
@Controller('organisations/:organisationId/members')
export class OrganisationMembersController {
  constructor(private readonly members: OrganisationMembersService) {}

  @Get()
  @Operation({
    id: 'listOrganisationMembers',
    summary: 'List the members of an organisation',
    access: organisationRole('member'),
    answers: OrganisationMembers,
    refusals: [InvalidCursor],
  })
  list(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: MembersQuery }) query: MembersQuery,
  ): Promise<OrganisationMembers> {
    return this.members.list(organisationId, query);
  }

  @Post()
  @Operation({
    id: 'addOrganisationMember',
    summary: 'Give a person who has an account a role in an organisation',
    access: organisationRole('manager'),
    status: 201,
    answers: OrganisationMember,
    location: '/organisations/{organisationId}/members/{userId}',
    idempotent: true,
    refusals: [AlreadyMember, Forbidden],
  })
  add(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Body({ schema: NewOrganisationMember }) body: NewOrganisationMember,
  ): Promise<OrganisationMember> {
    return this.members.add(organisationId, body);
  }

  @Get(':userId')
  @Operation({
    id: 'getOrganisationMember',
    summary: 'Read a membership',
    access: organisationRole('member'),
    answers: OrganisationMember,
  })
  get(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('userId', { schema: Uuid }) userId: string,
  ): Promise<OrganisationMember> {
    return this.members.get(organisationId, userId);
  }

  @Patch(':userId')
  @Operation({
    id: 'updateOrganisationMember',
    summary: "Change a member's role",
    access: organisationRole('manager'),
    answers: OrganisationMember,
    refusals: [LastAdmin, RoleTooLow],
  })
  change(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('userId', { schema: Uuid }) userId: string,
    @Body({ schema: OrganisationMemberChanges }) body: OrganisationMemberChanges,
  ): Promise<OrganisationMember> {
    return this.members.change(organisationId, userId, body);
  }

  @Delete(':userId')
  @Operation({
    id: 'removeOrganisationMember',
    summary: 'Leave an organisation, or (manager) remove somebody',
    access: organisationRole('member'),
    refusals: [LastAdmin, RoleTooLow],
  })
  remove(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('userId', { schema: Uuid }) userId: string,
  ): Promise<void> {
    return this.members.remove(organisationId, userId);
  }
}
