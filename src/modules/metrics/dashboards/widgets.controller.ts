import { Body, Controller, Delete, Get, Headers, Param, Patch, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { PreconditionFailed, UnknownReference } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { UnknownMetric } from '../aggregations/aggregations.errors.js';
import { NotYourDashboard, TooManyWidgets } from './dashboards.errors.js';
import { NewWidget, Widget, WidgetChanges, Widgets } from './widgets.schemas.js';
import { WidgetsService } from './widgets.service.js';

@ApiTags('dashboards')
@Controller('clinics/:clinicId/dashboards/:dashboardId/widgets')
export class WidgetsController {
  constructor(private readonly widgets: WidgetsService) {}

  @Get()
  @Operation({
    id: 'listWidgets',
    summary: 'List the widgets of a dashboard',
    access: clinicRole('viewer'),
    answers: Widgets,
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
  ): Promise<Widgets> {
    return this.widgets.list(clinicId, dashboardId);
  }

  @Post()
  @Operation({
    id: 'createWidget',
    summary: 'Add a widget to a dashboard of one’s own',
    access: clinicRole('viewer'),
    status: 201,
    answers: Widget,
    location: '/clinics/{clinicId}/dashboards/{dashboardId}/widgets/{id}',
    idempotent: true,
    etag: true,
    refusals: [NotYourDashboard, TooManyWidgets, UnknownMetric, UnknownReference],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
    @Body({ schema: NewWidget }) body: NewWidget,
  ): Promise<Widget> {
    return this.widgets.create(clinicId, dashboardId, body);
  }

  @Get(':widgetId')
  @Operation({
    id: 'getWidget',
    summary: 'Read a widget',
    access: clinicRole('viewer'),
    answers: Widget,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
    @Param('widgetId', { schema: Uuid }) widgetId: string,
  ): Promise<Widget> {
    return this.widgets.get(clinicId, dashboardId, widgetId);
  }

  @Patch(':widgetId')
  @Operation({
    id: 'updateWidget',
    summary: 'Change a widget of a dashboard of one’s own',
    access: clinicRole('viewer'),
    answers: Widget,
    etag: true,
    refusals: [NotYourDashboard, PreconditionFailed, UnknownMetric, UnknownReference],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
    @Param('widgetId', { schema: Uuid }) widgetId: string,
    @Body({ schema: WidgetChanges }) body: WidgetChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Widget> {
    return this.widgets.change({ clinicId, dashboardId, widgetId }, body, ifMatch);
  }

  @Delete(':widgetId')
  @Operation({
    id: 'deleteWidget',
    summary: 'Take a widget from a dashboard of one’s own',
    access: clinicRole('viewer'),
    refusals: [NotYourDashboard],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('dashboardId', { schema: Uuid }) dashboardId: string,
    @Param('widgetId', { schema: Uuid }) widgetId: string,
  ): Promise<void> {
    return this.widgets.remove(clinicId, dashboardId, widgetId);
  }
}
