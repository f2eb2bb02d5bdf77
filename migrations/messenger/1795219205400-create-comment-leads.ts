import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow, ownRows } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * People who commented under a doctor's Instagram post that they would like an appointment, and what they were answered.
 *
 * A comment is answered twice at most, once for all to see and once in private. A reply is sent by the service alone:
 * that a call begins is written down before it, so that whoever goes on after a crash knows that it may stand there.
 */
export class CreateCommentLeads1795219205400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [leads, replies]) await queryRunner.query(part);
    for (const table of ['comment_leads', 'comment_replies']) await touchUpdatedAt(queryRunner, `public.${table}`);
    await this.declareLeads(queryRunner);
    await this.declareReplies(queryRunner);
    for (const part of [leadStates, replyStates, quietAudit]) await queryRunner.query(part);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE public.comment_replies;
      DROP TABLE public.comment_leads;
      DROP FUNCTION app.guard_comment_reply();
      DROP FUNCTION app.guard_lead_state();
    `);
  }

  private async declareLeads(queryRunner: QueryRunner): Promise<void> {
    const visible = [
      ...['id', 'owner_id', 'clinic_id', 'page_id', 'media_id', 'comment_id', 'username', 'state', 'commented_at'],
      ...['deleted_at', 'created_at', 'updated_at'],
    ];
    const own = {
      select: { rows: ownRows('owner_id'), columns: visible },
      update: { rows: ownRows('owner_id'), columns: ['state'] },
    };
    await declareAccess(queryRunner, {
      table: 'public.comment_leads',
      access: {
        authenticated: own,
        super_admin: own,
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: { rows: everyRow, columns: ['comment_sealed', 'state', 'deleted_at'] },
        },
      },
      audit: { clinic: 'clinic_id', masked: maskedOfLeads },
    });
  }

  private async declareReplies(queryRunner: QueryRunner): Promise<void> {
    const visible = [
      ...['id', 'owner_id', 'lead_id', 'kind', 'status', 'sent_by', 'error_code', 'asked_at', 'sent_at'],
      ...['created_at', 'updated_at'],
    ];
    const own = {
      select: { rows: ownRows('owner_id'), columns: visible },
      insert: { rows: ownRows('owner_id'), columns: ['id', 'owner_id', 'lead_id', 'kind', 'text_sealed'] },
      update: { rows: ownRows('owner_id'), columns: ['status', 'sent_by', 'text_sealed'] },
    };
    await declareAccess(queryRunner, {
      table: 'public.comment_replies',
      access: {
        authenticated: own,
        super_admin: own,
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: {
            rows: everyRow,
            columns: ['status', 'text_sealed', 'platform_id', 'error_code', 'started_at', 'next_attempt_at', 'sent_at'],
          },
        },
      },
      audit: { masked: maskedOfReplies },
    });
  }
}

const maskedOfLeads = ['comment_sealed', 'username', 'commenter_id'];
const maskedOfReplies = ['text_sealed'];

const leads = `
  CREATE TABLE public.comment_leads (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    owner_id uuid NOT NULL,
    clinic_id uuid,
    page_id text NOT NULL,
    media_id text NOT NULL,
    comment_id text NOT NULL,
    commenter_id text NOT NULL,
    username text,
    comment_sealed text,
    state text NOT NULL DEFAULT 'new',
    commented_at timestamptz NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT comment_leads_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.profiles (id) ON DELETE CASCADE,
    CONSTRAINT comment_leads_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE SET NULL,
    CONSTRAINT comment_leads_owner_id_id_key UNIQUE (owner_id, id),
    CONSTRAINT comment_leads_comment_id_key UNIQUE (comment_id),
    CONSTRAINT comment_leads_state_check CHECK (state IN ('new', 'contacted', 'dismissed')),
    CONSTRAINT comment_leads_deleted_at_check CHECK (deleted_at IS NULL OR comment_sealed IS NULL)
  );
  COMMENT ON TABLE public.comment_leads IS 'Comments under Instagram posts whose writer seems to want an appointment';
  COMMENT ON COLUMN public.comment_leads.page_id IS 'The Instagram account at Meta';
  COMMENT ON COLUMN public.comment_leads.deleted_at IS
    'When Meta said that the comment is there no more: what it said is gone here too';
  CREATE INDEX comment_leads_owner_id_idx ON public.comment_leads (owner_id, id DESC);
  CREATE INDEX comment_leads_state_idx ON public.comment_leads (owner_id, state, id DESC);
  -- Whether somebody who comments again was answered by itself on this day.
  CREATE INDEX comment_leads_commenter_id_idx ON public.comment_leads (owner_id, commenter_id);
  CREATE INDEX comment_leads_clinic_id_idx ON public.comment_leads (clinic_id);
