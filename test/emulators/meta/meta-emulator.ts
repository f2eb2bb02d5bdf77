import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { batched, batchOf } from './batch.ts';
import type { CallName, GraphCall, RecordedCall } from './call.ts';
import { control } from './control.ts';
import { decide, type Shown, showDialog } from './dialog.ts';
import { type Fault, Faults, refusalFor } from './faults.ts';
import { callNameOf, carryOut } from './graph.ts';
import { GraphRefusal, noToken, type Reply } from './graph-errors.ts';
import { bodyOf, parametersOf, send, stageBefore, stageReply, withoutSecrets } from './http.ts';
import { serveMedia } from './media.ts';
import { MetaState } from './meta-state.ts';
import { accessToken, debugToken } from './oauth.ts';
import { usageHeaders } from './usage.ts';

/** What a request or an entry of a batch asks for. */
interface Asked {
  method: string;
  url: URL;
  params: URLSearchParams;
  isInBatch: boolean;
}

/** A call with its name and object, before its token is looked at. */
interface Addressed extends Asked {
  name: CallName;
  objectId: string;
}

/**
 * Meta as far as login, connecting, publishing, its figures and messages meet it: the OAuth dialog, the Graph API of
 * pages and Instagram, what people write and the webhooks that tell of it, and files to publish. One address stands for all hosts. `/_control/...` sets the stage.
 */
