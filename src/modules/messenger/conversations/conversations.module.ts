import { Module } from '@nestjs/common';

/** Conversations as people read and keep them. */
@Module({})
export class ConversationsModule {}