`;

const replies = `
  CREATE TABLE public.comment_replies (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    owner_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    sent_by text NOT NULL DEFAULT 'user',
    text_sealed text,
    platform_id text,
    error_code text,
    asked_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT comment_replies_lead_id_fkey
      FOREIGN KEY (owner_id, lead_id) REFERENCES public.comment_leads (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT comment_replies_lead_id_key UNIQUE (lead_id, kind),
    CONSTRAINT comment_replies_kind_check CHECK (kind IN ('public', 'private')),
    CONSTRAINT comment_replies_status_check CHECK (status IN ('pending', 'sent', 'failed')),
    CONSTRAINT comment_replies_sent_by_check CHECK (sent_by IN ('user', 'automation')),
    CONSTRAINT comment_replies_text_sealed_check CHECK ((status = 'pending') = (text_sealed IS NOT NULL)),
    CONSTRAINT comment_replies_error_code_check CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CONSTRAINT comment_replies_sent_at_check CHECK ((status = 'sent') = (sent_at IS NOT NULL))
  );
  COMMENT ON TABLE public.comment_replies IS
    'What the writer of a comment is answered: once below it, once in private, each sent by the service';
  COMMENT ON COLUMN public.comment_replies.text_sealed IS 'Until it is sent or given up';
  COMMENT ON COLUMN public.comment_replies.platform_id IS 'Id of the comment or message that it became at Meta';
  COMMENT ON COLUMN public.comment_replies.started_at IS
    'Committed before the call that sends it: as long as nothing is known of that call, it may stand there';
  COMMENT ON COLUMN public.comment_replies.next_attempt_at IS
    'When a worker may take it; whoever has it puts this off, and so holds it';
  CREATE INDEX comment_replies_owner_id_idx ON public.comment_replies (owner_id, lead_id);
  -- What the worker asks each minute: replies that nobody has taken though they are due.
  CREATE INDEX comment_replies_next_attempt_at_idx ON public.comment_replies (next_attempt_at) WHERE status = 'pending';
`;

const leadStates = `
  CREATE FUNCTION app.guard_lead_state() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
      ('new', 'contacted'), ('new', 'dismissed'), ('contacted', 'dismissed'), ('dismissed', 'new')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'lead-state-invalid';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_lead_state IS 'The transitions of a lead, as src/modules/messenger/leads/lead-states.ts has them';
  CREATE TRIGGER guard_state BEFORE UPDATE OF state ON public.comment_leads
    FOR EACH ROW EXECUTE FUNCTION app.guard_lead_state();
`;

const replyStates = `
  CREATE FUNCTION app.guard_comment_reply() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    -- People ask, for the first time or once more after it failed; only the worker, which acts for nobody, knows the rest.
    IF (app.user_id() IS NOT NULL AND (OLD.status, NEW.status) <> ('failed', 'pending'))
       OR (NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
         ('pending', 'sent'), ('pending', 'failed'), ('failed', 'pending'))) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'already-replied';
    END IF;
    IF OLD.status = 'failed' AND NEW.status = 'pending' THEN
      NEW.error_code := NULL;
      NEW.started_at := NULL;
      NEW.asked_at := now();
      NEW.next_attempt_at := now();
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_comment_reply IS
    'The transitions of a reply, as src/modules/messenger/leads/lead-states.ts has them; asked anew, it begins anew';
  CREATE TRIGGER guard_reply BEFORE UPDATE ON public.comment_replies
    FOR EACH ROW EXECUTE FUNCTION app.guard_comment_reply();
`;

/** What Meta tells and the steps of a worker would bury what people do. */
const quietAudit = `
  DROP TRIGGER audit_insert ON public.comment_leads;
  CREATE TRIGGER audit_insert AFTER INSERT ON public.comment_leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') <> 'process webhooks')
    EXECUTE FUNCTION audit.record('clinic_id', '', '${maskedOfLeads.join(',')}');
  DROP TRIGGER audit_insert ON public.comment_replies;
  CREATE TRIGGER audit_insert AFTER INSERT ON public.comment_replies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') <> 'process webhooks')
    EXECUTE FUNCTION audit.record('', '', '${maskedOfReplies.join(',')}');
  DROP TRIGGER audit_update ON public.comment_replies;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.comment_replies
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') <> 'reply to comments')
    EXECUTE FUNCTION audit.record('', '', '${maskedOfReplies.join(',')}');
`;
