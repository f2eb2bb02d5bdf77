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

interface Delivered {
  status: number;
  body: string;
}

/** To the app's callback for removals or for deletions, as a form. */
export function deliverSignedRequest(url: string, secret: string, userId: string, at: number): Promise<Delivered> {
  return deliver(url, { body: new URLSearchParams({ signed_request: signedRequest(secret, userId, at) }) });
}

/** https://developers.facebook.com/docs/graph-api/webhooks/getting-started: signed over the bytes that are sent. */
export function deliverWebhook(url: string, secret: string, payload: unknown): Promise<Delivered> {
  const body = JSON.stringify(payload);
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  return deliver(url, { body, headers: { 'content-type': 'application/json', 'x-hub-signature-256': signature } });
}

async function deliver(url: string, init: RequestInit): Promise<Delivered> {
  const response = await fetch(url, { method: 'POST', ...init });
  return { status: response.status, body: await response.text() };
}