export class MetaEmulator {
  state = new MetaState();
  readonly faults = new Faults();
  readonly calls: RecordedCall[] = [];
  latencyMs = 0;
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        if (response.headersSent || response.destroyed) response.destroy();
        else send(response, replyTo(error));
      });
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.state.webhooks.stop();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Ids and tokens go on from where they were: none is ever given twice. */
  reset(): void {
    this.state.webhooks.stop();
    this.state = new MetaState();
    this.faults.clear();
    this.calls.splice(0);
    this.latencyMs = 0;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'meta'}`);
    const { method = 'GET', headers } = request;
    const body = await bodyOf(request);
    const { pathname } = url;
    if (pathname.startsWith('/_control/')) return this.control(response, method, url, body);
    if (pathname.startsWith('/media/')) return serveMedia(method, url, headers.range, response);
    const params = await parametersOf(url, headers['content-type'] ?? '', body);
    const [, bearer] = /^(?:Bearer|OAuth) (.+)$/i.exec(headers.authorization ?? '') ?? [];
    if (bearer && !params.has('access_token')) params.set('access_token', bearer);
    if (pathname === '/_dialog/decide') return show(response, decide(this.state.world, this.state.tokens, params));
    if (segmentsOf(url).join('/') === 'dialog/oauth')
      return show(response, showDialog(this.state.world, this.state.tokens, params));
    return this.graph(response, { method, url, params, isInBatch: false });
  }

  private async control(response: ServerResponse, method: string, url: URL, body: Buffer): Promise<void> {
    const route = `${method} ${url.pathname.slice('/_control/'.length)}`;
    send(response, { status: 200, body: await control(this, route, url.searchParams, body.toString()) });
  }

  private async graph(response: ServerResponse, asked: Asked): Promise<void> {
    const call = this.address(asked);
    const fault = this.record(call);
    if (this.latencyMs > 0) await pause(this.latencyMs);
    if (await stageBefore(response, fault)) return;
    const reply = call.name === 'batch' ? this.batch(call, fault) : this.reply(call, fault);
    await stageReply(response, reply, fault);
  }

  private batch(asked: Asked, fault: Fault | undefined): Reply {
    const refusal = fault && refusalFor(fault, '');
    if (refusal) return refusal.reply;
    try {
      const entries = batchOf(asked.params);
      const withHeaders = asked.params.get('include_headers') !== 'false';
      const replies = entries.map((entry) => {
        const call = this.address({ ...entry, isInBatch: true });
        return batched(this.reply(call, this.record(call)), withHeaders);
      });
      return { status: 200, headers: usageHeaders(this.state, ''), body: replies };
    } catch (error) {
      return replyTo(error);
    }
  }

  private record(call: Addressed): Fault | undefined {
    const { name, method, objectId, isInBatch } = call;
    const ownerId = this.state.ownerOf(objectId);
    const at = new Date().toISOString();
    this.calls.push({ name, method, url: withoutSecrets(call.url), objectId, ownerId, isInBatch, at });
    return this.faults.next(name, [objectId, ownerId], isInBatch);
  }

  private reply(call: Addressed, fault: Fault | undefined): Reply {
    try {
      if (fault?.kind === 'token-revoked') this.revokeOwnerOf(call.params);
      const refusal = fault && refusalFor(fault, this.state.ownerOf(call.objectId));
      if (refusal && fault.kind !== 'internal-after') throw refusal;
      const reply = this.good(call, fault);
      if (refusal) throw refusal;
      return {
        ...reply,
        headers: { ...usageHeaders(this.state, this.state.ownerOf(call.objectId)), ...reply.headers },
      };
    } catch (error) {
      return replyTo(error);
    }
  }

  private good(call: Addressed, fault: Fault | undefined): Reply {
    const { tokens, world } = this.state;
    const { name, params, url } = call;
    if (name.startsWith('oauth.')) return accessToken(tokens, params, world.now());
    const token = tokens.authenticate(params.get('access_token') ?? undefined, params.get('appsecret_proof'));
    if (name === 'debug_token') return debugToken(tokens, token, params.get('input_token'), world.now());
    const graphCall: GraphCall = {
      name,
      method: call.method,
      id: call.objectId,
      params,
      token,
      url: url.origin + url.pathname,
    };
    return { status: 200, body: carryOut(this.state, graphCall, fault) };
  }

  private address(asked: Asked): Addressed {
    const [first = '', edge = '', rest] = segmentsOf(asked.url);
    const { method, params } = asked;
    if (first === '' && method === 'POST') return { ...asked, name: 'batch', objectId: '' };
    if (first === 'oauth' && edge === 'access_token') return { ...asked, name: oauthName(params), objectId: '' };
    if (first === 'debug_token') return { ...asked, name: 'debug_token', objectId: '' };
    if (edge === 'permissions' && rest) params.set('permission', rest);
    const objectId = first === 'me' ? this.own(params) : first;
    const byMethod = method === 'POST' && params.get('method') ? (params.get('method') ?? '').toUpperCase() : method;
    const name = callNameOf(byMethod, this.state.kindOf(objectId), edge);
    return { ...asked, method: byMethod, name, objectId };
  }

  /** `me` is the person of a user's token, and the page of a page's. */
  private own(params: URLSearchParams): string {
    const token = this.state.tokens.find(params.get('access_token') ?? '');
    return token?.pageId ?? token?.grant?.personId ?? 'me';
  }

  private revokeOwnerOf(params: URLSearchParams): void {
    const personId = this.state.tokens.find(params.get('access_token') ?? '')?.grant?.personId;
    if (!personId) throw noToken();
    this.state.tokens.revoke(personId, 460);
  }
}

/** The path without its version. */
function segmentsOf(url: URL): string[] {
  const segments = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  return /^v\d+\.\d+$/.test(segments[0] ?? '') ? segments.slice(1) : segments;
}

function oauthName(params: URLSearchParams): CallName {
  if (params.get('grant_type') === 'fb_exchange_token') return 'oauth.extend';
  return params.get('grant_type') === 'client_credentials' ? 'oauth.app' : 'oauth.code';
}

/** What the emulator itself trips over is no answer of Meta's. */
function replyTo(error: unknown): Reply {
  if (error instanceof GraphRefusal) return error.reply;
  return { status: 400, body: { error: 'emulator', message: error instanceof Error ? error.message : String(error) } };
}

function show(response: ServerResponse, { status, html, location }: Shown): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...(location && { location }) });
  response.end(html ?? '');
}
