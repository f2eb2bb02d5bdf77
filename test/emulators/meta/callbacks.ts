import { createHmac } from 'node:crypto';

/**
 * `signed_request`: what Meta posts to an app when a person removes it, or asks for her data to be deleted.
 * Source: https://developers.facebook.com/docs/facebook-login/guides/advanced/existing-system (signed requests),
 * https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback.
 */
export function signedRequest(secret: string, userId: string, at: number): string {
  const said = { user_id: userId, algorithm: 'HMAC-SHA256', issued_at: Math.floor(at / 1000) };
  const payload = Buffer.from(JSON.stringify(said)).toString('base64url');
  return `${createHmac('sha256', secret).update(payload).digest('base64url')}.${payload}`;
}

interface Answer {
  status: number;
  body: string;
}

/** To the app's callback for removals or for deletions, as a form. */
export function deliverSignedRequest(url: string, secret: string, userId: string, at: number): Promise<Answer> {
  return answerTo(url, { body: new URLSearchParams({ signed_request: signedRequest(secret, userId, at) }) });
}

/**
 * `escaped` is Meta's own: what is not ASCII as \uXXXX in small letters, and slashes with a backslash, in the bytes
 * that are signed and sent alike (https://developers.facebook.com/docs/graph-api/webhooks/getting-started).
 */
export type Style = 'compact' | 'pretty' | 'escaped';

export function styled(payload: unknown, style: Style): Buffer {
  if (style === 'pretty') return Buffer.from(`${JSON.stringify(payload, undefined, 2)}\n`);
  const text = JSON.stringify(payload);
  if (style === 'compact') return Buffer.from(text);
  const unit = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return Buffer.from(text.replaceAll('/', '\\/').replace(/[\u007f-\uffff]/g, unit));
}

/** What is wrong with a signature: one bit, all of it, or whose it is. */
export type Spoiling = 'bit' | 'missing' | 'other-secret';

/** The header over exactly these bytes; none for `missing`. */
export function signed(body: Buffer, secret: string, spoil?: Spoiling): Record<string, string> {
  if (spoil === 'missing') return {};
  const key = spoil === 'other-secret' ? `${secret}, of another` : secret;
  const digest = createHmac('sha256', key).update(body).digest();
  if (spoil === 'bit') digest[31] = (digest[31] ?? 0) ^ 1;
  return { 'x-hub-signature-256': `sha256=${digest.toString('hex')}` };
}

export function post(url: string, body: Buffer, headers: Record<string, string>): Promise<Answer> {
  const said = { 'content-type': 'application/json', 'user-agent': 'facebookexternalua', ...headers };
  return answerTo(url, { body: new Uint8Array(body), headers: said, signal: AbortSignal.timeout(longestMs) });
}

const longestMs = 20_000;

async function answerTo(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', redirect: 'manual', ...init });
  return { status: response.status, body: await response.text() };
}
