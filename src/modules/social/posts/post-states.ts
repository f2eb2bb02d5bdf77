/** The states of a post, and from which to which it goes. The same table guards the rows (migration 1795219204200). */

export const postStates = ['draft', 'queued', 'processing', 'published', 'failed', 'deleted'] as const;
export type PostState = (typeof postStates)[number];

export const postTransitions: Record<PostState, readonly PostState[]> = {
  draft: ['queued', 'deleted'],
  // To draft: taken off the schedule. To failed: its account is gone.
  queued: ['draft', 'processing', 'failed', 'deleted'],
  // To itself: its worker was lost, and another goes on. To queued: put off, which only what has no open outcome is.
  processing: ['processing', 'queued', 'published', 'failed'],
  // Deleted here; what stands on the page stays there.
  published: ['deleted'],
  failed: ['queued', 'draft', 'deleted'],
  deleted: [],
};

/** Why a queued post waits beyond its time. */
export const waitingReasons = [
  'rate-limited',
  'publishing-limit',
  'meta-unavailable',
  'account-expired',
  'container',
] as const;
export type WaitingReason = (typeof waitingReasons)[number];

/** Where one may come from to get there: what an UPDATE asks of the row. */
export function postStatesBefore(target: PostState): PostState[] {
  return postStates.filter((state) => postTransitions[state].includes(target));
}
