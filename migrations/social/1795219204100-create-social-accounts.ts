import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  both,
  declareAccess,
  everyRow,
  organisationRows,
  ownRows,
  relatedOrganisationRows,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * The Instagram accounts and Facebook pages that an organisation publishes on, and what it takes to connect them.
 *
 * Their tokens are sealed, and readable by the service alone.
 */
export class CreateSocialAccounts1795219204100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [authorizations, pendingConnections, accounts]) await queryRunner.query(part);
    await touchUpdatedAt(queryRunner, 'public.social_media_accounts');
    await this.declareAuthorizations(queryRunner);
    await this.declarePendingConnections(queryRunner);
    await this.declareAccounts(queryRunner);
    await queryRunner.query(states);
    await queryRunner.query(capabilities);
    await queryRunner.query(quietAudit);
    await queryRunner.query(ownersForService);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP POLICY service_role_select ON public.organisation_members;
      REVOKE SELECT (organisation_id, user_id, role) ON public.organisation_members FROM service_role;
      DROP FUNCTION public.get_account_capabilities(uuid);
      DROP TABLE public.social_media_accounts;
      DROP FUNCTION app.guard_account_status();
      DROP TABLE public.social_pending_connections;
      DROP TABLE public.social_authorizations;
    `);
  }

  private async declareAuthorizations(queryRunner: QueryRunner): Promise<void> {
    await declareAccess(queryRunner, {
      table: 'public.social_authorizations',
      access: {
        authenticated: {
          select: { rows: ownRows('user_id') },
          insert: { rows: both(ownRows('user_id'), organisationRows('organisation_id', 'manager')) },
          delete: { rows: ownRows('user_id') },
        },
        super_admin: {
          select: { rows: ownRows('user_id') },
          insert: { rows: ownRows('user_id') },
          delete: { rows: ownRows('user_id') },
        },
        service_role: { select: { rows: everyRow, columns: ['expires_at'] }, delete: { rows: everyRow } },
      },
      // Ten minutes in the life of a browser; what comes of it leaves its trace as an account.
      audit: false,
    });
  }

  private async declarePendingConnections(queryRunner: QueryRunner): Promise<void> {
    const visible = [
      ...['id', 'organisation_id', 'user_id', 'session_id', 'platform', 'facebook_user_id', 'candidates'],
      ...['scopes', 'expires_at'],
    ];
    const theirs = both(ownRows('user_id'), organisationRows('organisation_id', 'manager'));
    await declareAccess(queryRunner, {
      table: 'public.social_pending_connections',
      access: {
        authenticated: {
          select: { rows: ownRows('user_id'), columns: visible },
          insert: { rows: theirs, columns: visible },
          delete: { rows: ownRows('user_id') },
        },
        super_admin: {
          select: { rows: ownRows('user_id'), columns: visible },
          insert: { rows: ownRows('user_id'), columns: visible },
          delete: { rows: ownRows('user_id') },
        },
        service_role: {
          select: { rows: everyRow },
          update: { rows: everyRow, columns: ['access_token_sealed', 'token_expires_at'] },
          delete: { rows: everyRow },
        },
      },
      // A quarter of an hour at most; the choice leaves its trace as an account.
      audit: false,
    });
  }

  private async declareAccounts(queryRunner: QueryRunner): Promise<void> {
    const described = [
      ...['account_type', 'username', 'profile_picture_url', 'page_id', 'page_name', 'facebook_user_id', 'scopes'],
      ...['connected_by', 'can_publish_feed', 'can_publish_stories', 'can_publish_reels'],
    ];
    const kept = [
      ...['token_expires_at', 'data_access_expires_at', 'connected_at', 'last_synced_at', 'last_token_refresh'],
      ...['analytics_wait_until', 'health_checked_at', 'health', 'status', 'error_message', 'connection_error_count'],
    ];
    const made = ['organisation_id', 'platform', 'platform_account_id', ...described];
    const visible = ['id', ...made, ...kept, 'legacy_id', 'created_at', 'updated_at'];
    const managed = organisationRows('organisation_id', 'manager');
    await declareAccess(queryRunner, {
      table: 'public.social_media_accounts',
      access: {
        authenticated: {
          select: { rows: relatedOrganisationRows('organisation_id'), columns: visible },
          insert: { rows: managed, columns: made },
          update: { rows: managed, columns: [...described, 'status'] },
        },
        super_admin: {
          select: { rows: everyRow, columns: visible },
          insert: { rows: everyRow, columns: made },
          update: { rows: everyRow, columns: [...described, 'status'] },
        },
        service_role: {
          select: { rows: everyRow },
          update: {
            rows: everyRow,
            columns: [...described, ...kept, 'access_token_sealed', 'refresh_token_sealed'],
          },
        },
      },
      audit: { organisation: 'organisation_id', masked: unlogged },
    });
  }
}

/** The log tells that somebody consented anew, and not whom Meta knows them as: they may ask to be forgotten. */
const unlogged = ['access_token_sealed', 'refresh_token_sealed', 'facebook_user_id'];

const authorizations = `
  CREATE TABLE public.social_authorizations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid NOT NULL,
    platform text NOT NULL,
    state_hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT social_authorizations_organisation_id_fkey
      FOREIGN KEY (organisation_id) REFERENCES public.organisations (id) ON DELETE CASCADE,
    CONSTRAINT social_authorizations_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT social_authorizations_state_hash_key UNIQUE (state_hash),
    CONSTRAINT social_authorizations_platform_check CHECK (platform IN ('instagram', 'facebook'))
  );
  COMMENT ON TABLE public.social_authorizations IS
    'Consents that somebody was sent to give at Meta: used once, within ten minutes, by the same person in the same session';
  COMMENT ON COLUMN public.social_authorizations.state_hash IS 'SHA-256 of the state in the address';
  CREATE INDEX social_authorizations_organisation_id_idx ON public.social_authorizations (organisation_id);
  CREATE INDEX social_authorizations_user_id_idx ON public.social_authorizations (user_id);
