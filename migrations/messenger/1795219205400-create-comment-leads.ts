import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow, ownRows } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/** People who commented under a doctor's Instagram post that they would like an appointment. */
export class CreateCommentLeads1795219205400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(leads);
    await touchUpdatedAt(queryRunner, 'public.comment_leads');
    const replies = [
      ...['public_reply_status', 'public_reply_id', 'public_reply_error_code', 'public_reply_started_at'],
      ...['private_reply_status', 'private_reply_id', 'private_reply_error_code', 'private_reply_started_at'],
    ];
    const visible = [
      ...['id', 'owner_id', 'clinic_id', 'page_id', 'media_id', 'comment_id', 'username', 'state', 'commented_at'],
      ...['deleted_at', 'created_at', 'updated_at', ...replies],
    ];
    const own = {
      select: { rows: ownRows('owner_id'), columns: visible },
      update: { rows: ownRows('owner_id'), columns: ['state', 'public_reply_status', 'private_reply_status'] },
    };
    await declareAccess(queryRunner, {
      table: 'public.comment_leads',
      access: {
        authenticated: own,
        super_admin: own,
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: { rows: everyRow, columns: ['comment_sealed', 'username', 'state', 'deleted_at', ...replies] },
        },
      },
      audit: { clinic: 'clinic_id', masked: ['comment_sealed', 'username', 'commenter_id'] },
    });
    await queryRunner.query(states);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE public.comment_leads; DROP FUNCTION app.guard_lead_state();');
  }
}

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
    public_reply_status text,
    public_reply_id text,
    public_reply_error_code text,
    public_reply_started_at timestamptz,
    private_reply_status text,
    private_reply_id text,
    private_reply_error_code text,
    private_reply_started_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT comment_leads_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.profiles (id) ON DELETE CASCADE,
    CONSTRAINT comment_leads_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE SET NULL,
    CONSTRAINT comment_leads_comment_id_key UNIQUE (comment_id),
    CONSTRAINT comment_leads_state_check CHECK (state IN ('new', 'contacted', 'dismissed')),
    CONSTRAINT comment_leads_public_reply_status_check CHECK (public_reply_status IN ('pending', 'sent', 'failed')),
    CONSTRAINT comment_leads_private_reply_status_check CHECK (private_reply_status IN ('pending', 'sent', 'failed'))
  );
  COMMENT ON TABLE public.comment_leads IS 'Comments under Instagram posts whose writer seems to want an appointment';
  COMMENT ON COLUMN public.comment_leads.page_id IS 'The Instagram account at Meta';
  COMMENT ON COLUMN public.comment_leads.public_reply_status IS 'Null while nobody asked for a reply; there is one at most';
  COMMENT ON COLUMN public.comment_leads.private_reply_status IS 'The same; Meta takes one, within seven days';
  CREATE INDEX comment_leads_owner_id_idx ON public.comment_leads (owner_id, state, id DESC);
  CREATE INDEX comment_leads_clinic_id_idx ON public.comment_leads (clinic_id);
`;

const states = `
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
