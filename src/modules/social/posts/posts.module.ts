import { Module } from '@nestjs/common';
import { PublicFetch } from '../../../kernel/http/public-fetch.js';
import { MediaCheck } from './media-check.js';
import { PostCalendarController } from './post-calendar.controller.js';
import { PostCalendarService } from './post-calendar.service.js';
import { PostNeighbours } from './post-neighbours.js';
import { PostQueue } from './post-queue.js';
import { PostReadiness } from './post-readiness.js';
import { PostsController } from './posts.controller.js';
import { PostsService } from './posts.service.js';
import { PublishingQuota } from './publishing-quota.js';
import { SchedulingController } from './scheduling.controller.js';
import { SchedulingService } from './scheduling.service.js';

/** Posts as people write and schedule them. */
@Module({
  controllers: [PostCalendarController, PostsController, SchedulingController],
  providers: [
    MediaCheck,
    PostCalendarService,
    PostNeighbours,
    PostQueue,
    PostReadiness,
    PostsService,
    PublicFetch,
    PublishingQuota,
    SchedulingService,
  ],
  exports: [PostQueue],
})
export class PostsModule {}
