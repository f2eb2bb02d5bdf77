import type { MigrationInterface, QueryRunner } from 'typeorm';
import { activeClinicRows, both, declareAccess, either, everyRow, ownRows } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * The Facebook pages at which people answer, and what it takes to connect them.
 *
 * A page belongs to the one who connected it, whoever else works in the clinic. Its token comes into the row as that
 * person, sealed, and comes out to the service alone; the service in turn changes nothing here.
 */
export class CreateMessengerConnections1795219205000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [authorizations, pendingConnections, connections]) await queryRunner.query(part);
    await touchUpdatedAt(queryRunner, 'public.messenger_connections');
    await this.declareAuthorizations(queryRunner);
    await this.declarePendingConnections(queryRunner);
    await this.declareConnections(queryRunner);
    for (const part of [oneActive, ownerOfPage, resealing, sessionsForService, quietAudit])
      await queryRunner.query(part);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      REVOKE SELECT (id, revoked_at) ON auth.sessions FROM service_role;
      DROP FUNCTION app.reseal_connection_token(uuid, text, text);
      DROP FUNCTION public.get_owner_by_page_id(text);
      DROP TABLE public.messenger_connections;
      DROP FUNCTION public.deactivate_old_messenger_connections();
      DROP TABLE public.messenger_pending_connections;
      DROP TABLE public.messenger_authorizations;
    `);
  }

  private async declareAuthorizations(queryRunner: QueryRunner): Promise<void> {
    const begun = both(ownRows('user_id'), either('clinic_id IS NULL', activeClinicRows('clinic_id', 'staff')));
    await declareAccess(queryRunner, {
      table: 'public.messenger_authorizations',
      access: {
        authenticated: { select: { rows: ownRows('user_id') }, insert: { rows: begun } },
        super_admin: { select: { rows: ownRows('user_id') }, insert: { rows: ownRows('user_id') } },
        // The browser that comes back brings no token: who it is, the row says.
        service_role: {
          select: { rows: everyRow },
          update: { rows: everyRow, columns: ['used_at'] },
          delete: { rows: everyRow },
        },
      },
      // Ten minutes in the life of a browser; what comes of it leaves its trace as a connection.
      audit: false,
    });
  }

  private async declarePendingConnections(queryRunner: QueryRunner): Promise<void> {
    const made = ['id', 'user_id', 'clinic_id', 'purpose', 'facebook_user_id', 'candidates', 'access_token_sealed'];
    const visible = ['id', 'user_id', 'clinic_id', 'purpose', 'facebook_user_id', 'candidates', 'expires_at'];
    const own = {
      select: { rows: ownRows('user_id'), columns: visible },
      insert: { rows: ownRows('user_id'), columns: made },
      delete: { rows: ownRows('user_id') },
    };
    await declareAccess(queryRunner, {
      table: 'public.messenger_pending_connections',
      access: {
        authenticated: own,
        super_admin: own,
        service_role: {
          select: { rows: everyRow },
          update: { rows: everyRow, columns: ['access_token_sealed'] },
          delete: { rows: everyRow },
        },
      },
      // A quarter of an hour at most; the choice leaves its trace as a connection.
      audit: false,
    });
  }

  private async declareConnections(queryRunner: QueryRunner): Promise<void> {
    const made = ['id', 'owner_id', 'clinic_id', 'page_id', 'page_access_token_sealed', ...changing];
    const visible = ['id', 'owner_id', 'clinic_id', 'page_id', ...changing, 'created_at', 'updated_at'];
    const admitted = both(ownRows('owner_id'), either('clinic_id IS NULL', activeClinicRows('clinic_id', 'staff')));
    const own = (insert: string) => ({
      select: { rows: ownRows('owner_id'), columns: visible },
      insert: { rows: insert, columns: made },
      update: { rows: ownRows('owner_id'), columns: ['page_access_token_sealed', ...changing] },
      // For another clinic it is another connection.
      delete: { rows: ownRows('owner_id') },
    });
    await declareAccess(queryRunner, {
      table: 'public.messenger_connections',
      access: {
        authenticated: own(admitted),
        super_admin: own(ownRows('owner_id')),
        service_role: { select: { rows: everyRow } },
      },
      audit: { clinic: 'clinic_id', masked },
    });
  }
}

/** Who asks Meta to be forgotten is in no line of the log: neither as Meta knows them, nor by a name of theirs. */
const masked = ['page_access_token_sealed', 'facebook_user_id', 'page_name'];

const changing = [
  ...['page_name', 'facebook_user_id', 'connected_at', 'is_active', 'health_level', 'health_error_code'],
  ...['health_checked_at', 'token_expires_at', 'last_dm_success_at', 'health_mailed_at', 'is_paused'],
];

const authorizations = `
  CREATE TABLE public.messenger_authorizations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    user_id uuid NOT NULL,
    session_id uuid NOT NULL,
    clinic_id uuid,
    purpose text NOT NULL,
    state_hash text NOT NULL,
    browser_hash text NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes',
    used_at timestamptz,
    CONSTRAINT messenger_authorizations_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT messenger_authorizations_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT messenger_authorizations_state_hash_key UNIQUE (state_hash),
    CONSTRAINT messenger_authorizations_purpose_check CHECK (purpose IN ('page', 'instagram'))
  );
  COMMENT ON TABLE public.messenger_authorizations IS
    'Consents that somebody was sent to give at Meta: used once, within ten minutes, by the browser that began';
  COMMENT ON COLUMN public.messenger_authorizations.state_hash IS 'SHA-256 of the state in the address';
  COMMENT ON COLUMN public.messenger_authorizations.browser_hash IS 'SHA-256 of the cookie that this browser was given';
  COMMENT ON COLUMN public.messenger_authorizations.used_at IS
    'Set when the browser has come back: it is used up, and gone once it is known what came of it';
  CREATE INDEX messenger_authorizations_user_id_idx ON public.messenger_authorizations (user_id);
  CREATE INDEX messenger_authorizations_clinic_id_idx ON public.messenger_authorizations (clinic_id);
  CREATE INDEX messenger_authorizations_expires_at_idx ON public.messenger_authorizations (expires_at);
