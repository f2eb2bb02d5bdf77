import { Controller, Get, Headers, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { RawBody } from '../../../kernel/http/raw-body.js';
import { anybody } from '../../../kernel/tenancy/access.js';
import { WebhookNotConfigured, WebhookSignatureRefused, WebhookTokenRefused } from '../messenger.errors.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhookVerification } from './webhook-verification.js';
import { Text, VerificationQuery } from './webhooks.schemas.js';

/** Meta's own limit is not told; what it sends is far below this. */
const maxBytes = 1024 * 1024;

/** What Meta's documentation answers; only the status counts. */
const received = 'EVENT_RECEIVED';

@ApiTags('messenger')
@Controller('webhooks/meta')
export class WebhooksController {
  constructor(
    private readonly verification: WebhookVerification,
    private readonly intake: WebhookIntake,
  ) {}

  @Get()
  @Operation({
    id: 'verifyMetaWebhook',
    summary: 'For Meta: prove that the address of the webhook is ours',
    access: anybody,
    answers: Text,
    text: true,
    refusals: [WebhookTokenRefused, WebhookNotConfigured],
  })
  verify(@Query({ schema: VerificationQuery }) query: VerificationQuery): string {
    return this.verification.answer(query);
  }

  @Post()
  @Operation({
    id: 'receiveMetaWebhook',
    summary: 'For Meta: what happened on pages and Instagram accounts',
    description:
      'Signed with the app secret over the bytes of the body (`X-Hub-Signature-256`). Answered when every event in it is ' +
      'kept; what was kept before is not kept twice. Up to 1 MiB.',
    access: anybody,
    status: 200,
    answers: Text,
    text: true,
    rawBody: { maxBytes },
    unlimited: 'unless-refused',
    refusals: [WebhookSignatureRefused],
  })
  async receive(
    @RawBody() body: Buffer,
    @Headers('x-hub-signature-256') signature: string | undefined,
  ): Promise<string> {
    await this.intake.receive(body, signature);
    return received;
  }
}
