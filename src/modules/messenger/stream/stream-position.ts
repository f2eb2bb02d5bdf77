/**
 * How far a stream has been read: a snapshot of the database, `xmin:xmax:xip,...` as PostgreSQL writes it.
 *
 * What has changed since is what it did not see. A number that only grows would not do: transactions become visible in
 * another order than they began in, and one that began before and is committed after would be passed over.
 */
export type StreamPosition = string;

/** As many transactions as run at once, of twenty digits each, fit well. */
const longest = 8_000;

/** Whether a position that a client brings can be gone on from. */
export function isPosition(text: string): boolean {
  if (text.length > longest || !/^\d{1,19}:\d{1,19}:(\d{1,19}(,\d{1,19})*)?$/.test(text)) return false;
  const [xmin = 0n, xmax = 0n, ...running] = text.split(/[:,]/).filter(Boolean).map(BigInt);
  const isAscending = running.every((each, index) => index === 0 || each > (running[index - 1] ?? 0n));
  return xmin > 0n && xmin <= xmax && isAscending && running.every((each) => each >= xmin && each < xmax);
}

/** A position that lies ahead comes from another database: from before it was restored, say. */
export function isAhead(position: StreamPosition, now: StreamPosition): boolean {
  return endOf(position) > endOf(now);
}

const endOf = (position: StreamPosition): bigint => BigInt(position.split(':')[1] ?? 0);
