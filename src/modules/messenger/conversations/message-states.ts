/** The states of a message, and from which to which it goes. The same table guards the rows (migration 1795219205300). */

export const messageStates = ['pending', 'sent', 'delivered', 'read', 'failed'] as const;
export type MessageState = (typeof messageStates)[number];

/** Receipts come late, twice and in any order: a message only ever goes up. */
export const messageTransitions: Record<MessageState, readonly MessageState[]> = {
  pending: ['sent', 'delivered', 'read', 'failed'],
  sent: ['delivered', 'read', 'failed'],
  // One that came in begins here; it is read once somebody has read it who answers there.
  delivered: ['read'],
  read: [],
  // It was not known what became of it, and now its echo or a receipt says that it was sent.
  failed: ['sent', 'delivered', 'read'],
};
