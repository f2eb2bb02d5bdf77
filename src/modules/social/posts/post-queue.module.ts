import { Module } from '@nestjs/common';
import { PostQueue } from './post-queue.js';

/** By itself, since accounts wake their posts and posts ask about their accounts. */
@Module({ providers: [PostQueue], exports: [PostQueue] })
export class PostQueueModule {}
