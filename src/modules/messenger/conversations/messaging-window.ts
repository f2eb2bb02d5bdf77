const hourMs = 3_600_000;

/** In which one may write to somebody: Meta counts 24 hours from what they wrote last. */
export const answerWindowMs = 24 * hourMs;
/** In which a person, and never a machine, may still answer with the tag HUMAN_AGENT, where Meta has granted it. */
export const humanAgentWindowMs = 7 * 24 * hourMs;

/** Until when a conversation may be answered; nothing but nulls where the other side has never written. */
export interface MessagingWindow {
  isOpen: boolean;
  closesAt: Date | null;
  /** Null where this installation's app has not been granted the tag. */
  humanAgentUntil: Date | null;
}

/** Meta's rule of the 24 hours, of Messenger and Instagram alike. */
export function messagingWindow(
  lastCustomerMessageAt: Date | null,
  { allowsHumanAgent, now = new Date() }: { allowsHumanAgent: boolean; now?: Date },
): MessagingWindow {
  if (!lastCustomerMessageAt) return { isOpen: false, closesAt: null, humanAgentUntil: null };
  const closesAt = new Date(lastCustomerMessageAt.getTime() + answerWindowMs);
  const humanAgentUntil = new Date(lastCustomerMessageAt.getTime() + humanAgentWindowMs);
  return { isOpen: now < closesAt, closesAt, humanAgentUntil: allowsHumanAgent ? humanAgentUntil : null };
}
