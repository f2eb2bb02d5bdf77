import type { Config } from '../../../kernel/config/config.js';
import { ReturnToRefused } from '../auth.errors.js';

/**
 * Where a log-in returns to, checked and as an address in full. Compared by origin, as the browser will understand it:
 * what only looks like an allowed one is another.
 *
 * @throws ReturnToRefused
 */
export function returnAddress(given: string | undefined, { appUrl, meta }: Config): string {
  if (given === undefined) return `${appUrl}/login`;
  const address = URL.canParse(given) ? new URL(given) : undefined;
  if (!address || !meta.returnOrigins.includes(address.origin)) throw new ReturnToRefused();
  if (address.username || address.password || given.includes('#')) throw new ReturnToRefused();
  return address.href;
}

/** What the page is told stands behind #: a browser sends it to no server, so no log and no referrer gets it. */
export function withFragment(address: string, told: Record<string, string>): string {
  return `${address}#${new URLSearchParams(told).toString()}`;
}
