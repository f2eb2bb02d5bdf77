import { GraphRefusal } from './graph-errors.ts';

/** A list in pages: https://developers.facebook.com/docs/graph-api/results. */

export interface PageOf<Item> {
  items: Item[];
  paging: object | undefined;
}

interface Asked {
  params: URLSearchParams;
  /** Address of the list without its query. */
  url: string;
  accessToken: string;
}

const defaultLimit = 25;
const mostAtOnce = 100;

/** `next` carries the token, as Meta's does: whoever follows or logs it shows the token. */
export function pageOf<Item extends { id: string }>(items: Item[], { params, url, accessToken }: Asked): PageOf<Item> {
  const limit = Math.min(Number(params.get('limit') ?? defaultLimit), mostAtOnce);
  if (!(limit >= 0)) throw new GraphRefusal('(#100) Param limit must be an integer', 100);
  const start = startOf(items, params);
  const shown = items.slice(start, start + limit);
  const [first, last] = [shown.at(0), shown.at(-1)];
  if (!first || !last) return { items: [], paging: undefined };
  const cursors = { before: cursor(first.id), after: cursor(last.id) };
  const next = new URL(url);
  for (const [name, value] of params) if (name !== 'before') next.searchParams.set(name, value);
  next.searchParams.set('access_token', accessToken);
  next.searchParams.set('limit', String(limit));
  next.searchParams.set('after', cursors.after);
  const hasMore = start + limit < items.length;
  return { items: shown, paging: { cursors, ...(hasMore && { next: next.href }) } };
}

function startOf(items: { id: string }[], params: URLSearchParams): number {
  const after = params.get('after');
  if (!after) return 0;
  const found = items.findIndex(({ id }) => cursor(id) === after);
  if (found < 0) throw new GraphRefusal('(#100) Invalid cursors values: after is not valid', 100);
  return found + 1;
}

const cursor = (id: string): string => Buffer.from(`cursor ${id}`).toString('base64url');
