import { Module } from '@nestjs/common';
import { AccountsModule } from './accounts/accounts.module.js';
import { AnalyticsModule } from './analytics/analytics.module.js';
import { PostsModule } from './posts/posts.module.js';
import { PublishingModule } from './publishing/publishing.module.js';
import { VideosModule } from './videos/videos.module.js';

/** Instagram accounts and Facebook pages, the posts on them, and their echo. */
@Module({ imports: [AccountsModule, AnalyticsModule, PostsModule, PublishingModule, VideosModule] })
export class SocialModule {}
