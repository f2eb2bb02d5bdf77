import { createHash, createHmac } from 'node:crypto';
import type { Meta } from './meta.js';

/** What every permission of the service comes to. */
export const scopes = [
  ...['email', 'pages_show_list', 'pages_read_engagement', 'pages_manage_posts', 'read_insights'],
  ...['instagram_basic', 'instagram_content_publish', 'instagram_manage_insights'],
].join(',');

const app = { client_id: 'emulator-app', client_secret: 'emulator-secret' };
const redirectUri = 'http://127.0.0.1:9/back';
const verifier = 'v'.repeat(43);

interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is looked into freely, as a client would
  body: any;
}
interface Choice {
  personId: string;
  withholds?: string[];
  pages?: string[];
}
interface Sending {
  /** null: none; the right one unless given. */
  proof?: string | null;
  timeoutMs?: number;
}

/** The Graph API by hand, against the emulator: our own client is not what is tested there. */
export class GraphClientOfTests {
  constructor(private readonly meta: Meta) {}

  dialogUrl(more: Record<string, string> = {}): string {
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const query = {
      ...{ client_id: app.client_id, redirect_uri: redirectUri, response_type: 'code', scope: scopes, state: 's' },
      ...{ code_challenge: challenge, code_challenge_method: 'S256' },
      ...more,
    };
    return `${this.meta.url}/v25.0/dialog/oauth?${new URLSearchParams(query)}`;
  }

  async code(choice: Choice): Promise<string> {
    return (await this.meta.consent(this.dialogUrl(), choice)).get('code') ?? '';
  }

  exchange(code: string, more: Record<string, string> = {}): Promise<Answer> {
    const form = { ...app, redirect_uri: redirectUri, code_verifier: verifier, code, ...more };
    return this.send('POST', 'oauth/access_token', form);
  }

  async login(choice: Choice): Promise<string> {
    return (await this.exchange(await this.code(choice))).body.access_token;
  }

  extend(token: string): Promise<Answer> {
    return this.send('POST', 'oauth/access_token', {
      ...{ ...app, grant_type: 'fb_exchange_token', fb_exchange_token: token },
    });
  }

  inspect(token: string): Promise<Answer> {
    return this.get('debug_token', `${app.client_id}|${app.client_secret}`, { input_token: token });
  }

  async pageToken(userToken: string, pageId: string): Promise<string> {
    return (await this.get(pageId, userToken, { fields: 'access_token' })).body.access_token;
  }

  /** A page's token as the service holds it: of a long-lived one, with every permission. */
  async connectedPage(personId: string, pageId: string): Promise<string> {
    const long = await this.extend(await this.login({ personId }));
    return this.pageToken(long.body.access_token, pageId);
  }

  get(path: string, token: string, params: Record<string, string> = {}, sending: Sending = {}): Promise<Answer> {
    return this.send('GET', path, this.proven(token, params, sending), token, sending);
  }

  post(path: string, token: string, params: Record<string, string> = {}, sending: Sending = {}): Promise<Answer> {
    return this.send('POST', path, this.proven(token, params, sending), token, sending);
  }

  delete(path: string, token: string): Promise<Answer> {
    return this.send('DELETE', path, this.proven(token, {}, {}), token);
  }

  proof(token: string): string {
    return createHmac('sha256', app.client_secret).update(token).digest('hex');
  }

  signature(payload: string, encoding: 'base64url' | 'hex' = 'base64url'): string {
    return createHmac('sha256', app.client_secret).update(payload).digest(encoding);
  }

  private proven(token: string, params: Record<string, string>, { proof }: Sending): Record<string, string> {
    return proof === null ? params : { ...params, appsecret_proof: proof ?? this.proof(token) };
  }

  private async send(
    method: string,
    path: string,
    params: Record<string, string>,
    token?: string,
    { timeoutMs = 10_000 }: Sending = {},
  ): Promise<Answer> {
    const url = new URL(`${this.meta.url}/v25.0/${path}`);
    const form = new URLSearchParams(params);
    if (method === 'GET') url.search = form.toString();
    const response = await fetch(url, {
      method,
      body: method === 'GET' ? undefined : form,
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
}
