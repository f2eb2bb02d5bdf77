import { z } from 'zod';
import { MetaFailure, type MetaFailureKind } from './meta-failure.js';

/** Graph answers errors in one form: https://developers.facebook.com/docs/graph-api/guides/error-handling */
const Refusal = z.object({
  error: z.object({
    message: z.string().optional(),
    code: z.number().optional(),
    error_subcode: z.number().optional(),
    is_transient: z.boolean().optional(),
  }),
});

interface RefusedCall {
  /** Whether the call changes something: only then may it have happened. */
  isWrite: boolean;
  retryAfter: number | undefined;
}

/** The failure that an answer stands for; nothing for a good one. Some of Graph's errors come with status 200. */
export function failureIn(
  answer: { status: number; body: unknown },
  { isWrite, retryAfter }: RefusedCall,
): MetaFailure | undefined {
  const refusal = Refusal.safeParse(answer.body);
  if (!refusal.success && answer.status < 400) return undefined;
  const { code, error_subcode, is_transient = false, message = '' } = refusal.data?.error ?? {};
  const graphError = { code, subcode: error_subcode, isTransient: is_transient };
  const kind = doubtsOurSecret.test(message) ? 'not-configured' : kindOf(answer.status, graphError);
  return new MetaFailure(kind, {
    graphCode: code,
    graphSubcode: error_subcode,
    retryAfter: kind === 'rate-limited' ? retryAfter : undefined,
    mayHaveHappened: isWrite && kind === 'unavailable' && !isDefiniteRefusal(code),
  });
}

/**
 * A wrong secret comes with codes that mean something else: 1 where codes are exchanged, 100 where a proof is checked.
 * Only the words tell it.
 */
const doubtsOurSecret = /client secret|appsecret_proof/i;

interface GraphError {
  code: number | undefined;
  subcode: number | undefined;
  isTransient: boolean;
}

function kindOf(status: number, { code, subcode, isTransient }: GraphError): MetaFailureKind {
  const known = (subcode !== undefined && subcodeKinds[subcode]) || (code !== undefined && kindOfCode(code));
  if (known) return known;
  if (status === 429) return 'rate-limited';
  if (isTransient || status >= 500 || status === 408) return 'unavailable';
  return status === 404 ? 'not-found' : 'refused';
}

/**
 * Codes of the Graph API (guides/error-handling, overview/rate-limiting), of Instagram's publishing
 * (instagram-platform/instagram-graph-api/reference/error-codes) and of messages
 * (https://developers.facebook.com/docs/messenger-platform/error-codes).
 */
function kindOfCode(code: number): MetaFailureKind | undefined {
  if (code >= 200 && code <= 299) return 'permission-missing';
  if (code >= 80_000 && code <= 80_014) return 'rate-limited';
  return codeKinds[code];
}

const codeKinds: Record<number, MetaFailureKind> = {
  [-2]: 'unavailable',
  [-1]: 'unavailable',
  1: 'unavailable',
  2: 'unavailable',
  4: 'rate-limited',
  10: 'permission-missing',
  17: 'rate-limited',
  32: 'rate-limited',
  101: 'not-configured',
  102: 'token-invalid',
  190: 'token-invalid',
  341: 'rate-limited',
  // Messages: the person is not there, or has turned messages of this page off.
  551: 'recipient-unavailable',
  613: 'rate-limited',
  803: 'not-found',
  // Messages: a failure that is said to pass.
  1200: 'unavailable',
  9007: 'unavailable',
};

/**
 * Where a subcode says something else than its code: they come with codes that mean many things (200, 100, 24, 10, 9,
 * 1). What is missing here means what its code means: 100 with 2534025, a comment that takes no private reply any more.
 */
const subcodeKinds: Record<number, MetaFailureKind> = {
  33: 'not-found',
  // Instagram: the thumbnail lies outside the video.
  2207057: 'refused',
  // Instagram: the container is gone; the container is not ready yet, try again shortly; the account's posts of a day.
  2207006: 'not-found',
  2207008: 'unavailable',
  2207042: 'rate-limited',
  // Messages outside the allowed window: two of Messenger, one of Instagram.
  2018065: 'outside-window',
  2018278: 'outside-window',
  2534022: 'outside-window',
  // Who is not there or does not receive messages of this page; nobody of this id, on Messenger and on Instagram.
  1545041: 'recipient-unavailable',
  2018001: 'recipient-unavailable',
  2018108: 'recipient-unavailable',
  2534014: 'recipient-unavailable',
  // Another app or Meta itself holds the conversation; the page may send nothing for a while. A new consent mends none.
  2018300: 'refused',
  2018321: 'refused',
  1893063: 'refused',
};

/** The container is not ready (code 9007): Meta has said for certain that it did not publish. */
function isDefiniteRefusal(code: number | undefined): boolean {
  return code === 9007;
}
