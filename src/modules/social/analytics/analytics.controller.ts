import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader } from '../../../kernel/tenancy/access.js';
import { PerformanceQuery, PostAnalytics, PostAnalyticsQuery, PostsPerformance } from './analytics.schemas.js';
import { PerformanceService } from './performance.service.js';
import { PostAnalyticsService } from './post-analytics.service.js';

@ApiTags('social')
@Controller('organisations/:organisationId/social/posts')
export class AnalyticsController {
  constructor(
    private readonly performance: PerformanceService,
    private readonly analytics: PostAnalyticsService,
  ) {}

  @Get('performance')
  @Operation({
    id: 'listPostsPerformance',
    summary: 'Compare the posts that were published in the last days, best first',
    access: organisationReader,
    answers: PostsPerformance,
    refusals: [InvalidCursor],
  })
  list(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: PerformanceQuery }) query: PerformanceQuery,
  ): Promise<PostsPerformance> {
    return this.performance.list(organisationId, query);
  }

  @Get(':postId/analytics')
  @Operation({
    id: 'getPostAnalytics',
    summary: 'Follow how the counts of a post grew',
    access: organisationReader,
    answers: PostAnalytics,
  })
  get(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
    @Query({ schema: PostAnalyticsQuery }) query: PostAnalyticsQuery,
  ): Promise<PostAnalytics> {
    return this.analytics.read(organisationId, postId, query);
  }
}
