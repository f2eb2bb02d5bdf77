import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { AccountsModule } from '../accounts/accounts.module.js';
import { PostQueueModule } from '../posts/post-queue.module.js';
import { FacebookPublisher } from './facebook-publisher.js';
import { InstagramPublisher } from './instagram-publisher.js';
import { PublishOnce } from './publish-once.js';
import { PublishingJobs } from './publishing.jobs.js';
import { PublishingStore } from './publishing-store.js';

/** The worker that brings due posts to their page, each once. */
@Module({
  imports: [AccountsModule, MetaModule, PostQueueModule],
  providers: [FacebookPublisher, InstagramPublisher, PublishOnce, PublishingJobs, PublishingStore],
})
export class PublishingModule {}
