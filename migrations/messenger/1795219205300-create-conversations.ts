import type { MigrationInterface, QueryRunner } from 'typeorm';
import { both, clinicRows, declareAccess, either, everyRow, ownRows } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * Conversations with people who write to a page or an Instagram account.
 *
 * They are their owner's. A colleague of the owner's clinic sees one that is assigned to them, and leaves a trace when
 * they read it; nobody else sees any, an admin of the installation included. Texts rest sealed,
 * and what is sealed comes out to the service alone.
 */
export class CreateConversations1795219205300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [conversations, messages]) await queryRunner.query(part);
    for (const table of ['conversations', 'messages']) await touchUpdatedAt(queryRunner, `public.${table}`);
    await this.declareConversations(queryRunner);
    await this.declareMessages(queryRunner);
    for (const part of [states, connected, changes, quietAudit]) await queryRunner.query(part);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE public.messages;
      DROP TABLE public.conversations;
      DROP FUNCTION app.announce_messages();
      DROP FUNCTION app.announce_conversations();
      DROP FUNCTION app.note_change();
      DROP FUNCTION app.guard_conversation_status();
      DROP FUNCTION app.guard_message_status();
      DROP FUNCTION app.is_connected(uuid);
    `);
  }

  private async declareConversations(queryRunner: QueryRunner): Promise<void> {
    const seen = either(ownRows('owner_id'), assigned);
    const changed = ['status', 'unread_count', 'assigned_to', 'read_at'];
    const person = { select: { rows: seen }, update: { rows: seen, columns: changed } };
    await declareAccess(queryRunner, {
      table: 'public.conversations',
      access: {
        authenticated: person,
        super_admin: {
          select: { rows: ownRows('owner_id') },
          update: { rows: ownRows('owner_id'), columns: changed },
        },
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: {
            rows: everyRow,
            columns: [
              ...['participant_name', 'status', 'unread_count', 'last_message_at', 'last_customer_message_at'],
              ...['welcomed_on', 'away_on', 'named_at', 'assigned_to', 'clinic_id', 'read_at'],
            ],
          },
        },
      },
      audit: { clinic: 'clinic_id', masked },
    });
  }

  private async declareMessages(queryRunner: QueryRunner): Promise<void> {
    const seen = either(ownRows('owner_id'), ofAssigned);
    const visible = [
      ...['id', 'owner_id', 'conversation_id', 'channel', 'direction', 'platform_message_id', 'kind', 'sent_by'],
      ...['sent_by_user_id', 'status', 'error_code', 'tag', 'retry_of', 'reaction', 'deleted_at', 'platform_timestamp'],
      ...['change_id', 'created_at', 'updated_at'],
    ];
    const queued = [
      ...['id', 'owner_id', 'conversation_id', 'channel', 'direction', 'kind', 'text_sealed', 'attachments_sealed'],
      ...['sent_by', 'sent_by_user_id', 'status', 'tag', 'retry_of', 'platform_timestamp'],
    ];
    const written = both(
      seen,
      `direction = 'out' AND status = 'pending' AND sent_by = 'user'`,
      ownRows('sent_by_user_id'),
    );
    // One that came in is read once somebody here has read it; what becomes of the others Meta says.
    const own = (rows: string) => ({
      select: { rows, columns: visible },
      update: { rows: both(rows, `direction = 'in'`), columns: ['status'] },
    });
    await declareAccess(queryRunner, {
      table: 'public.messages',
      access: {
        authenticated: { ...own(seen), insert: { rows: written, columns: queued } },
        super_admin: {
          ...own(ownRows('owner_id')),
          insert: {
            rows: both(ownRows('owner_id'), `direction = 'out' AND status = 'pending' AND sent_by = 'user'`),
            columns: queued,
          },
        },
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: {
            rows: everyRow,
            columns: [
              ...['platform_message_id', 'text_sealed', 'attachments_sealed', 'status', 'error_code', 'reaction'],
              ...['reacted_at', 'deleted_at', 'platform_timestamp', 'attempts', 'next_attempt_at', 'send_started_at'],
              ...['attempt_id', 'doubted_at'],
            ],
          },
          // What was taken for a message of Meta's own inbox and turns out to be one of ours: it stands once.
          delete: { rows: `direction = 'out' AND sent_by IS NULL` },
        },
      },
      audit: { masked },
    });
  }
}

const masked = ['text_sealed', 'attachments_sealed', 'participant_id', 'participant_name', 'reaction'];

/** Handed to the caller, who still works in the clinic. */
const assigned = both(ownRows('assigned_to'), clinicRows('clinic_id', 'staff'));

const ofAssigned = `conversation_id = ANY (ARRAY(
  SELECT c.id FROM public.conversations c WHERE c.assigned_to = (SELECT app.user_id())))`;

const conversations = `
  CREATE TABLE public.conversations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    owner_id uuid NOT NULL,
    clinic_id uuid,
    channel text NOT NULL,
    page_id text NOT NULL,
    participant_id text NOT NULL,
    participant_name text,
    named_at timestamptz,
    patient_id uuid,
    status text NOT NULL DEFAULT 'open',
    assigned_to uuid,
    last_message_at timestamptz,
    last_customer_message_at timestamptz,
    unread_count integer NOT NULL DEFAULT 0,
    read_at timestamptz,
    welcomed_on date,
    away_on date,
    change_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT conversations_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.profiles (id) ON DELETE CASCADE,
    CONSTRAINT conversations_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE SET NULL,
    CONSTRAINT conversations_assigned_to_fkey
      FOREIGN KEY (assigned_to) REFERENCES public.profiles (id) ON DELETE SET NULL,
    CONSTRAINT conversations_owner_id_id_key UNIQUE (owner_id, id),
    CONSTRAINT conversations_participant_id_key UNIQUE (owner_id, channel, page_id, participant_id),
    CONSTRAINT conversations_channel_check CHECK (channel IN ('messenger', 'instagram')),
    CONSTRAINT conversations_status_check CHECK (status IN ('open', 'snoozed', 'closed')),
    CONSTRAINT conversations_unread_count_check CHECK (unread_count >= 0)
  );
  COMMENT ON TABLE public.conversations IS
    'Who writes to whom: one participant of one page or account, with the one who answers there';
  COMMENT ON COLUMN public.conversations.page_id IS
    'The page, or the Instagram account, at Meta: with the owner it finds the connection, also after a new consent';
  COMMENT ON COLUMN public.conversations.participant_id IS 'PSID or IGSID: of this page or account alone';
  COMMENT ON COLUMN public.conversations.patient_id IS 'Nobody yet: waits for the module patients';
  COMMENT ON COLUMN public.conversations.named_at IS 'When Meta was asked for the name last; null: it is to be asked';
  COMMENT ON COLUMN public.conversations.last_customer_message_at IS 'From it the 24 hours count in which one may answer';
  COMMENT ON COLUMN public.conversations.welcomed_on IS 'Day of the last welcome, in the doctor''s time zone';
  COMMENT ON COLUMN public.conversations.change_id IS 'Transaction that changed it last, for whoever reads on from there';
  CREATE INDEX conversations_owner_id_idx ON public.conversations (owner_id, last_message_at DESC, id DESC);
  CREATE INDEX conversations_assigned_to_idx ON public.conversations (assigned_to, last_message_at DESC, id DESC)
    WHERE assigned_to IS NOT NULL;
  CREATE INDEX conversations_unread_idx ON public.conversations (owner_id, last_message_at DESC, id DESC)
    WHERE unread_count > 0;
  CREATE INDEX conversations_clinic_id_idx ON public.conversations (clinic_id);
  CREATE INDEX conversations_named_at_idx ON public.conversations (id)
    WHERE participant_name IS NULL AND named_at IS NULL;
  CREATE INDEX conversations_change_id_idx ON public.conversations (owner_id, change_id);
