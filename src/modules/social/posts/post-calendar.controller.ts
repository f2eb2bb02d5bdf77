import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader } from '../../../kernel/tenancy/access.js';
import { PostCalendarService } from './post-calendar.service.js';
import { Calendar, CalendarQuery, UpcomingPosts, UpcomingQuery } from './posts.schemas.js';

@ApiTags('social')
@Controller('organisations/:organisationId/social/posts')
export class PostCalendarController {
  constructor(private readonly posts: PostCalendarService) {}

  @Get('calendar')
  @Operation({
    id: 'getPostCalendar',
    summary: 'Read what was and is planned for up to 92 days, by its time',
    access: organisationReader,
    answers: Calendar,
  })
  calendar(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: CalendarQuery }) query: CalendarQuery,
  ): Promise<Calendar> {
    return this.posts.calendar(organisationId, query);
  }

  @Get('upcoming')
  @Operation({
    id: 'listUpcomingPosts',
    summary: 'List what is still to be published, the next first',
    access: organisationReader,
    answers: UpcomingPosts,
    refusals: [InvalidCursor],
  })
  upcoming(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: UpcomingQuery }) query: UpcomingQuery,
  ): Promise<UpcomingPosts> {
    return this.posts.upcoming(organisationId, query);
  }
}