`;

const pendingConnections = `
  CREATE TABLE public.messenger_pending_connections (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    user_id uuid NOT NULL,
    clinic_id uuid,
    purpose text NOT NULL,
    facebook_user_id text NOT NULL,
    candidates jsonb NOT NULL,
    access_token_sealed text NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '15 minutes',
    CONSTRAINT messenger_pending_connections_user_id_fkey
      FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT messenger_pending_connections_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT messenger_pending_connections_purpose_check CHECK (purpose IN ('page', 'instagram'))
  );
  COMMENT ON TABLE public.messenger_pending_connections IS
    'Pages among which a person has to choose; nothing is connected before';
  COMMENT ON COLUMN public.messenger_pending_connections.candidates IS
    'Id, name and username of each, in Meta''s order; never a token';
  COMMENT ON COLUMN public.messenger_pending_connections.access_token_sealed IS 'Of the person who consented';
  CREATE INDEX messenger_pending_connections_user_id_idx ON public.messenger_pending_connections (user_id);
  CREATE INDEX messenger_pending_connections_clinic_id_idx ON public.messenger_pending_connections (clinic_id);
  CREATE INDEX messenger_pending_connections_facebook_user_id_idx
    ON public.messenger_pending_connections (facebook_user_id);
  CREATE INDEX messenger_pending_connections_expires_at_idx ON public.messenger_pending_connections (expires_at);
