import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor, NotFound } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { adminOnly } from '../../../kernel/tenancy/access.js';
import { WebhookEventNotFailed } from '../messenger.errors.js';
import { WebhookEventsService } from './webhook-events.service.js';
import {
  EventId,
  Replayed,
  ReplayRequest,
  WebhookEvent,
  WebhookEvents,
  WebhookEventsQuery,
  WebhookSummary,
} from './webhooks.schemas.js';

@ApiTags('messenger')
@Controller('webhooks/events')
export class WebhookEventsController {
  constructor(private readonly events: WebhookEventsService) {}

  @Get()
  @Operation({
    id: 'listWebhookEvents',
    summary: "List Meta's events that were given up, or whose page nobody has connected; oldest first",
    description: 'Never what they say.',
    access: adminOnly,
    answers: WebhookEvents,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: WebhookEventsQuery }) query: WebhookEventsQuery): Promise<WebhookEvents> {
    return this.events.list(query);
  }

  @Get('summary')
  @Operation({
    id: 'getWebhookSummary',
    summary: "Count Meta's events that wait, were given up, or belong to nobody",
    access: adminOnly,
    answers: WebhookSummary,
  })
  summary(): Promise<WebhookSummary> {
    return this.events.summary();
  }

  @Post('replay')
  @Operation({
    id: 'replayWebhookEvents',
    summary: 'Let all events that were given up be processed again, a thousand at a time',
    access: adminOnly,
    status: 200,
    answers: Replayed,
  })
  replayAll(@Body({ schema: ReplayRequest }) request: ReplayRequest): Promise<Replayed> {
    return this.events.replayAll(request);
  }

  @Post(':eventId/replay')
  @Operation({
    id: 'replayWebhookEvent',
    summary: 'Let an event that was given up be processed again',
    access: adminOnly,
    status: 200,
    answers: WebhookEvent,
    refusals: [NotFound, WebhookEventNotFailed],
  })
  replay(@Param('eventId', { schema: EventId }) eventId: string): Promise<WebhookEvent> {
    return this.events.replay(eventId);
  }
}
