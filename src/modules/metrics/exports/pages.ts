import type { Page } from './workbook.js';

/** A part of a file: its rows, and where the next part begins. */
export interface KeyedPage<Content extends string | Buffer> extends Page<Content> {
  lastKey: unknown;
  /** How many rows were asked for. One that has fewer is the last. */
  size: number;
}

/** What a page should come to. One download holds it a few times: being fetched, waiting and being sent. */
const pageBytes = 4_194_304;
const sizes = { first: 2_000, least: 500, most: 40_000 };

/** Rows are as long as their texts: how many the next page has follows from how long those of this one were. */
export function nextSize(previous?: KeyedPage<string | Buffer>): number {
  if (!previous) return sizes.first;
  const fitting = Math.floor((pageBytes * previous.rowCount) / Math.max(previous.content.length, 1));
  return Math.min(Math.max(fitting, sizes.least), sizes.most);
}

/** While one page is read the next is fetched, and no more than that. */
export async function* followed<Content extends string | Buffer>(
  fetch: (previous?: KeyedPage<Content>) => Promise<KeyedPage<Content>>,
): AsyncGenerator<KeyedPage<Content>> {
  let next: Promise<KeyedPage<Content>> | undefined = fetch();
  while (next) {
    const page: KeyedPage<Content> = await next;
    next = page.rowCount < page.size ? undefined : fetch(page);
    // A failure is thrown where the page is awaited; until then it is nobody's.
    next?.catch(() => undefined);
    yield page;
  }
}
