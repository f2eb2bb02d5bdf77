import { Body, Controller, Get, Headers, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { anybody } from '../../../kernel/tenancy/access.js';
import { SignedRequestRefused } from '../auth.errors.js';
import { deletionAnswer, pageTypes } from './deletion-page.js';
import { DataDeletion, DataDeletionReceived, SignedRequest } from './facebook.schemas.js';
import { MetaCallbacksService } from './meta-callbacks.service.js';

const ConfirmationCode = z.string().max(200);

@ApiTags('auth')
@Controller('auth/facebook')
export class MetaCallbacksController {
  constructor(private readonly callbacks: MetaCallbacksService) {}

  @Post('deauthorize')
  @Operation({
    id: 'receiveFacebookDeauthorization',
    summary: 'For Meta: a person has taken our app away',
    access: anybody,
    status: 200,
    forms: true,
    refusals: [SignedRequestRefused],
  })
  deauthorize(@Body({ schema: SignedRequest }) body: SignedRequest): Promise<void> {
    return this.callbacks.deauthorize(body.signed_request);
  }

  @Post('data-deletion')
  @Operation({
    id: 'receiveFacebookDataDeletion',
    summary: 'For Meta: a person wants to be forgotten',
    description: 'What we hold from Meta is removed in every module, soon after; the `url` tells how far it is.',
    access: anybody,
    answers: DataDeletionReceived,
    forms: true,
    refusals: [SignedRequestRefused],
  })
  requestDeletion(@Body({ schema: SignedRequest }) body: SignedRequest): Promise<DataDeletionReceived> {
    return this.callbacks.requestDeletion(body.signed_request);
  }

  @Get('data-deletion/:confirmationCode')
  @Operation({
    id: 'getFacebookDataDeletion',
    summary: 'See how far a deletion is that was asked for at Facebook',
    description: 'A page for a browser, JSON for everybody else. A code that was never given is `unknown`.',
    access: anybody,
    answers: DataDeletion,
    streams: { contentTypes: pageTypes },
  })
  async deletion(
    @Param('confirmationCode', { schema: ConfirmationCode }) confirmationCode: string,
    @Headers('accept') accept: string | undefined,
  ): Promise<StreamedAnswer> {
    return deletionAnswer(await this.callbacks.deletion(confirmationCode), accept);
  }
}
