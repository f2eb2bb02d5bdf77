import { Body, Controller, Delete, Get, Param, Put, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { Deliveries, DeliveriesQuery, Subscriptions } from './subscriptions.schemas.js';
import { SubscriptionsService } from './subscriptions.service.js';

@ApiTags('reports')
@Controller('clinics/:clinicId/reports')
export class SubscriptionsController {
  constructor(private readonly subscriptions: SubscriptionsService) {}

  @Get('subscriptions')
  @Operation({
    id: 'getReportSubscriptions',
    summary: 'Which reports of the clinic the caller gets by mail',
    access: clinicRole('viewer'),
    answers: Subscriptions,
  })
  get(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<Subscriptions> {
    return this.subscriptions.get(clinicId);
  }

  @Put('subscriptions')
  @Operation({
    id: 'setReportSubscriptions',
    summary: 'Say which reports of the clinic to get by mail',
    access: clinicRole('viewer'),
    answers: Subscriptions,
  })
  set(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: Subscriptions }) body: Subscriptions,
  ): Promise<Subscriptions> {
    return this.subscriptions.set(clinicId, body);
  }

  @Delete('subscriptions')
  @Operation({
    id: 'endReportSubscriptions',
    summary: 'Get no report of the clinic by mail any more',
    access: clinicRole('viewer'),
    allowsInactiveClinic: true,
  })
  remove(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<void> {
    return this.subscriptions.remove(clinicId);
  }

  @Get('deliveries')
  @Operation({
    id: 'listReportDeliveries',
    summary:
      'List the reports that were mailed by schedule: one’s own, and to a clinic_admin those of all; newest first',
    access: clinicRole('viewer'),
    answers: Deliveries,
    refusals: [InvalidCursor],
  })
  deliveries(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: DeliveriesQuery }) query: DeliveriesQuery,
  ): Promise<Deliveries> {
    return this.subscriptions.deliveries(clinicId, query);
  }
}
