import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { GraphClient } from '../../src/integrations/meta/graph-client.js';
import { GraphTransport } from '../../src/integrations/meta/graph-transport.js';
import { UsageLimits } from '../../src/integrations/meta/usage-limits.js';

/** A host that answers what a test tells it to, also what Meta would never answer on purpose. */

export interface HeardRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  form: Record<string, string>;
  authorization: string | undefined;
}

export type Reply = (response: ServerResponse, request: HeardRequest) => void;

export interface OddGraph {
  url: string;
  heard: HeardRequest[];
  /** The next answers, in their order; when they are used up, the last again. */
  answer(...replies: Reply[]): void;
  stop(): Promise<void>;
}

export const appId = 'odd-app';
export const appSecret = 'odd-secret-0123456789';

export async function startOddGraph(): Promise<OddGraph> {
  const heard: HeardRequest[] = [];
  let replies: Reply[] = [];
  const server = createServer((request, response) => {
    void hear(request).then((one) => {
      heard.push(one);
      const reply = replies.length > 1 ? replies.shift() : replies[0];
      reply?.(response, one);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    answer: (...next) => {
      heard.length = 0;
      replies = next;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function hear(request: IncomingMessage): Promise<HeardRequest> {
  const url = new URL(request.url ?? '/', 'http://odd');
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    form: Object.fromEntries(new URLSearchParams(await text(request))),
    authorization: request.headers.authorization,
  };
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
export const refusal = (error: object, status = 400, headers: Record<string, string> = {}): Reply =>
  json({ error: { message: 'Refused, and here is your token', type: 'OAuthException', ...error } }, status, headers);
export const hangUp: Reply = (response) => void response.destroy();
export const silence: Reply = () => {};
export const page =
  (body: string, status = 200): Reply =>
  (response) =>
    response.writeHead(status, { 'content-type': 'text/html' }).end(body);
/** The connection ends in the middle of what was promised. */
export const halfAnswer: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '400' });
  response.write('{"id":"17');
  setTimeout(() => response.destroy(), 20);
};

/** A Graph client of its own: limits and breaker begin anew. */
export function connect(
  url: string,
  { timeoutMs = 400, pauseMs = 300, app = { appId, appSecret } as { appId?: string; appSecret?: string } } = {},
): { graph: GraphClient; transport: GraphTransport; changes: string[] } {
  const changes: string[] = [];
  const transport = new GraphTransport({ timeoutMs, pauseMs, onChange: (_, state) => changes.push(state) });
  const config = {
    ...{ appId: undefined, appSecret: undefined, apiVersion: 'v25.0', timeoutMs, allowsPrivateMedia: true },
    ...{ graphUrl: url, dialogUrl: url, instagramUrl: url, returnOrigins: [] },
    ...{ loginRedirectUrl: 'http://app.example/login', connectRedirectUrl: 'http://app.example/connect' },
    ...{ messengerRedirectUrl: 'http://app.example/page', doctorRedirectUrl: 'http://app.example/instagram' },
    ...{ messengerSettingsUrl: 'http://app.example', doctorSettingsUrl: 'http://app.example' },
    ...{ appSecrets: [appSecret], webhookVerifyToken: undefined, allowsHumanAgent: false },
    ...app,
  };
  return { graph: new GraphClient(config, transport, new UsageLimits()), transport, changes };
}
