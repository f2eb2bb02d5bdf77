import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AlreadyExists, InvalidCursor, PreconditionFailed } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader, organisationRole, signedIn } from '../../../kernel/tenancy/access.js';
import { OrganisationNotEmpty } from '../clinics.errors.js';
import {
  NewOrganisation,
  Organisation,
  OrganisationChanges,
  Organisations,
  OrganisationsQuery,
} from './organisations.schemas.js';
import { OrganisationsService } from './organisations.service.js';

@ApiTags('clinics')
@Controller('organisations')
export class OrganisationsController {
  constructor(private readonly organisations: OrganisationsService) {}

  @Post()
  @Operation({
    id: 'createOrganisation',
    summary: 'Create an organisation and become its owner',
    access: signedIn,
    status: 201,
    answers: Organisation,
    location: '/organisations/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists],
  })
  create(@Body({ schema: NewOrganisation }) body: NewOrganisation): Promise<Organisation> {
    return this.organisations.create(body);
  }

  @Get()
  @Operation({
    id: 'listOrganisations',
    summary: 'List own organisations',
    access: signedIn,
    answers: Organisations,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: OrganisationsQuery }) query: OrganisationsQuery): Promise<Organisations> {
    return this.organisations.list(query);
  }

  @Get(':organisationId')
  @Operation({
    id: 'getOrganisation',
    summary: 'Read an organisation',
    access: organisationReader,
    answers: Organisation,
    etag: true,
  })
  get(@Param('organisationId', { schema: Uuid }) organisationId: string): Promise<Organisation> {
    return this.organisations.get(organisationId);
  }

  @Patch(':organisationId')
  @Operation({
    id: 'updateOrganisation',
    summary: 'Change an organisation',
    access: organisationRole('manager'),
    answers: Organisation,
    etag: true,
    refusals: [AlreadyExists, PreconditionFailed],
  })
  change(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Body({ schema: OrganisationChanges }) body: OrganisationChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Organisation> {
    return this.organisations.change(organisationId, body, ifMatch);
  }

  @Delete(':organisationId')
  @Operation({
    id: 'deleteOrganisation',
    summary: 'Delete an organisation that has no clinics',
    access: organisationRole('owner'),
    refusals: [OrganisationNotEmpty],
  })
  remove(@Param('organisationId', { schema: Uuid }) organisationId: string): Promise<void> {
    return this.organisations.remove(organisationId);
  }
}
