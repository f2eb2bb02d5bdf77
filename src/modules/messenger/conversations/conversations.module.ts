import { Module } from '@nestjs/common';
import { MessageTexts } from './message-texts.js';

/** Conversations as people read and keep them. */
@Module({
  providers: [MessageTexts],
  exports: [MessageTexts],
})
export class ConversationsModule {}