`;

const pendingConnections = `
  CREATE TABLE public.social_pending_connections (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid NOT NULL,
    platform text NOT NULL,
    facebook_user_id text NOT NULL,
    candidates jsonb NOT NULL,
    scopes text[] NOT NULL,
    access_token_sealed text,
    token_expires_at timestamptz,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '15 minutes',
    CONSTRAINT social_pending_connections_organisation_id_fkey
      FOREIGN KEY (organisation_id) REFERENCES public.organisations (id) ON DELETE CASCADE,
    CONSTRAINT social_pending_connections_user_id_fkey
      FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT social_pending_connections_platform_check CHECK (platform IN ('instagram', 'facebook'))
  );
  COMMENT ON TABLE public.social_pending_connections IS
    'Pages and accounts among which a person has to choose; nothing is connected before';
  COMMENT ON COLUMN public.social_pending_connections.candidates IS
    'Id, name, username and picture of each, in Meta''s order; never a token';
  COMMENT ON COLUMN public.social_pending_connections.access_token_sealed IS 'Of the person who consented';
  CREATE INDEX social_pending_connections_organisation_id_idx ON public.social_pending_connections (organisation_id);
  CREATE INDEX social_pending_connections_user_id_idx ON public.social_pending_connections (user_id);
  CREATE INDEX social_pending_connections_facebook_user_id_idx ON public.social_pending_connections (facebook_user_id);
