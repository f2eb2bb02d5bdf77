import { Body, Controller, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NotFound, RuleViolated } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { signedIn } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { NotConnected } from '../messenger.errors.js';
import { RetryService } from './retry.service.js';
import {
  HumanAgentNotGranted,
  MessageNotFailed,
  MessageOutcomeUnknown,
  MessageRetried,
  MessageUnreadable,
  OutsideMessagingWindow,
} from './sending.errors.js';
import { MessageRetry, NewMessage, QueuedMessage } from './sending.schemas.js';
import { SendingService } from './sending.service.js';

const answering = [HumanAgentNotGranted, NotConnected, NotFound, OutsideMessagingWindow, RuleViolated] as const;

@ApiTags('messenger')
@Controller('messenger/conversations/:conversationId/messages')
export class SendingController {
  constructor(
    private readonly sending: SendingService,
    private readonly retries: RetryService,
  ) {}

  @Post()
  @Operation({
    id: 'sendMessage',
    summary: 'Answer in a conversation',
    description:
      'It is queued, and leaves within seconds, after those of the conversation that were queued before it. What becomes ' +
      'of it is told by its status: `sent` with what Meta calls it, or `failed` with a code.',
    access: signedIn,
    status: 202,
    answers: QueuedMessage,
    idempotent: true,
    refusals: answering,
  })
  send(
    @Param('conversationId', { schema: Uuid }) conversationId: string,
    @Body({ schema: NewMessage }) body: NewMessage,
    @CurrentCaller() caller: Caller,
  ): Promise<QueuedMessage> {
    return this.sending.send(conversationId, body, caller.userId);
  }

  @Post(':messageId/retry')
  @Operation({
    id: 'retryMessage',
    summary: 'Send a message again that has failed',
    description:
      'As a new message, once: a failed message is followed by one other at most, so that no `Idempotency-Key` is needed.',
    access: signedIn,
    status: 202,
    answers: QueuedMessage,
    refusals: [...answering, MessageNotFailed, MessageOutcomeUnknown, MessageRetried, MessageUnreadable],
  })
  retry(
    @Param('conversationId', { schema: Uuid }) conversationId: string,
    @Param('messageId', { schema: Uuid }) messageId: string,
    @Body({ schema: MessageRetry }) body: MessageRetry,
    @CurrentCaller() caller: Caller,
  ): Promise<QueuedMessage> {
    return this.retries.retry({ conversationId, messageId }, body, caller.userId);
  }
}
