/** The states of an account, and from which to which it goes. The same table guards the rows (migration 1795219204100). */

export const accountStates = ['active', 'expired', 'disconnected', 'error'] as const;
export type AccountState = (typeof accountStates)[number];

export const accountTransitions: Record<AccountState, readonly AccountState[]> = {
  active: ['expired', 'error', 'disconnected'],
  // Its token is not taken any more: a person has to consent again.
  expired: ['active', 'disconnected'],
  // Its token could not be renewed three times, though Meta still takes it.
  error: ['active', 'expired', 'disconnected'],
  disconnected: ['active'],
};
