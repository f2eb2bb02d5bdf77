import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { MetaFailure } from './meta-failure.js';

/**
 * Who counts a call. Calls with a person's token or the app's count for the app; those with a page's token for the
 * page or its Instagram account: https://developers.facebook.com/docs/graph-api/overview/rate-limiting
 */
export type UsageFamily = 'app' | 'pages' | 'instagram';

interface AnswerHeaders {
  get(name: string): string | null;
}

/** Percents of what is allowed in the running window. Meta throttles at 100 of any. */
const Usage = z.object({
  call_count: z.number().default(0),
  total_time: z.number().default(0),
  total_cputime: z.number().default(0),
});
const BusinessUsage = z.record(
  z.string(),
  z.array(Usage.extend({ type: z.string().default(''), estimated_time_to_regain_access: z.number().default(0) })),
);

/** After a limit without a named end, one call after this long finds out. */
const unnamedWaitSeconds = 60;
const longestWaitSeconds = 24 * 3600;

/** Remembers, in this process, whom Meta asked to slow down: calls that would be refused are not even sent. */
export class UsageLimits {
  private readonly heldUntil = new LRUCache<string, number>({ max: 5_000 });

  /** @throws MetaFailure `rate-limited` with the seconds to wait */
  check(family: UsageFamily, token: string | undefined): void {
    const until = this.heldUntil.get(keyOf(family, token));
    if (until === undefined || until <= Date.now()) return;
    throw new MetaFailure('rate-limited', { retryAfter: Math.ceil((until - Date.now()) / 1000) });
  }

  /** Reads what an answer, good or not, says of its limits: seconds to wait, if there are any. */
  note(family: UsageFamily, token: string | undefined, headers: AnswerHeaders): number | undefined {
    const wait = secondsToWait(family, headers);
    if (wait !== undefined) this.heldUntil.set(keyOf(family, token), Date.now() + wait * 1000);
    return wait;
  }
}

/** One account's limit holds up nobody else; tokens are not kept, not even here. */
function keyOf(family: UsageFamily, token: string | undefined): string {
  if (family === 'app' || token === undefined) return 'app';
  return `${family} ${createHash('sha256').update(token).digest('base64url')}`;
}

function secondsToWait(family: UsageFamily, headers: AnswerHeaders): number | undefined {
  const waits = [
    retryAfterOf(headers),
    waitForBusiness(family, headers),
    waitForUsage(headers.get('x-page-usage')),
    waitForUsage(headers.get('x-app-usage')),
  ].filter((wait) => wait !== undefined);
  // A named time is better than the guess that stands for a limit without one.
  const named = waits.filter((wait) => wait !== unnamedWaitSeconds);
  const chosen = named.length > 0 ? named : waits;
  return chosen.length > 0 ? Math.min(longestWaitSeconds, Math.max(...chosen)) : undefined;
}

function waitForUsage(header: string | null): number | undefined {
  const usage = Usage.safeParse(jsonOf(header));
  return usage.success && isUsedUp(usage.data) ? unnamedWaitSeconds : undefined;
}

/** The header lists each kind of use of the business; `estimated_time_to_regain_access` is in minutes. */
function waitForBusiness(family: UsageFamily, headers: AnswerHeaders): number | undefined {
  const parsed = BusinessUsage.safeParse(jsonOf(headers.get('x-business-use-case-usage')));
  if (!parsed.success) return undefined;
  const all = Object.values(parsed.data).flat();
  const own = all.filter(({ type }) => type === family);
  const waits = (own.length > 0 ? own : all).flatMap((usage) => {
    if (usage.estimated_time_to_regain_access > 0) return [Math.ceil(usage.estimated_time_to_regain_access * 60)];
    return isUsedUp(usage) ? [unnamedWaitSeconds] : [];
  });
  return waits.length > 0 ? Math.max(...waits) : undefined;
}

function isUsedUp({ call_count, total_time, total_cputime }: z.infer<typeof Usage>): boolean {
  return Math.max(call_count, total_time, total_cputime) >= 100;
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterOf(headers: AnswerHeaders): number | undefined {
  const value = headers.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : undefined;
}

function jsonOf(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
