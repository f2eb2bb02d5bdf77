import { Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { InvalidCursor, NotFound } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { pageQuery } from '../../../kernel/http/page.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { signedIn } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { NotConnected } from '../messenger.errors.js';
import { MessengerPage, MessengerPages } from './messenger-pages.schemas.js';
import { MessengerPagesService } from './messenger-pages.service.js';

@ApiTags('messenger')
@Controller('messenger/pages')
export class MessengerPagesController {
  constructor(private readonly pages: MessengerPagesService) {}

  @Get()
  @Operation({
    id: 'listMessengerPages',
    summary: 'List the own pages and how they are, the one connected last first',
    description: 'Meta is asked once within five minutes, and not of pages that are not connected any more.',
    access: signedIn,
    answers: MessengerPages,
    refusals: [InvalidCursor],
  })
  list(
    @CurrentCaller() { userId }: Caller,
    @Query({ schema: pageQuery }) query: z.infer<typeof pageQuery>,
  ): Promise<MessengerPages> {
    return this.pages.list(userId, query);
  }

  @Delete(':pageConnectionId')
  @Operation({
    id: 'disconnectMessengerPage',
    summary: 'Let go of an own page',
    description:
      'Its token is forgotten at once; Meta is told as soon as it answers. The conversations stay, and go on when the ' +
      'page is connected again.',
    access: signedIn,
    refusals: [NotFound],
  })
  disconnect(
    @CurrentCaller() { userId }: Caller,
    @Param('pageConnectionId', { schema: Uuid }) pageConnectionId: string,
  ): Promise<void> {
    return this.pages.disconnect(userId, pageConnectionId);
  }

  @Post(':pageConnectionId/pause')
  @Operation({
    id: 'pauseMessengerPage',
    summary: 'Answer nothing automatically on an own page',
    access: signedIn,
    status: 200,
    answers: MessengerPage,
    refusals: [NotFound, NotConnected],
  })
  pause(
    @CurrentCaller() { userId }: Caller,
    @Param('pageConnectionId', { schema: Uuid }) pageConnectionId: string,
  ): Promise<MessengerPage> {
    return this.pages.setPaused(userId, pageConnectionId, true);
  }

  @Post(':pageConnectionId/resume')
  @Operation({
    id: 'resumeMessengerPage',
    summary: 'Answer automatically again on an own page',
    access: signedIn,
    answers: MessengerPage,
    refusals: [NotFound, NotConnected],
  })
  resume(
    @CurrentCaller() { userId }: Caller,
    @Param('pageConnectionId', { schema: Uuid }) pageConnectionId: string,
  ): Promise<MessengerPage> {
    return this.pages.setPaused(userId, pageConnectionId, false);
  }
}