`;

const accounts = `
  CREATE TABLE public.social_media_accounts (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    platform text NOT NULL,
    account_type text NOT NULL,
    platform_account_id text NOT NULL,
    username text NOT NULL,
    profile_picture_url text,
    page_id text,
    page_name text,
    facebook_user_id text,
    scopes text[] NOT NULL DEFAULT '{}',
    connected_by uuid,
    access_token_sealed text,
    refresh_token_sealed text,
    token_expires_at timestamptz,
    data_access_expires_at timestamptz,
    connected_at timestamptz,
    last_synced_at timestamptz,
    analytics_wait_until timestamptz,
    last_token_refresh timestamptz,
    health text NOT NULL DEFAULT 'unknown',
    health_checked_at timestamptz,
    status text NOT NULL DEFAULT 'disconnected',
    error_message text,
    connection_error_count integer NOT NULL DEFAULT 0,
    can_publish_feed boolean NOT NULL DEFAULT false,
    can_publish_stories boolean NOT NULL DEFAULT false,
    can_publish_reels boolean NOT NULL DEFAULT false,
    legacy_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT social_media_accounts_organisation_id_fkey
      FOREIGN KEY (organisation_id) REFERENCES public.organisations (id) ON DELETE CASCADE,
    CONSTRAINT social_media_accounts_organisation_id_id_key UNIQUE (organisation_id, id),
    CONSTRAINT social_media_accounts_platform_key UNIQUE (organisation_id, platform, id),
    CONSTRAINT social_media_accounts_platform_account_id_key UNIQUE (organisation_id, platform, platform_account_id),
    CONSTRAINT social_media_accounts_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT social_media_accounts_connected_by_fkey
      FOREIGN KEY (connected_by) REFERENCES public.profiles (id) ON DELETE SET NULL,
    CONSTRAINT social_media_accounts_platform_check CHECK (platform IN ('instagram', 'facebook')),
    CONSTRAINT social_media_accounts_account_type_check CHECK (
      account_type IN ('business', 'creator', 'page') AND (account_type = 'page') = (platform = 'facebook')),
    CONSTRAINT social_media_accounts_health_check CHECK (health IN ('ok', 'warning', 'error', 'unknown')),
    CONSTRAINT social_media_accounts_status_check CHECK (status IN ('active', 'expired', 'disconnected', 'error')),
    CONSTRAINT social_media_accounts_access_token_sealed_check CHECK (
      CASE status WHEN 'active' THEN access_token_sealed IS NOT NULL AND connected_at IS NOT NULL
                  WHEN 'disconnected' THEN access_token_sealed IS NULL AND refresh_token_sealed IS NULL
                  ELSE true END),
    CONSTRAINT social_media_accounts_connection_error_count_check CHECK (connection_error_count >= 0)
  );
  COMMENT ON TABLE public.social_media_accounts IS
    'Instagram accounts and Facebook pages of an organisation; a disconnected one stays for its posts, without tokens';
  COMMENT ON COLUMN public.social_media_accounts.platform_account_id IS 'Id of the page or of the Instagram account at Meta';
  COMMENT ON COLUMN public.social_media_accounts.page_id IS 'The page whose token is used; of a page, itself';
  COMMENT ON COLUMN public.social_media_accounts.facebook_user_id IS 'Who consented, as Meta names that person to our app';
  COMMENT ON COLUMN public.social_media_accounts.access_token_sealed IS 'Token of the page; null once disconnected';
  COMMENT ON COLUMN public.social_media_accounts.refresh_token_sealed IS
    'Long-lived token of the person who consented, from which new tokens of the page are made';
  COMMENT ON COLUMN public.social_media_accounts.token_expires_at IS 'Null for a token that Meta gives no end';
  COMMENT ON COLUMN public.social_media_accounts.last_synced_at IS 'When the analytics of all posts that were due had been read';
  COMMENT ON COLUMN public.social_media_accounts.analytics_wait_until IS
    'Meta asked to slow down, or was away: its analytics are not asked for before';
  CREATE INDEX social_media_accounts_organisation_id_idx ON public.social_media_accounts (organisation_id, username, id);
  CREATE INDEX social_media_accounts_facebook_user_id_idx ON public.social_media_accounts (facebook_user_id);
  CREATE INDEX social_media_accounts_connected_by_idx ON public.social_media_accounts (connected_by);
  -- What the daily renewal asks.
  CREATE INDEX social_media_accounts_token_expires_at_idx ON public.social_media_accounts (token_expires_at)
    WHERE status = 'active';
`;

const states = `
  CREATE FUNCTION app.guard_account_status() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
      ('disconnected', 'active'), ('active', 'expired'), ('active', 'error'), ('active', 'disconnected'),
      ('expired', 'active'), ('expired', 'disconnected'), ('error', 'active'), ('error', 'expired'),
      ('error', 'disconnected')
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'account-not-connected';
    END IF;
    IF NEW.status = 'disconnected' THEN
      NEW.access_token_sealed := NULL;
      NEW.refresh_token_sealed := NULL;
      NEW.token_expires_at := NULL;
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_account_status IS
    'The transitions of an account, as src/modules/social/accounts/account-states.ts has them; who disconnects forgets the tokens';
  CREATE TRIGGER guard_status BEFORE UPDATE OF status ON public.social_media_accounts
    FOR EACH ROW EXECUTE FUNCTION app.guard_account_status();
`;

const capabilities = `
  CREATE FUNCTION public.get_account_capabilities(p_account uuid)
    RETURNS TABLE (can_publish_feed boolean, can_publish_stories boolean, can_publish_reels boolean)
    LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT a.status = 'active' AND a.can_publish_feed, a.status = 'active' AND a.can_publish_stories,
           a.status = 'active' AND a.can_publish_reels
      FROM public.social_media_accounts a WHERE a.id = p_account
  $$;
  COMMENT ON FUNCTION public.get_account_capabilities IS
    'What can be published there now; no row for an account that the caller does not see';
  GRANT EXECUTE ON FUNCTION public.get_account_capabilities TO authenticated, super_admin, service_role;
`;

/** What jobs note each day would bury what people changed; that an account has expired or is well again is no noise. */
const quietAudit = `
  DROP TRIGGER audit_update ON public.social_media_accounts;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.social_media_accounts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') NOT IN ('check social accounts', 'read social analytics'))
    EXECUTE FUNCTION audit.record('', 'organisation_id', '${unlogged.join(',')}');
`;

/** Who is told that an account has to be connected again: a job writes to the owners of its organisation. */
const ownersForService = `
  GRANT SELECT (organisation_id, user_id, role) ON public.organisation_members TO service_role;
  CREATE POLICY service_role_select ON public.organisation_members FOR SELECT TO service_role USING (true);
`;
