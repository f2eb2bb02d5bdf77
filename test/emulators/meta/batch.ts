import { GraphRefusal, type Reply } from './graph-errors.ts';

/**
 * Several calls in one: each has its own answer, its own token if it brings one, and none spoils the others.
 * Source: https://developers.facebook.com/docs/graph-api/batch-requests.
 */
export interface BatchEntry {
  method: string;
  url: URL;
  params: URLSearchParams;
}

const most = 50;

/** @throws GraphRefusal for what is no batch */
export function batchOf(params: URLSearchParams): BatchEntry[] {
  const given = parsed(params.get('batch') ?? '');
  if (given.length === 0) throw new GraphRefusal('(#100) The parameter batch is required', 100);
  if (given.length > most)
    throw new GraphRefusal(`Too many requests in batch message. Maximum batch size is ${most}`, 1);
  return given.map((entry) => entryOf(entry as Record<string, unknown>, params));
}

function parsed(text: string): unknown[] {
  try {
    const list = JSON.parse(text) as unknown;
    return Array.isArray(list) ? list : [];
  } catch {
    throw new GraphRefusal('(#100) Param batch must be a JSON array', 100);
  }
}

/** The token of the batch is that of each entry without its own, and so is its proof. */
function entryOf(entry: Record<string, unknown>, outer: URLSearchParams): BatchEntry {
  const url = new URL(String(entry['relative_url'] ?? '').replace(/^\//, ''), 'http://graph/');
  const params = new URLSearchParams(url.searchParams);
  for (const [name, value] of new URLSearchParams(String(entry['body'] ?? ''))) params.append(name, value);
  const isOwn = params.has('access_token');
  for (const name of ['access_token', 'appsecret_proof']) {
    const inherited = outer.get(name);
    if (!isOwn && inherited) params.set(name, inherited);
  }
  return { method: String(entry['method'] ?? 'GET').toUpperCase(), url, params };
}

/** An answer within the batch: its body is text. */
export const batched = ({ status, headers = {}, body }: Reply, withHeaders: boolean): object => ({
  code: status,
  ...(withHeaders && { headers: Object.entries(headers).map(([name, value]) => ({ name, value })) }),
  body: JSON.stringify(body),
});
