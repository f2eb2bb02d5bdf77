import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ClinicInactive, InvalidCursor, PreconditionFailed } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole, organisationReader, organisationRole, signedIn } from '../../../kernel/tenancy/access.js';
import { ClinicHasFacts, ClinicNotEmpty } from '../clinics.errors.js';
import { Clinic, ClinicChanges, ClinicStatistics, Clinics, ClinicsQuery, NewClinic } from './clinics.schemas.js';
import { ClinicsService } from './clinics.service.js';

@ApiTags('clinics')
@Controller()
export class ClinicsController {
  constructor(private readonly clinics: ClinicsService) {}

  @Post('organisations/:organisationId/clinics')
  @Operation({
    id: 'createClinic',
    summary: 'Open a clinic in an organisation',
    access: organisationRole('manager'),
    status: 201,
    answers: Clinic,
    location: '/clinics/{id}',
    idempotent: true,
    etag: true,
  })
  create(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Body({ schema: NewClinic }) body: NewClinic,
  ): Promise<Clinic> {
    return this.clinics.create(organisationId, body);
  }

  @Get('organisations/:organisationId/clinics')
  @Operation({
    id: 'listOrganisationClinics',
    summary: 'List the clinics of an organisation that the caller belongs to',
    access: organisationReader,
    answers: Clinics,
    refusals: [InvalidCursor],
  })
  listOfOrganisation(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: ClinicsQuery }) query: ClinicsQuery,
  ): Promise<Clinics> {
    return this.clinics.list(query, organisationId);
  }

  @Get('clinics')
  @Operation({
    id: 'listClinics',
    summary: 'List own clinics with the role there',
    access: signedIn,
    answers: Clinics,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: ClinicsQuery }) query: ClinicsQuery): Promise<Clinics> {
    return this.clinics.list(query);
  }

  @Get('clinics/:clinicId')
  @Operation({ id: 'getClinic', summary: 'Read a clinic', access: clinicRole('viewer'), answers: Clinic, etag: true })
  get(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<Clinic> {
    return this.clinics.get(clinicId);
  }

  @Patch('clinics/:clinicId')
  @Operation({
    id: 'updateClinic',
    summary: 'Change a clinic; the one change that an inactive clinic takes is to be active again',
    access: clinicRole('clinic_admin'),
    answers: Clinic,
    etag: true,
    allowsInactiveClinic: true,
    refusals: [ClinicHasFacts, ClinicInactive, PreconditionFailed],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: ClinicChanges }) body: ClinicChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Clinic> {
    return this.clinics.change(clinicId, body, ifMatch);
  }

  @Delete('clinics/:clinicId')
  @Operation({
    id: 'deleteClinic',
    summary: 'Delete a clinic without providers and facts; for managers of its organisation',
    access: clinicRole('clinic_admin'),
    allowsInactiveClinic: true,
    refusals: [ClinicNotEmpty],
  })
  remove(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<void> {
    return this.clinics.remove(clinicId);
  }

  @Get('clinics/:clinicId/statistics')
  @Operation({
    id: 'getClinicStatistics',
    summary: 'Count members, providers and pending invitations',
    access: clinicRole('viewer'),
    answers: ClinicStatistics,
  })
  statistics(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<ClinicStatistics> {
    return this.clinics.statistics(clinicId);
  }
}
