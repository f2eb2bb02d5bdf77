import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { MetaNotConfigured } from '../../../integrations/meta/meta.errors.js';
import type { AnswerWithCookie } from '../../../kernel/http/answer.js';
import { Cookies } from '../../../kernel/http/cookies.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import type { Redirect } from '../../../kernel/http/redirect.js';
import { anybody, signedInAs } from '../../../kernel/tenancy/access.js';
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
import { InstagramConnection } from './instagram.schemas.js';
import { InstagramAccounts } from './instagram-accounts.js';
import { PendingChoices } from './pending-choices.js';

type SentCookies = Readonly<Record<string, string | undefined>>;

@ApiTags('messenger')
@Controller('settings/instagram')
export class InstagramConnectController {
  constructor(
    private readonly start: ConsentStart,
    private readonly back: ConsentReturn,
    private readonly pending: PendingChoices,
    private readonly accounts: InstagramAccounts,
  ) {}

  @Get('connect')
  @Operation({
    id: 'connectInstagram',
    summary: "Begin to connect the own Instagram account: the address of Meta's dialog",
    description:
      'A cookie ties what comes of it to this browser, for ten minutes: an app of another origin asks with ' +
      "`credentials: 'include'`. A GET that writes: it notes that somebody is on the way.",
    access: signedInAs('provider'),
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
    return this.start.begin('instagram', caller, { clinicId, known });
  }

  @Get('callback')
  @Operation({
    id: 'finishInstagramConnection',
    summary: 'Take the browser back from Meta, and send it to the page of settings',
    description: toldToBrowser,
    access: anybody,
    redirects: true,
  })
  finish(
    @Query({ schema: ConnectReturn }) answer: ConnectReturn,
    @Cookies() { [browserCookie]: browser }: SentCookies,
  ): Promise<Redirect> {
    return this.back.finish('instagram', answer, browser);
  }

  @Get('pending/:choiceId')
  @Operation({
    id: 'getInstagramChoice',
    summary: 'What there is to choose: for the person who consented, for a quarter of an hour',
    access: signedInAs('provider'),
    answers: PendingChoice,
    refusals: [NotFound],
  })
  choice(
    @CurrentCaller() { userId }: Caller,
    @Param('choiceId', { schema: Uuid }) choiceId: string,
  ): Promise<PendingChoice> {
    return this.pending.get(userId, 'instagram', choiceId);
  }

  @Post('pending/:choiceId')
  @Operation({
    id: 'chooseInstagram',
    summary: 'Connect what was chosen',
    description: 'When Meta does not answer, nothing is connected, and the choice can be made again.',
    access: signedInAs('provider'),
    answers: InstagramConnection,
    refusals: choiceRefusals,
  })
  async choose(
    @CurrentCaller() { userId }: Caller,
    @Param('choiceId', { schema: Uuid }) choiceId: string,
    @Body({ schema: ConnectChoice }) { choice }: ConnectChoice,
  ): Promise<InstagramConnection> {
    await this.pending.choose(userId, 'instagram', choiceId, choice);
    return this.accounts.get(userId);
  }

  @Delete('disconnect')
  @Operation({
    id: 'disconnectInstagram',
    summary: 'Let go of the own Instagram account',
    description: 'Also where there is none. The token is forgotten at once; Meta is told as soon as it answers.',
    access: signedInAs('provider'),
  })
  disconnect(@CurrentCaller() { userId }: Caller): Promise<void> {
    return this.accounts.disconnect(userId);
  }
}
