import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { MetaNotConfigured } from '../../../integrations/meta/meta.errors.js';
import type { AnswerWithCookie } from '../../../kernel/http/answer.js';
import { Cookies } from '../../../kernel/http/cookies.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import type { Redirect } from '../../../kernel/http/redirect.js';
import { anybody, signedIn } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import {
  ConnectChoice,
  ConnectReturn,
  ConnectStart,
  MessengerAuthorization,
  PendingChoice,
} from './connect.schemas.js';
import { choiceRefusals, toldToBrowser } from './connect-refusals.js';
import { ConsentReturn } from './consent-return.js';
import { browserCookie, ConsentStart } from './consent-start.js';
import { MessengerPage } from './messenger-pages.schemas.js';
import { MessengerPagesService } from './messenger-pages.service.js';
import { PendingChoices } from './pending-choices.js';

type SentCookies = Readonly<Record<string, string | undefined>>;

@ApiTags('messenger')
@Controller('messenger/pages')
export class PageConnectController {
  constructor(
    private readonly start: ConsentStart,
    private readonly back: ConsentReturn,
    private readonly pending: PendingChoices,
    private readonly pages: MessengerPagesService,
  ) {}

  @Get('connect')
  @Operation({
    id: 'connectMessengerPage',
    summary: "Begin to connect a page: the address of Meta's dialog",
    description:
      'A cookie ties what comes of it to this browser, for ten minutes: an app of another origin asks with ' +
      "`credentials: 'include'`. A GET that writes: it notes that somebody is on the way.",
    access: signedIn,
    recordsReads: true,
    setsCookie: true,
    answers: MessengerAuthorization,
    refusals: [NotFound, MetaNotConfigured],
  })
  begin(
    @CurrentCaller() caller: Caller,
    @Query({ schema: ConnectStart }) { clinicId }: ConnectStart,
    @Cookies() { [browserCookie]: known }: SentCookies,
  ): Promise<AnswerWithCookie> {
    return this.start.begin('page', caller, { clinicId, known });
  }

  @Get('callback')
  @Operation({
    id: 'finishMessengerPageConnection',
    summary: 'Take the browser back from Meta, and send it to the page of settings',
    description: toldToBrowser,
    access: anybody,
    redirects: true,
  })
  finish(
    @Query({ schema: ConnectReturn }) answer: ConnectReturn,
    @Cookies() { [browserCookie]: browser }: SentCookies,
  ): Promise<Redirect> {
    return this.back.finish('page', answer, browser);
  }

  @Get('pending/:choiceId')
  @Operation({
    id: 'getMessengerPageChoice',
    summary: 'What there is to choose: for the person who consented, for a quarter of an hour',
    access: signedIn,
    answers: PendingChoice,
    refusals: [NotFound],
  })
  choice(
    @CurrentCaller() { userId }: Caller,
    @Param('choiceId', { schema: Uuid }) choiceId: string,
  ): Promise<PendingChoice> {
    return this.pending.get(userId, 'page', choiceId);
  }

  @Post('pending/:choiceId')
  @Operation({
    id: 'chooseMessengerPage',
    summary: 'Connect what was chosen',
    description: 'When Meta does not answer, nothing is connected, and the choice can be made again.',
    access: signedIn,
    answers: MessengerPage,
    refusals: choiceRefusals,
  })
  async choose(
    @CurrentCaller() { userId }: Caller,
    @Param('choiceId', { schema: Uuid }) choiceId: string,
    @Body({ schema: ConnectChoice }) { choice }: ConnectChoice,
  ): Promise<MessengerPage> {
    await this.pending.choose(userId, 'page', choiceId, choice);
    return this.pages.active(userId);
  }
}
