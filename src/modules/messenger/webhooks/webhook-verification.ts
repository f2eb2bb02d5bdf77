import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { WebhookNotConfigured, WebhookTokenRefused } from '../messenger.errors.js';
import type { VerificationQuery } from './webhooks.schemas.js';

/**
 * Proves to Meta that the address is ours, when somebody enters it in the app's dashboard.
 * https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests
 */
@Injectable()
export class WebhookVerification {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** The challenge, for whoever knows the token. @throws WebhookNotConfigured, WebhookTokenRefused */
  answer(query: VerificationQuery): string {
    const { webhookVerifyToken } = this.config.meta;
    if (webhookVerifyToken === undefined) throw new WebhookNotConfigured();
    if (!isSame(query['hub.verify_token'], webhookVerifyToken)) throw new WebhookTokenRefused();
    return query['hub.challenge'];
  }
}

/** How long it takes tells neither where two texts differ nor how long the right one is. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(sha256(given), sha256(expected));
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
