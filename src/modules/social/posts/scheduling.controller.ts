import { Body, Controller, Param, Post as Posted } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationStaff } from '../../../kernel/tenancy/access.js';
import { AccountNotConnected, PostState } from '../social.errors.js';
import { PostChangedMeanwhile, PostNotPublishable, PostOutcomeUnknown, ScheduleTimeRefused } from './posts.errors.js';
import { Post } from './posts.schemas.js';
import { RetryRequest, ScheduledPost, ScheduleRequest } from './scheduling.schemas.js';
import { SchedulingService } from './scheduling.service.js';

const queueing = [
  AccountNotConnected,
  PostChangedMeanwhile,
  PostNotPublishable,
  PostOutcomeUnknown,
  PostState,
] as const;

/** What is sent twice is queued once: a post has one place in the queue, so that no `Idempotency-Key` is needed. */
@ApiTags('social')
@Controller('organisations/:organisationId/social/posts/:postId')
export class SchedulingController {
  constructor(private readonly scheduling: SchedulingService) {}

  @Posted('schedule')
  @Operation({
    id: 'scheduleSocialPost',
    summary: 'Schedule a post, or move a scheduled one to another time',
    description:
      'Its limits and media are checked first. A local time that the clocks skip is refused; one that they show twice ' +
      'is taken as the first. Warnings refuse nothing.',
    access: organisationStaff('staff'),
    answers: ScheduledPost,
    refusals: [...queueing, ScheduleTimeRefused],
  })
  schedule(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
    @Body({ schema: ScheduleRequest }) body: ScheduleRequest,
  ): Promise<ScheduledPost> {
    return this.scheduling.schedule(organisationId, postId, body);
  }

  @Posted('unschedule')
  @Operation({
    id: 'unscheduleSocialPost',
    summary: 'Make a draft again of a post that is queued or has failed',
    access: organisationStaff('staff'),
    answers: Post,
    refusals: [PostOutcomeUnknown, PostState],
  })
  unschedule(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
  ): Promise<Post> {
    return this.scheduling.unschedule(organisationId, postId);
  }

  @Posted('publish')
  @Operation({
    id: 'publishSocialPost',
    summary: 'Publish a post now',
    description: 'It is queued for now: a worker takes it within seconds.',
    access: organisationStaff('staff'),
    answers: ScheduledPost,
    refusals: queueing,
  })
  publish(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
  ): Promise<ScheduledPost> {
    return this.scheduling.publishNow(organisationId, postId);
  }

  @Posted('retry')
  @Operation({
    id: 'retrySocialPost',
    summary: 'Try a post again that has failed',
    access: organisationStaff('staff'),
    answers: ScheduledPost,
    refusals: queueing,
  })
  retry(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
    @Body({ schema: RetryRequest }) body: RetryRequest,
  ): Promise<ScheduledPost> {
    return this.scheduling.retry(organisationId, postId, body);
  }
}
