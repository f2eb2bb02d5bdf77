import { Body, Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NotFound, TooManyRequests } from '../../kernel/http/http.errors.js';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { Uuid } from '../../kernel/http/primitives.js';
import { anybody, signedIn } from '../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../kernel/tenancy/current-caller.decorator.js';
import { type Client, CurrentClient } from '../../kernel/tenancy/current-client.decorator.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { RefreshRefused, WrongCredentials } from './auth.errors.js';
import { Login, Refresh, Sessions, Tokens } from './auth.schemas.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('auth')
@Controller('auth')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Post('login')
  @Operation({
    id: 'logIn',
    summary: 'Log in with address and password',
    access: anybody,
    answers: Tokens,
    refusals: [WrongCredentials, TooManyRequests],
  })
  logIn(@Body({ schema: Login }) body: Login, @CurrentClient() client: Client): Promise<Tokens> {
    return this.sessions.logIn(body, client);
  }

  @Post('refresh')
  @Operation({
    id: 'refreshTokens',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Each refresh token works once. Used again it ends the session, except within 10 seconds by the same client, ' +
      'which then gets the same successor again.',
    access: anybody,
    answers: Tokens,
    refusals: [RefreshRefused, TooManyRequests],
  })
  refresh(@Body({ schema: Refresh }) body: Refresh, @CurrentClient() client: Client): Promise<Tokens> {
    return this.sessions.refresh(body.refreshToken, client);
  }

  @Post('logout')
  @Operation({ id: 'logOut', summary: 'End this session', access: signedIn, allowsUnverified: true })
  logOut(@CurrentCaller() caller: Caller): Promise<void> {
    return this.sessions.end(caller.sessionId);
  }

  @Post('logout-all')
  @Operation({ id: 'logOutEverywhere', summary: 'End all own sessions', access: signedIn, allowsUnverified: true })
  logOutEverywhere(): Promise<void> {
    return this.sessions.endAll();
  }

  @Get('sessions')
  @Operation({ id: 'listSessions', summary: 'List own live sessions', access: signedIn, answers: Sessions })
  list(@CurrentCaller() caller: Caller): Promise<Sessions> {
    return this.sessions.list(caller);
  }

  @Delete('sessions/:sessionId')
  @Operation({ id: 'endSession', summary: 'End one own session', access: signedIn, refusals: [NotFound] })
  end(@Param('sessionId', { schema: Uuid }) sessionId: string): Promise<void> {
    return this.sessions.end(sessionId);
  }
}