`;

const messages = `
  CREATE TABLE public.messages (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    owner_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    channel text NOT NULL,
    direction text NOT NULL,
    kind text NOT NULL DEFAULT 'message',
    platform_message_id text,
    text_sealed text,
    attachments_sealed text,
    sent_by text,
    sent_by_user_id uuid,
    status text NOT NULL,
    error_code text,
    tag text,
    reaction text,
    reacted_at timestamptz,
    deleted_at timestamptz,
    platform_timestamp timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    attempt_id uuid,
    send_started_at timestamptz,
    doubted_at timestamptz,
    retry_of uuid,
    change_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT messages_conversation_id_fkey
      FOREIGN KEY (owner_id, conversation_id) REFERENCES public.conversations (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT messages_sent_by_user_id_fkey
      FOREIGN KEY (sent_by_user_id) REFERENCES public.profiles (id) ON DELETE SET NULL,
    CONSTRAINT messages_platform_message_id_key UNIQUE (channel, platform_message_id),
    CONSTRAINT messages_channel_check CHECK (channel IN ('messenger', 'instagram')),
    CONSTRAINT messages_direction_check CHECK (direction IN ('in', 'out')),
    CONSTRAINT messages_kind_check CHECK (kind IN ('message', 'postback')),
    CONSTRAINT messages_sent_by_check CHECK (sent_by IN ('user', 'automation')),
    CONSTRAINT messages_status_check CHECK (status IN ('pending', 'sent', 'delivered', 'read', 'failed')),
    -- Meta's rule: the tag says that a person answers.
    CONSTRAINT messages_tag_check CHECK (tag IS NULL OR tag = 'HUMAN_AGENT' AND sent_by = 'user'),
    CONSTRAINT messages_deleted_at_check CHECK (deleted_at IS NULL OR (text_sealed IS NULL AND attachments_sealed IS NULL))
  );
  COMMENT ON TABLE public.messages IS 'What was said, in the order of the platform''s time';
  COMMENT ON COLUMN public.messages.platform_message_id IS 'Null of one that is not sent yet';
  COMMENT ON COLUMN public.messages.attachments_sealed IS 'Type and address of each, as JSON';
  COMMENT ON COLUMN public.messages.sent_by IS
    'Of one that went out through us; null of one that was written in Meta''s own inbox';
  COMMENT ON COLUMN public.messages.status IS
    'Of one that came in: delivered, and read once somebody here has read it';
  COMMENT ON COLUMN public.messages.reacted_at IS 'By the platform''s time: an older reaction that comes late changes nothing';
  COMMENT ON COLUMN public.messages.deleted_at IS 'When the writer took it back: what it said is gone';
  COMMENT ON COLUMN public.messages.send_started_at IS
    'Written before Meta is asked to send: while it stands and no id is known, it may have been sent';
  COMMENT ON COLUMN public.messages.next_attempt_at IS
    'When a worker looks at a pending one next, or until when one holds it; null for at once';
  COMMENT ON COLUMN public.messages.attempt_id IS 'Names the claim: what another worker has claimed since is left alone';
  COMMENT ON COLUMN public.messages.doubted_at IS
    'Since when a pending one''s call is over and nobody knows whether it was sent: its echo may still tell';
  COMMENT ON COLUMN public.messages.retry_of IS 'The failed message in whose place it is sent; not a key, so as to tell nothing';
  CREATE INDEX messages_conversation_id_idx ON public.messages (conversation_id, platform_timestamp, id);
  -- Which a receipt may change.
  CREATE INDEX messages_platform_timestamp_idx ON public.messages (conversation_id, platform_timestamp)
    WHERE direction = 'out' AND status IN ('sent', 'delivered');
  CREATE INDEX messages_change_id_idx ON public.messages (owner_id, change_id);
  CREATE INDEX messages_sent_by_user_id_idx ON public.messages (sent_by_user_id) WHERE sent_by_user_id IS NOT NULL;
  -- Few at a time: the next of a conversation, those whose job was lost, those in doubt.
  CREATE INDEX messages_pending_idx ON public.messages (conversation_id, created_at, id) WHERE status = 'pending';
  CREATE UNIQUE INDEX messages_retry_of_key ON public.messages (retry_of) WHERE retry_of IS NOT NULL;
`;

const states = `
  CREATE FUNCTION app.guard_message_status() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
      ('pending', 'sent'), ('pending', 'delivered'), ('pending', 'read'), ('pending', 'failed'),
      ('sent', 'delivered'), ('sent', 'read'), ('sent', 'failed'), ('delivered', 'read'),
      -- One whose outcome was not known turns out to have been sent.
      ('failed', 'sent'), ('failed', 'delivered'), ('failed', 'read')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'message-status-final';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_message_status IS
    'The transitions of a message, as src/modules/messenger/conversations/message-states.ts has them';
  CREATE TRIGGER guard_status BEFORE UPDATE OF status ON public.messages
    FOR EACH ROW EXECUTE FUNCTION app.guard_message_status();

  CREATE FUNCTION app.guard_conversation_status() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF OLD.status = 'closed' AND NEW.status = 'snoozed' THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'conversation-closed';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_conversation_status IS
    'The transitions of a conversation, as src/modules/messenger/conversations/conversation-states.ts has them';
  CREATE TRIGGER guard_status BEFORE UPDATE OF status ON public.conversations
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION app.guard_conversation_status();
`;

/** SECURITY DEFINER: a colleague must not see the owner's connection, only whether an answer can leave. */
const connected = `
  CREATE FUNCTION app.is_connected(p_conversation uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
      SELECT FROM public.conversations c
       WHERE c.id = p_conversation AND app.user_id() IN (c.owner_id, c.assigned_to)
         AND (EXISTS (SELECT FROM public.messenger_connections m
                       WHERE c.channel = 'messenger' AND m.owner_id = c.owner_id AND m.page_id = c.page_id AND m.is_active)
              OR EXISTS (SELECT FROM public.doctor_instagram d
                          WHERE d.doctor_id = c.owner_id
                            AND c.page_id = CASE c.channel WHEN 'instagram' THEN d.instagram_page_id
                                                           ELSE d.facebook_page_id END)))
  $$;
  COMMENT ON FUNCTION app.is_connected IS
    'Whether what the caller answers in a conversation can leave. SECURITY DEFINER: the connection is its owner''s to see';
  GRANT EXECUTE ON FUNCTION app.is_connected TO authenticated, super_admin;
`;

const changes = `
  CREATE FUNCTION app.note_change() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    NEW.change_id := pg_current_xact_id();
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.note_change IS 'By which transaction a row was changed last';
  -- Neither a step of the sender's nor a text that is sealed anew is news to those who read.
  CREATE TRIGGER note_change BEFORE UPDATE OF status, error_code, platform_message_id, platform_timestamp, reaction,
    deleted_at ON public.messages FOR EACH ROW EXECUTE FUNCTION app.note_change();
  CREATE TRIGGER note_change BEFORE UPDATE ON public.conversations FOR EACH ROW EXECUTE FUNCTION app.note_change();

  -- Ids of people and nothing else: whoever listens asks for the rest under their own policies.
  CREATE FUNCTION app.announce_messages() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    PERFORM pg_notify('messenger', people.id::text) FROM (
      SELECT n.owner_id AS id FROM new_rows n
      UNION SELECT c.assigned_to FROM new_rows n JOIN public.conversations c ON c.id = n.conversation_id
             WHERE c.assigned_to IS NOT NULL) people;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.announce_messages IS 'Tells the streams of those who may see a message that there is something';
  CREATE TRIGGER announce_insert AFTER INSERT ON public.messages REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.announce_messages();
  CREATE TRIGGER announce_update AFTER UPDATE ON public.messages REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.announce_messages();

  CREATE FUNCTION app.announce_conversations() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    PERFORM pg_notify('messenger', people.id::text) FROM (
      SELECT owner_id AS id FROM new_rows UNION SELECT assigned_to FROM new_rows WHERE assigned_to IS NOT NULL) people;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.announce_conversations IS 'The same for conversations';
  CREATE TRIGGER announce_insert AFTER INSERT ON public.conversations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.announce_conversations();
  CREATE TRIGGER announce_update AFTER UPDATE ON public.conversations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.announce_conversations();
`;

/**
 * What the worker writes is Meta's doing, thousands of lines a day; what a person does leaves its trace. That somebody
 * read a conversation is in the trace of the conversation: its messages need none each.
 */
const quietAudit = `
  DROP TRIGGER audit_insert ON public.messages;
  CREATE TRIGGER audit_insert AFTER INSERT ON public.messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') NOT IN ('process webhooks', 'send messages'))
    EXECUTE FUNCTION audit.record('', '', '${masked.join(',')}');
  DROP TRIGGER audit_update ON public.messages;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.messages
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') NOT IN (
      'process webhooks', 'send messages', 'POST /api/v1/messenger/conversations/:conversationId/read'))
    EXECUTE FUNCTION audit.record('', '', '${masked.join(',')}');
  DROP TRIGGER audit_insert ON public.conversations;
  CREATE TRIGGER audit_insert AFTER INSERT ON public.conversations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') NOT IN ('process webhooks', 'send messages'))
    EXECUTE FUNCTION audit.record('clinic_id', '', '${masked.join(',')}');
  DROP TRIGGER audit_update ON public.conversations;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.conversations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') NOT IN ('process webhooks', 'send messages'))
    EXECUTE FUNCTION audit.record('clinic_id', '', '${masked.join(',')}');
`;
