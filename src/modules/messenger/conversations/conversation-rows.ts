import type { ConversationState } from './conversation-states.js';
import type { Conversation } from './conversations.schemas.js';
import { messagingWindow } from './messaging-window.js';

/** A conversation as the database has it, for those who may see it. */
export interface ConversationRow {
  id: string;
  channel: 'messenger' | 'instagram';
  pageId: string;
  participantName: string | null;
  ownerId: string;
  clinicId: string | null;
  status: ConversationState;
  assignedTo: string | null;
  unreadCount: number;
  lastMessageAt: Date | null;
  lastCustomerMessageAt: Date | null;
  readAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export const conversationColumns = `id, channel, page_id, participant_name, owner_id, clinic_id, status, assigned_to,
  unread_count, last_message_at, last_customer_message_at, read_at, created_at, updated_at`;

/** With the window in which one may answer now. */
export function described(row: ConversationRow, settings: { allowsHumanAgent: boolean }): Conversation {
  return { ...row, window: messagingWindow(row.lastCustomerMessageAt, settings) };
}

/** What its entity tag is made of: that its window has closed is another version, though nobody has written anything. */
export function conversationStamp({ updatedAt, window }: Conversation): string {
  const stamp = updatedAt instanceof Date ? updatedAt.toISOString() : String(updatedAt);
  return `${stamp} ${window.isOpen}`;
}
