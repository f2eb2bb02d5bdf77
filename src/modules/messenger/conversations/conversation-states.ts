/** The states of a conversation, and from which to which it goes. The same table guards the rows (migration 1795219205300). */

export const conversationStates = ['open', 'snoozed', 'closed'] as const;
export type ConversationState = (typeof conversationStates)[number];

export const conversationTransitions: Record<ConversationState, readonly ConversationState[]> = {
  open: ['snoozed', 'closed'],
  // To open: somebody takes it up again, or the other side writes.
  snoozed: ['open', 'closed'],
  // What is done with cannot be put off.
  closed: ['open'],
};
