import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Accounts, type Client } from './accounts.ts';
import { decide, type Page, showConsent } from './consent.ts';
import { type CallName, type Fault, Faults, refusalFor } from './faults.ts';
import { entityNotFound, insufficientScope, type Reply, unauthenticated } from './problems.ts';
import { type Spreadsheet, Spreadsheets } from './spreadsheets.ts';

const host = 'https://www.googleapis.com/auth';
const readsSheets = [
  `${host}/spreadsheets.readonly`,
  `${host}/spreadsheets`,
  `${host}/drive.readonly`,
  `${host}/drive`,
];
const readsDrive = [`${host}/drive.metadata.readonly`, `${host}/drive.readonly`, `${host}/drive`];

const defaultSlowMs = 30_000;

/** The client that the emulator knows from the start. */
export const demoClient: Client = { clientId: 'emulator-client', clientSecret: 'emulator-secret', redirectUris: ['*'] };

interface Call {
  name: CallName;
  /** Path and query, without tokens. */
  url: string;
  email: string | undefined;
}

/**
 * Google as far as a synchronisation of spreadsheets meets it: the consent page, the token endpoints, Drive's list of
 * files and the values of Sheets. `/_control/...` sets the stage.
 */
export class GoogleEmulator {
  private accounts = new Accounts();
  private spreadsheets = new Spreadsheets();
  private readonly faults = new Faults();
  private calls: Call[] = [];
  private readonly server: Server;

  constructor() {
    this.reset();
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: Error) => {
        if (response.headersSent) response.destroy();
        else send(response, { status: 400, body: { error: 'emulator', message: error.message } });
      });
    });
  }

  /** @returns the address that stands for all of Google's hosts */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private reset(): void {
    this.accounts = new Accounts();
    this.accounts.clients.set(demoClient.clientId, demoClient);
    this.spreadsheets = new Spreadsheets();
    this.faults.clear();
    this.calls = [];
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://google');
    const body = await bodyOf(request);
    const route = `${request.method} ${url.pathname}`;
    if (url.pathname.startsWith('/_control/')) return send(response, this.control(route, body));
    if (route === 'GET /o/oauth2/v2/auth') return sendPage(response, showConsent(this.accounts, url.searchParams));
    if (route === 'POST /o/oauth2/v2/consent')
      return sendPage(response, decide(this.accounts, new URLSearchParams(body)));
    const name = callName(route);
    if (!name) return send(response, entityNotFound());
    const caller = this.accounts.bearer(request.headers.authorization);
    url.searchParams.delete('token');
    this.calls.push({ name, url: url.pathname + url.search, email: caller?.email });
    const fault = this.faults.next(name);
    if (fault?.kind === 'token-revoked' && caller) this.accounts.revokeAllOf(caller.email);
    const refusal = fault && refusalFor(fault);
    const reply = refusal ?? this.reply(name, request, url, body);
    await stage(response, reply, refusal ? undefined : fault);
  }

  private reply(name: CallName, request: IncomingMessage, url: URL, body: string): Reply {
    if (name === 'token') return this.accounts.exchange(new URLSearchParams(body));
    if (name === 'revoke') {
      const token = new URL(request.url ?? '/', 'http://google').searchParams.get('token');
      return this.accounts.revoke(token ?? new URLSearchParams(body).get('token') ?? '');
    }
    const caller = this.accounts.bearer(request.headers.authorization);
    if (!caller) return unauthenticated();
    const needed = name === 'files.list' ? readsDrive : readsSheets;
    if (!needed.some((scope) => caller.scopes.includes(scope))) return insufficientScope();
    return this.read(name, caller.email, url);
  }

  private read(name: CallName, email: string, { pathname, searchParams }: URL): Reply {
    if (name === 'files.list') return this.spreadsheets.list(email, searchParams);
    const [, , , id = '', , range = ''] = pathname.split('/').map(decodeURIComponent);
    if (name === 'spreadsheets.get') return this.spreadsheets.get(email, id);
    if (name === 'values.get') return this.spreadsheets.values(email, id, range, searchParams);
    return this.spreadsheets.batch(email, id, searchParams);
  }

  private control(route: string, body: string): Reply {
    const done: Reply = { status: 200, body: {} };
    const given = body === '' ? {} : (JSON.parse(body) as unknown);
    const act = this.controls[route];
    if (!act) return { status: 404, body: { error: `There is no control ${route}.` } };
    return { ...done, body: act(given) ?? {} };
  }

  private readonly controls: Record<string, (given: unknown) => unknown> = {
    'POST /_control/reset': () => this.reset(),
    'POST /_control/clients': (client) =>
      this.accounts.clients.set((client as Client).clientId, client as Client) && {},
    'POST /_control/people': (person) => this.accounts.addPerson((person as { email: string }).email),
    'POST /_control/spreadsheets': (file) =>
      this.spreadsheets.all.set((file as Spreadsheet).id, file as Spreadsheet) && {},
    'POST /_control/spreadsheets/delete': (file) => ({
      removed: this.spreadsheets.all.delete((file as { id: string }).id),
    }),
    'POST /_control/faults': (fault) => this.faults.add(fault as Fault),
    'POST /_control/faults/clear': () => this.faults.clear(),
    'POST /_control/tokens/expire': () => this.accounts.expireAccessTokens(),
    'POST /_control/tokens/revoke': (person) => this.accounts.revokeAllOf((person as { email: string }).email),
    'POST /_control/tokens/life': (life) => {
      this.accounts.accessTokenSeconds = (life as { seconds: number }).seconds;
    },
    'GET /_control/calls': () => ({ calls: this.calls }),
    'POST /_control/calls/clear': () => {
      this.calls = [];
    },
  };
}

function callName(route: string): CallName | undefined {
  if (route === 'POST /token') return 'token';
  if (route === 'POST /revoke') return 'revoke';
  if (route === 'GET /drive/v3/files') return 'files.list';
  if (/^GET \/v4\/spreadsheets\/[^/]+\/values:batchGet$/.test(route)) return 'values.batchGet';
  if (/^GET \/v4\/spreadsheets\/[^/]+\/values\/[^/]+$/.test(route)) return 'values.get';
  if (/^GET \/v4\/spreadsheets\/[^/]+$/.test(route)) return 'spreadsheets.get';
  return undefined;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Sends the reply, or what is left of it after the fault. */
async function stage(response: ServerResponse, reply: Reply, fault: Fault | undefined): Promise<void> {
  const text = JSON.stringify(reply.body);
  const half = text.slice(0, Math.ceil(text.length / 2));
  const head = { 'content-type': 'application/json; charset=UTF-8' };
  switch (fault?.kind) {
    case 'slow':
      await pause(fault.delayMs ?? defaultSlowMs, undefined, { ref: false });
      return send(response, reply);
    case 'cut':
      response.destroy();
      return;
    case 'truncated':
      response.writeHead(200, { ...head, 'content-length': Buffer.byteLength(text) });
      response.write(half, () => response.destroy());
      return;
    case 'malformed':
      response.writeHead(200, head).end(half);
      return;
    case 'html':
      response
        .writeHead(502, { 'content-type': 'text/html' })
        .end('<html><title>Error 502 (Server Error)</title></html>');
      return;
    default:
      return send(response, reply);
  }
}

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers });
  response.end(JSON.stringify(body));
}

function sendPage(response: ServerResponse, { status, html, location }: Page): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...(location && { location }) });
  response.end(html ?? '');
}
