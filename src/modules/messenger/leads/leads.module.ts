import { Module } from '@nestjs/common';
import { CommentEvents } from './comment-events.js';

/** Comments that show an intent to book. */
@Module({ providers: [CommentEvents], exports: [CommentEvents] })
export class LeadsModule {}
