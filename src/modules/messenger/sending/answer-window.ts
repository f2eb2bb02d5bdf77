import { messagingWindow } from '../conversations/messaging-window.js';

interface Asked {
  /** Says that a person answers, and that it took them longer than a day. */
  tag: 'HUMAN_AGENT' | null;
  allowsHumanAgent: boolean;
}

/** Until when this may be sent: the day of Meta's rule, or with the tag, where it has been granted, a week. */
export function answerWindow(
  lastCustomerMessageAt: Date | null,
  { tag, allowsHumanAgent }: Asked,
): { isOpen: boolean; closesAt: Date | null } {
  const { isOpen, closesAt, humanAgentUntil } = messagingWindow(lastCustomerMessageAt, { allowsHumanAgent });
  if (tag === null || humanAgentUntil === null) return { isOpen, closesAt };
  return { isOpen: new Date() < humanAgentUntil, closesAt: humanAgentUntil };
}
