import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { OpenStreams } from './open-streams.js';
import { StreamController } from './stream.controller.js';
import { StreamService } from './stream.service.js';
import { StreamChanges } from './stream-changes.js';
import { Turns } from './turns.js';

/** What happens in conversations, told as it happens. */
@Module({
  imports: [ConversationsModule],
  controllers: [StreamController],
  providers: [OpenStreams, StreamChanges, StreamService, Turns],
})
export class StreamModule {}
