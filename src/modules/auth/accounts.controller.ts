import { Body, Controller, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { TooManyRequests } from '../../kernel/http/http.errors.js';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { PasswordTooCommon } from '../../kernel/secrets/passwords.js';
import { anybody, signedIn } from '../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../kernel/tenancy/current-caller.decorator.js';
import { type Client, CurrentClient } from '../../kernel/tenancy/current-client.decorator.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { InvalidOneTimeToken, WrongCredentials } from './auth.errors.js';
import {
  EmailVerification,
  ForgottenPassword,
  PasswordChange,
  PasswordReset,
  Registration,
  RegistrationReceived,
} from './auth.schemas.js';
import { PasswordsService } from './passwords.service.js';
import { RegistrationService } from './registration.service.js';

@ApiTags('auth')
@Controller('auth')
export class AccountsController {
  constructor(
    private readonly registration: RegistrationService,
    private readonly passwords: PasswordsService,
  ) {}

  @Post('register')
  @Operation({
    id: 'register',
    summary: 'Make an account for a patient',
    description: 'The answer is the same whether the address was free or taken; a mail tells which.',
    access: anybody,
    status: 201,
    answers: RegistrationReceived,
    refusals: [PasswordTooCommon],
  })
  register(@Body({ schema: Registration }) body: Registration): Promise<RegistrationReceived> {
    return this.registration.register(body);
  }

  @Post('email/verify')
  @Operation({
    id: 'verifyEmail',
    summary: 'Prove an address with the token that was mailed to it',
    access: anybody,
    refusals: [InvalidOneTimeToken, TooManyRequests],
  })
  verify(
    @Body({ schema: EmailVerification }) body: z.infer<typeof EmailVerification>,
    @CurrentClient() client: Client,
  ): Promise<void> {
    return this.registration.verify(body.token, client);
  }

  @Post('email/resend')
  @Operation({
    id: 'resendVerification',
    summary: 'Mail a new verification token',
    access: signedIn,
    status: 202,
    allowsUnverified: true,
  })
  resend(@CurrentCaller() caller: Caller): Promise<void> {
    return this.registration.resend(caller);
  }

  @Post('password/forgot')
  @Operation({
    id: 'forgotPassword',
    summary: 'Mail a token to set a new password',
    access: anybody,
    status: 202,
    refusals: [TooManyRequests],
  })
  forgot(@Body({ schema: ForgottenPassword }) body: z.infer<typeof ForgottenPassword>): Promise<void> {
    return this.passwords.forgot(body.email);
  }

  @Post('password/reset')
  @Operation({
    id: 'resetPassword',
    summary: 'Set a new password with a mailed token; ends all sessions',
    access: anybody,
    refusals: [InvalidOneTimeToken, PasswordTooCommon, TooManyRequests],
  })
  reset(@Body({ schema: PasswordReset }) body: PasswordReset, @CurrentClient() client: Client): Promise<void> {
    return this.passwords.reset(body, client);
  }

  @Post('password/change')
  @Operation({
    id: 'changePassword',
    summary: 'Change the own password; ends all other sessions',
    access: signedIn,
    refusals: [WrongCredentials, PasswordTooCommon, TooManyRequests],
  })
  change(@Body({ schema: PasswordChange }) body: PasswordChange, @CurrentCaller() caller: Caller): Promise<void> {
    return this.passwords.change(body, caller);
  }
}
