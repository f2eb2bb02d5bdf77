import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { addressRules, PublicFetch } from '../../../kernel/http/public-fetch.js';
import { AccountsModule } from '../accounts/accounts.module.js';
import { MediaCheck } from './media-check.js';
import { PostCalendarController } from './post-calendar.controller.js';
import { PostCalendarService } from './post-calendar.service.js';
import { PostNeighbours } from './post-neighbours.js';
import { PostQueueModule } from './post-queue.module.js';
import { PostReadiness } from './post-readiness.js';
import { PostsController } from './posts.controller.js';
import { PostsService } from './posts.service.js';
import { PublishingLimitController } from './publishing-limit.controller.js';
import { PublishingQuota } from './publishing-quota.js';
import { SchedulingController } from './scheduling.controller.js';
import { SchedulingService } from './scheduling.service.js';

/** Posts as people write and schedule them. */
@Module({
  imports: [AccountsModule, MetaModule, PostQueueModule],
  controllers: [PostCalendarController, PostsController, PublishingLimitController, SchedulingController],
  providers: [
    MediaCheck,
    PostCalendarService,
    PostNeighbours,
    PostReadiness,
    PostsService,
    {
      provide: PublicFetch,
      inject: [CONFIG],
      useFactory: (config: Config) => new PublicFetch(addressRules(config)),
    },
    PublishingQuota,
    SchedulingService,
  ],
  exports: [PostQueueModule],
})
export class PostsModule {}
