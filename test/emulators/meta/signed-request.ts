import { createHmac } from 'node:crypto';

/**
 * What Meta posts to an app when a person removes it, or asks for her data to be deleted.
 * Source: https://developers.facebook.com/docs/facebook-login/guides/advanced/existing-system (signed requests),
 * https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback.
 */
export function signedRequest(secret: string, userId: string, at: number): string {
  const said = { user_id: userId, algorithm: 'HMAC-SHA256', issued_at: Math.floor(at / 1000) };
  const payload = Buffer.from(JSON.stringify(said)).toString('base64url');
  return `${createHmac('sha256', secret).update(payload).digest('base64url')}.${payload}`;
}
