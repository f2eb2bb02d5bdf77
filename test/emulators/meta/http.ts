import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import type { Reply } from './graph-errors.ts';

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Query and body as one: the Graph API takes a parameter in either, as a form, in parts or as JSON. */
export async function parametersOf(url: URL, type: string, body: Buffer): Promise<URLSearchParams> {
  const params = new URLSearchParams(url.searchParams);
  if (body.length === 0) return params;
  if (type.includes('application/json')) {
    const given = JSON.parse(body.toString()) as Record<string, unknown>;
    for (const [name, value] of Object.entries(given))
      params.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
    return params;
  }
  const form = type.includes('multipart/')
    ? await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
    : new URLSearchParams(body.toString());
  for (const [name, value] of form) if (typeof value === 'string') params.append(name, value);
  return params;
}

const secrets = [
  ...['access_token', 'appsecret_proof', 'input_token', 'client_secret', 'code', 'code_verifier', 'fb_exchange_token'],
];

/** Path and query as they may be shown. */
export function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  for (const name of secrets) shown.searchParams.delete(name);
  return shown.pathname + shown.search;
}

const longMs = 30_000;

/** Before the call is carried out. @returns whether it is given up */
export async function stageBefore(response: ServerResponse, fault: Fault | undefined): Promise<boolean> {
  if (fault?.kind === 'late') await pause(fault.delayMs ?? longMs, undefined, { ref: false });
  if (fault?.kind === 'timeout') await pause(fault.delayMs ?? longMs, undefined, { ref: false });
  if (fault?.kind === 'timeout' || fault?.kind === 'cut-before') response.destroy();
  return response.destroyed && fault?.kind !== 'late';
}

/** Sends the reply, or what is left of it after the fault. */
export async function stageReply(response: ServerResponse, reply: Reply, fault: Fault | undefined): Promise<void> {
  const text = JSON.stringify(reply.body);
  const half = text.slice(0, Math.ceil(text.length / 2));
  switch (fault?.kind) {
    case 'slow':
      await pause(fault.delayMs ?? longMs, undefined, { ref: false });
      return send(response, reply);
    case 'cut-after':
      response.destroy();
      return;
    case 'truncated':
      response.writeHead(200, { ...jsonType, 'content-length': Buffer.byteLength(text) });
      response.write(half, () => response.destroy());
      return;
    case 'malformed':
      response.writeHead(200, jsonType).end(half);
      return;
    case 'html':
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html><title>Error 502</title></html>');
      return;
    default:
      return send(response, reply);
  }
}

const jsonType = { 'content-type': 'application/json; charset=UTF-8' };

export function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, { ...jsonType, ...headers });
  response.end(JSON.stringify(body));
}
