import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Whether a webhook comes from Meta: `X-Hub-Signature-256: sha256=<hex>` is the HMAC-SHA256 of the body with the app's
 * secret. https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads
 *
 * It is made over the bytes that travel: Meta writes everything beyond ASCII as `\u00e4` in them. Parsed and written
 * anew, or decoded, the same JSON has other bytes and another signature: only the raw body will do.
 */
export class WebhookSignatures {
  private readonly secrets: readonly string[];

  /** Several while the secret is being changed; with none nothing is valid. */
  constructor(secrets: readonly string[]) {
    this.secrets = secrets.filter((secret) => secret !== '');
  }

  isValid(rawBody: Buffer, header: string | undefined): boolean {
    const [, hex] = /^sha256=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
    if (hex === undefined) return false;
    const given = Buffer.from(hex, 'hex');
    // Every secret is tried, whichever is the right one: how long it takes says nothing.
    return this.secrets.map((secret) => timingSafeEqual(signatureOf(rawBody, secret), given)).includes(true);
  }
}

function signatureOf(rawBody: Buffer, secret: string): Buffer {
  return createHmac('sha256', secret).update(rawBody).digest();
}
