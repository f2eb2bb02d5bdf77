import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { InvalidCursor, PreconditionFailed, UnknownReference } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { DashboardData } from './dashboard-data.schemas.js';
import { DashboardDataService } from './dashboard-data.service.js';
import { DashboardNotShared, NotYourDashboard, TooManyDashboards } from './dashboards.errors.js';
import {
  ClinicDefault,
  Dashboard,
  DashboardChanges,
  Dashboards,
  DashboardsQuery,
  dashboardVersion,
  NewDashboard,
} from './dashboards.schemas.js';
import { DashboardsService } from './dashboards.service.js';

@ApiTags('dashboards')
@Controller('clinics/:clinicId/dashboards')
export class DashboardsController {
  constructor(
    private readonly dashboards: DashboardsService,
    private readonly figures: DashboardDataService,
  ) {}

  @Get()
  @Operation({
    id: 'listDashboards',
    summary: 'List the own dashboards of a clinic and those that are shared there, by name',
    access: clinicRole('viewer'),
    answers: Dashboards,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: DashboardsQuery }) query: DashboardsQuery,
  ): Promise<Dashboards> {
    return this.dashboards.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createDashboard',
    summary: 'Make a dashboard of one’s own',
    access: clinicRole('viewer'),
    status: 201,
    answers: Dashboard,
    location: '/clinics/{clinicId}/dashboards/{id}',
    idempotent: true,
    etag: dashboardVersion,
    refusals: [TooManyDashboards],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewDashboard }) body: NewDashboard,
  ): Promise<Dashboard> {
    return this.dashboards.create(clinicId, body);
  }

  @Get('default')
  @Operation({
    id: 'getDefaultDashboard',
    summary: 'Read the dashboard that the caller sees first: the own default, else the clinic’s',
    access: clinicRole('viewer'),
    answers: Dashboard,
    etag: dashboardVersion,
  })
  getDefault(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<Dashboard> {
    return this.dashboards.getDefault(clinicId);
  }

  @Put('clinic-default')
  @Operation({
    id: 'setClinicDefaultDashboard',
    summary: 'Make a shared dashboard the one that members see first who have chosen none',
    access: clinicRole('clinic_admin'),
    refusals: [DashboardNotShared, UnknownReference],
  })
  setClinicDefault(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: ClinicDefault }) body: ClinicDefault,
  ): Promise<void> {
    return this.dashboards.setClinicDefault(clinicId, body.dashboardId);
  }

  @Delete('clinic-default')
  @Operation({
    id: 'endClinicDefaultDashboard',
    summary: 'Let the clinic have no default dashboard',
    access: clinicRole('clinic_admin'),
  })
  endClinicDefault(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<void> {
    return this.dashboards.endClinicDefault(clinicId);
  }

  @Get(':dashboardId')
  @Operation({
    id: 'getDashboard',
    summary: 'Read a dashboard with its widgets',
    access: clinicRole('viewer'),
    answers: Dashboard,
    etag: dashboardVersion,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
  ): Promise<Dashboard> {
    return this.dashboards.get(clinicId, dashboardId);
  }

  @Get(':dashboardId/data')
  @Operation({
    id: 'getDashboardData',
    summary: 'Read the figures of all widgets of a dashboard, but for goals',
    access: clinicRole('viewer'),
    answers: DashboardData,
    streams: { contentTypes: ['application/json; charset=utf-8'] },
  })
  data(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
  ): Promise<StreamedAnswer> {
    return this.figures.get(clinicId, dashboardId);
  }

  @Patch(':dashboardId')
  @Operation({
    id: 'updateDashboard',
    summary: 'Change a dashboard of one’s own',
    access: clinicRole('viewer'),
    answers: Dashboard,
    etag: dashboardVersion,
    refusals: [NotYourDashboard, PreconditionFailed, UnknownReference],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
    @Body({ schema: DashboardChanges }) body: DashboardChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Dashboard> {
    return this.dashboards.change(clinicId, dashboardId, body, ifMatch);
  }

  @Delete(':dashboardId')
  @Operation({
    id: 'deleteDashboard',
    summary: 'Delete a dashboard of one’s own, with its widgets',
    access: clinicRole('viewer'),
    refusals: [NotYourDashboard],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
  ): Promise<void> {
    return this.dashboards.remove(clinicId, dashboardId);
  }
}
