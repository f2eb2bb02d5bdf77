import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { MetaNotConfigured, MetaRateLimited, MetaUnavailable } from '../../../integrations/meta/meta.errors.js';
import { Cookies } from '../../../kernel/http/cookies.js';
import { TooManyRequests, UserDisabled } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import type { Redirect } from '../../../kernel/http/redirect.js';
import { anybody } from '../../../kernel/tenancy/access.js';
import { type Client, CurrentClient } from '../../../kernel/tenancy/current-client.decorator.js';
import {
  FacebookCodeInvalid,
  FacebookStateInvalid,
  FacebookTokenRefused,
  LinkRequired,
  ReturnToRefused,
} from '../auth.errors.js';
import { Tokens } from '../auth.schemas.js';
import { FacebookAnswer, FacebookCode, FacebookStart, FacebookToken } from './facebook.schemas.js';
import { browserCookie, FacebookLoginService } from './facebook-login.service.js';
import { FacebookSignInService } from './facebook-sign-in.service.js';

type SentCookies = Readonly<Record<string, string | undefined>>;

@ApiTags('auth')
@Controller('auth/facebook')
export class FacebookLoginController {
  constructor(
    private readonly login: FacebookLoginService,
    private readonly signIn: FacebookSignInService,
  ) {}

  @Get()
  @Operation({
    id: 'startFacebookLogin',
    summary: "Send the browser to Facebook's dialog",
    description:
      'For a link that the person follows, not for a script: a cookie binds what comes back to this browser, for ten minutes.',
    access: anybody,
    redirects: true,
    refusals: [ReturnToRefused, MetaNotConfigured],
  })
  start(@Query({ schema: FacebookStart }) query: FacebookStart, @Cookies() cookies: SentCookies): Promise<Redirect> {
    return this.login.begin(query, cookies[browserCookie]);
  }

  @Get('callback')
  @Operation({
    id: 'finishFacebookLogin',
    summary: 'Take the browser back from Facebook, and send it to the app',
    description:
      'The app gets `#code=`, for `POST /auth/facebook/exchange`, or `#error=` with the code of a problem ' +
      '(`facebook-denied`, `facebook-answer-refused`, `too-many-requests`, `meta-unavailable`, ...). Neither a token nor a session is made here.',
    access: anybody,
    redirects: true,
    refusals: [FacebookStateInvalid],
  })
  finish(
    @Query({ schema: FacebookAnswer }) query: FacebookAnswer,
    @Cookies() cookies: SentCookies,
    @CurrentClient() client: Client,
  ): Promise<Redirect> {
    return this.login.finish(query, cookies[browserCookie], client);
  }

  @Post('exchange')
  @Operation({
    id: 'exchangeFacebookCode',
    summary: 'Exchange the code of a log-in with Facebook for a session',
    description:
      'A person who is not known yet gets an account, without an address if Facebook tells none. The code works once, ' +
      'for two minutes; after `link-required` it can still be linked.',
    access: anybody,
    answers: Tokens,
    refusals: [FacebookCodeInvalid, LinkRequired, UserDisabled, TooManyRequests],
  })
  exchange(@Body({ schema: FacebookCode }) body: FacebookCode, @CurrentClient() client: Client): Promise<Tokens> {
    return this.signIn.exchange(body, client);
  }

  @Post('token')
  @Operation({
    id: 'logInWithFacebookToken',
    summary: "Log in with a token of Facebook's SDK in a mobile app",
    description: 'Facebook is asked first whether it is valid, of a person, and was given to our app.',
    access: anybody,
    answers: Tokens,
    refusals: [
      FacebookTokenRefused,
      LinkRequired,
      UserDisabled,
      TooManyRequests,
      MetaNotConfigured,
      MetaUnavailable,
      MetaRateLimited,
    ],
  })
  withToken(@Body({ schema: FacebookToken }) body: FacebookToken, @CurrentClient() client: Client): Promise<Tokens> {
    return this.signIn.withToken(body.accessToken, client);
  }
}
