import { Controller, Get, Headers } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { eventStreamType } from '../../../kernel/http/event-stream.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { signedIn } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { StreamService } from './stream.service.js';

@ApiTags('messenger')
@Controller('messenger/stream')
export class StreamController {
  constructor(private readonly streams: StreamService) {}

  @Get()
  @Operation({
    id: 'streamMessages',
    summary: 'Be told of new messages and changes in your conversations, as they happen',
    description:
      'Server-Sent Events: `message` and `conversation`, each as the routes answer them, and again whenever they change; ' +
      '`ready` at the start; `reset` when it cannot go on from where you were, so that you read the lists again; `end` ' +
      'with a `code` before it is ended. A client that comes back sends the last `id` as `Last-Event-ID` and misses ' +
      'nothing; it may be told of something twice. Three streams of one user at most, of which the oldest ends.',
    access: signedIn,
    streams: { contentTypes: [eventStreamType] },
    recordsReads: true,
  })
  open(@CurrentCaller() caller: Caller, @Headers('last-event-id') lastEventId?: string): StreamedAnswer {
    return this.streams.open(caller, lastEventId);
  }
}
