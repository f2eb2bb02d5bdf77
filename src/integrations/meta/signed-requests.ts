import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

const Payload = z.object({
  algorithm: z.string(),
  user_id: z.string().regex(/^\d{1,32}$/),
  issued_at: z.number().int().positive().max(4_102_444_800),
});

export interface SignedRequest {
  userId: string;
  issuedAt: Date;
}

/**
 * What Meta posts to an app's callbacks (deauthorisation, deletion of data): `<signature>.<payload>`, both base64url,
 * the signature an HMAC-SHA256 of the encoded payload with the app's secret.
 * https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback
 */
export class SignedRequests {
  /** Several secrets while it is being changed. */
  constructor(private readonly appSecrets: readonly string[]) {}

  /** What it says; nothing for one that is not Meta's, or in an installation without an app. */
  open(signedRequest: string): SignedRequest | undefined {
    const [, signature, payload] = /^([\w-]{43})=?\.([\w-]{1,4096})={0,2}$/.exec(signedRequest) ?? [];
    if (!signature || !payload || !this.isSigned(payload, Buffer.from(signature, 'base64url'))) return undefined;
    return read(payload);
  }

  private isSigned(payload: string, given: Buffer): boolean {
    return this.appSecrets.some((secret) => {
      const expected = createHmac('sha256', secret).update(payload).digest();
      return secret !== '' && given.length === expected.length && timingSafeEqual(given, expected);
    });
  }
}

/** Only what is signed is read; the algorithm is checked although no other was used for the check. */
function read(payload: string): SignedRequest | undefined {
  try {
    const { algorithm, user_id, issued_at } = Payload.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    if (algorithm.toUpperCase() !== 'HMAC-SHA256') return undefined;
    return { userId: user_id, issuedAt: new Date(issued_at * 1000) };
  } catch {
    return undefined;
  }
}
