import { MessageTexts } from '../../src/modules/messenger/conversations/message-texts.js';
import { shards } from '../../src/modules/messenger/inbox/inbox-shards.js';
import { InboxWorker } from '../../src/modules/messenger/inbox/inbox-worker.js';
import type { Service } from './service.js';

/** A message as it is kept, opened; columns are named as in SQL. */
export interface KeptMessage {
  id: string;
  conversation_id: string;
  direction: string;
  kind: string;
  platform_message_id: string | null;
  status: string;
  reaction: string | null;
  deleted_at: Date | null;
  platform_timestamp: Date;
  text: string | null;
  attachments: { type: string; url: string | null }[];
}

export interface KeptConversation {
  id: string;
  owner_id: string;
  clinic_id: string | null;
  channel: string;
  page_id: string;
  participant_id: string;
  participant_name: string | null;
  named_at: Date | null;
  status: string;
  unread_count: number;
  last_message_at: Date;
  last_customer_message_at: Date | null;
}

export interface EventState {
  state: string;
  attempts: number;
  error_code: string | null;
  payload_sealed: string | null;
  waits: boolean;
}

/** The inbox of a service that has no worker: it is worked off when the test says so. */
export interface Inbox {
  /** As the jobs do, one part after the other, until nothing is due. */
  workOff(): Promise<void>;
  /** What waits to be tried again is due now. */
  hasten(): Promise<void>;
  /** What waits to be tried again does so for long, however slow the test is. */
  delay(): Promise<void>;
  events(pageId: string): Promise<EventState[]>;
  conversations(pageId: string): Promise<KeptConversation[]>;
  /** In the order of the platform's time. */
  messages(pageId: string): Promise<KeptMessage[]>;
}

export function inboxOf({ application, database }: Service): Inbox {
  const worker = application.get(InboxWorker, { strict: false });
  const texts = application.get(MessageTexts, { strict: false });
  return {
    workOff: async () => {
      for (const shard of shards) while ((await worker.work(shard)) === 0);
    },
    hasten: async () => {
      await database.sql(`UPDATE webhook_events SET next_attempt_at = now() WHERE state = 'received'`);
    },
    delay: async () => {
      await database.sql(
        `UPDATE webhook_events SET next_attempt_at = now() + interval '1 hour' WHERE state = 'received' AND attempts > 0`,
      );
    },
    events: (pageId) =>
      database.sql<EventState>(
        `SELECT state, attempts, error_code, payload_sealed, attempts > 0 AND next_attempt_at > received_at AS waits
           FROM webhook_events WHERE page_id = $1 ORDER BY id`,
        [pageId],
      ),
    conversations: (pageId) =>
      database.sql<KeptConversation>('SELECT * FROM conversations WHERE page_id = $1 ORDER BY id', [pageId]),
    messages: async (pageId) => {
      const rows = await database.sql<Omit<KeptMessage, 'text' | 'attachments'>>(
        `SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation_id
          WHERE c.page_id = $1 ORDER BY m.platform_timestamp, m.id`,
        [pageId],
      );
      const opened = await texts.open(rows.map(({ id }) => id));
      return rows.map((row) => ({ ...row, text: null, attachments: [], ...opened.get(row.id) }));
    },
  };
}
