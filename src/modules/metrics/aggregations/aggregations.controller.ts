import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole, signedIn } from '../../../kernel/tenancy/access.js';
import { RangeTooLong, UnknownMetric } from './aggregations.errors.js';
import {
  Aggregations,
  AggregationsQuery,
  Overview,
  OverviewQuery,
  Performance,
  PerformanceQuery,
} from './aggregations.schemas.js';
import { AggregationsService } from './aggregations.service.js';

@ApiTags('metrics')
@Controller()
export class AggregationsController {
  constructor(private readonly aggregations: AggregationsService) {}

  @Get('clinics/:clinicId/metrics/aggregations')
  @Operation({
    id: 'listAggregations',
    summary: 'Read metrics of a clinic or a provider by period, compared with earlier ones where wanted',
    access: clinicRole('viewer'),
    answers: Aggregations,
    // Of all that is shown: a period ceases to be partial, and a change that is committed late bears an earlier time than
    // the newest roll-up, without that `updatedAt` moves.
    etag: (answer: object) => JSON.stringify(answer),
    refusals: [UnknownMetric, RangeTooLong],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: AggregationsQuery }) query: AggregationsQuery,
  ): Promise<Aggregations> {
    return this.aggregations.list(clinicId, query);
  }

  @Get('metrics/overview')
  @Operation({
    id: 'getMetricsOverview',
    summary: "Read the caller's clinics side by side",
    access: signedIn,
    answers: Overview,
    refusals: [UnknownMetric],
  })
  overview(@Query({ schema: OverviewQuery }) query: OverviewQuery): Promise<Overview> {
    return this.aggregations.overview(query);
  }

  @Get('clinics/:clinicId/providers/:providerId/performance')
  @Operation({
    id: 'getProviderPerformance',
    summary: 'Read what a provider did, beside the whole clinic',
    access: clinicRole('viewer'),
    answers: Performance,
    refusals: [RangeTooLong],
  })
  performance(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('providerId', { schema: Uuid }) providerId: string,
    @Query({ schema: PerformanceQuery }) query: PerformanceQuery,
  ): Promise<Performance> {
    return this.aggregations.performance(clinicId, providerId, query);
  }
}