`;

const connections = `
  CREATE TABLE public.messenger_connections (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    owner_id uuid NOT NULL,
    clinic_id uuid,
    page_id text NOT NULL,
    page_name text NOT NULL,
    page_access_token_sealed text,
    facebook_user_id text,
    connected_at timestamptz NOT NULL DEFAULT now(),
    is_active boolean NOT NULL DEFAULT true,
    is_paused boolean NOT NULL DEFAULT false,
    health_level text NOT NULL DEFAULT 'unknown',
    health_error_code text,
    health_checked_at timestamptz,
    health_mailed_at timestamptz,
    token_expires_at timestamptz,
    last_dm_success_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT messenger_connections_owner_id_fkey
      FOREIGN KEY (owner_id) REFERENCES public.profiles (id) ON DELETE CASCADE,
    CONSTRAINT messenger_connections_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE SET NULL,
    CONSTRAINT messenger_connections_owner_id_page_id_key UNIQUE (owner_id, page_id),
    CONSTRAINT messenger_connections_page_id_check CHECK (page_id ~ '^[0-9]{1,32}$'),
    CONSTRAINT messenger_connections_health_level_check CHECK (health_level IN ('ok', 'warning', 'error', 'unknown')),
    CONSTRAINT messenger_connections_page_access_token_sealed_check
      CHECK (is_active = (page_access_token_sealed IS NOT NULL))
  );
  COMMENT ON TABLE public.messenger_connections IS
    'Facebook pages at which their owner answers: one at a time is active, former ones stay without a token';
  COMMENT ON COLUMN public.messenger_connections.facebook_user_id IS
    'Who consented, as Meta names that person to our app';
  COMMENT ON COLUMN public.messenger_connections.is_paused IS 'No automatic answers';
  COMMENT ON COLUMN public.messenger_connections.token_expires_at IS 'Null for a token that Meta gives no end';
  COMMENT ON COLUMN public.messenger_connections.last_dm_success_at IS 'When a message was last sent there';
  COMMENT ON COLUMN public.messenger_connections.health_mailed_at IS
    'When the owner was told that it does not work; null again once it does';
  -- A page answers in one place, and an owner at one page; whoever let go of a page does not keep it from others.
  CREATE UNIQUE INDEX messenger_connections_page_id_key ON public.messenger_connections (page_id) WHERE is_active;
  CREATE UNIQUE INDEX messenger_connections_owner_id_key ON public.messenger_connections (owner_id) WHERE is_active;
  CREATE INDEX messenger_connections_clinic_id_idx ON public.messenger_connections (clinic_id);
  CREATE INDEX messenger_connections_facebook_user_id_idx ON public.messenger_connections (facebook_user_id);
  CREATE INDEX messenger_connections_health_checked_at_idx
    ON public.messenger_connections (health_checked_at NULLS FIRST) WHERE is_active;
`;

const oneActive = `
  CREATE FUNCTION public.deactivate_old_messenger_connections() RETURNS trigger
    LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.is_active THEN
      UPDATE public.messenger_connections SET is_active = false
       WHERE owner_id = NEW.owner_id AND id <> NEW.id AND is_active;
    ELSE
      NEW.page_access_token_sealed := NULL;
      NEW.token_expires_at := NULL;
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION public.deactivate_old_messenger_connections IS
    'A page that becomes active takes the place of its owner''s earlier one; one that does not is left without its token';
  CREATE TRIGGER deactivate_old BEFORE INSERT OR UPDATE OF is_active ON public.messenger_connections
    FOR EACH ROW EXECUTE FUNCTION public.deactivate_old_messenger_connections();
`;

const ownerOfPage = `
  CREATE FUNCTION public.get_owner_by_page_id(p_page text) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT c.owner_id FROM public.messenger_connections c WHERE c.page_id = p_page AND c.is_active
  $$;
  COMMENT ON FUNCTION public.get_owner_by_page_id IS 'Who answers at a page now; null for a page that nobody has connected';
  GRANT EXECUTE ON FUNCTION public.get_owner_by_page_id TO service_role;
`;

/**
 * SECURITY DEFINER: a key is rotated by the service, which may not write here, and for owners, too, as whom nothing can run
 * because their account is disabled. It exchanges a text for a text, and only for who knows the one that stands there.
 */
const resealing = `
  CREATE FUNCTION app.reseal_connection_token(p_row uuid, p_was text, p_sealed text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH exchanged AS (
      UPDATE public.messenger_connections SET page_access_token_sealed = p_sealed
       WHERE id = p_row AND page_access_token_sealed = p_was RETURNING id
    )
    SELECT EXISTS (SELECT FROM exchanged)
  $$;
  COMMENT ON FUNCTION app.reseal_connection_token IS
    'For the rotation of keys. SECURITY DEFINER: the service may not write connections';
  GRANT EXECUTE ON FUNCTION app.reseal_connection_token TO service_role;
`;

/** Whether the session in which a consent was begun is still there when the browser comes back without a token. */
const sessionsForService = `
  GRANT SELECT (id, revoked_at) ON auth.sessions TO service_role;
`;

/**
 * What is noted each time that a message is sent or Meta is asked would bury what people changed. That it broke, or works
 * again, is written down all the same; a check changes one row, and so does its trigger of each row leave one line.
 */
const quietAudit = `
  DROP TRIGGER audit_update ON public.messenger_connections;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.messenger_connections
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') <> 'check Messenger health')
    EXECUTE FUNCTION audit.record('clinic_id', '', '${masked.join(',')}');
  CREATE TRIGGER audit_turn AFTER UPDATE ON public.messenger_connections
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH ROW
    WHEN (current_setting('app.route', true) = 'check Messenger health'
          AND (OLD.health_level = 'error') <> (NEW.health_level = 'error'))
    EXECUTE FUNCTION audit.record('clinic_id', '', '${masked.join(',')}');
`;
