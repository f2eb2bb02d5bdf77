import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { MetaFailure } from './meta-failure.js';

/**
 * Who counts a call. Calls with a person's token or the app's count for the app; those with a page's token for the
 * page or its Instagram account, messages apart from what is published:
 * https://developers.facebook.com/docs/graph-api/overview/rate-limiting
 */
export type UsageFamily = 'app' | 'pages' | 'instagram' | 'messenger';

interface AnswerHeaders {
  get(name: string): string | null;
}

interface Answer {
  status: number;
  headers: AnswerHeaders;
}

/** Percents of what is allowed in the running window. Meta throttles at 100 of any. */
const Usage = z.object({
  call_count: z.number().default(0),
  total_time: z.number().default(0),
  total_cputime: z.number().default(0),
});
type Usage = z.infer<typeof Usage>;
const noUsage: Usage = { call_count: 0, total_time: 0, total_cputime: 0 };

const BusinessUse = Usage.extend({
  type: z.string().default(''),
  /** Minutes. */
  estimated_time_to_regain_access: z.number().default(0),
});
const BusinessUsage = z.record(z.string(), z.array(BusinessUse));

/** After a limit without a named end, one call after this long finds out. */
const unnamedWaitSeconds = 60;
const longestWaitSeconds = 24 * 3600;

/** Remembers, in this process, whom Meta asked to slow down: calls that would be refused are not even sent. */
export class UsageLimits {
  private readonly heldUntil = new LRUCache<string, number>({ max: 5_000 });

  /** @throws MetaFailure `rate-limited` with the seconds to wait */
  check(family: UsageFamily, token: string | undefined): void {
    const keys = family === 'app' ? [ofApp, keyOf(family, token)] : [keyOf(family, token)];
    const until = Math.max(...keys.map((key) => this.heldUntil.get(key) ?? 0));
    if (until <= Date.now()) return;
    throw new MetaFailure('rate-limited', { retryAfter: Math.ceil((until - Date.now()) / 1000) });
  }

  /** Reads what an answer, good or not, says of its limits: seconds to wait, if there are any. */
  note(family: UsageFamily, token: string | undefined, answer: Answer): number | undefined {
    const wait = secondsToWait(family, answer);
    if (wait === undefined) return undefined;
    const isOfApp = family === 'app' && isUsedUp(usageIn(answer.headers, 'x-app-usage'));
    this.heldUntil.set(isOfApp ? ofApp : keyOf(family, token), Date.now() + wait * 1000);
    return wait;
  }
}

const ofApp = 'app';

/** One person's or account's limit holds up nobody else; tokens are not kept, not even here. */
function keyOf(family: UsageFamily, token: string | undefined): string {
  if (token === undefined) return ofApp;
  return `${family} ${createHash('sha256').update(token).digest('base64url')}`;
}

function secondsToWait(family: UsageFamily, { status, headers }: Answer): number | undefined {
  const businesses = businessesIn(headers, family);
  const named = businesses.map(({ estimated_time_to_regain_access: minutes }) => Math.ceil(minutes * 60));
  // A server that is not well says when it will be; that is no limit of ours.
  const longestNamed = Math.max(0, ...named, status < 500 ? retryAfterOf(headers) : 0);
  if (longestNamed > 0) return Math.min(longestNamed, longestWaitSeconds);
  const usages = [usageIn(headers, 'x-app-usage'), usageIn(headers, 'x-page-usage'), ...businesses];
  return usages.some(isUsedUp) ? unnamedWaitSeconds : undefined;
}

function usageIn(headers: AnswerHeaders, name: string): Usage {
  return Usage.safeParse(jsonOf(headers.get(name))).data ?? noUsage;
}

/** The header lists each kind of use of a business: where ours is listed, the others say nothing about it. */
function businessesIn(headers: AnswerHeaders, family: UsageFamily): z.infer<typeof BusinessUse>[] {
  const parsed = BusinessUsage.safeParse(jsonOf(headers.get('x-business-use-case-usage')));
  const all = Object.values(parsed.data ?? {}).flat();
  const own = all.filter(({ type }) => type === family);
  return own.length > 0 ? own : all;
}

function isUsedUp({ call_count, total_time, total_cputime }: Usage): boolean {
  return Math.max(call_count, total_time, total_cputime) >= 100;
}

/** RFC 9110 section 10.2.3: seconds, or a date. Otherwise 0. */
function retryAfterOf(headers: AnswerHeaders): number {
  const value = headers.get('retry-after') ?? '';
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? seconds : 0;
}

function jsonOf(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
