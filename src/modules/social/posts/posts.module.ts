import { Module } from '@nestjs/common';
import { PostQueue } from './post-queue.js';

/** Posts as people write and schedule them. */
@Module({ providers: [PostQueue], exports: [PostQueue] })
export class PostsModule {}
