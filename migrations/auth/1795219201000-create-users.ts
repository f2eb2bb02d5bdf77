import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow, everything, ownRows } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * Users, how they prove who they are, and their profiles.
 *
 * A profile has no foreign key to its user: it outlives the user, soft-deleted, because what a person did stays on
 * record. Triggers keep the two together. Password and token hashes are granted to no role that the API can become.
 */
export class CreateUsers1795219201000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`SET LOCAL check_function_bodies = off`);
    await queryRunner.query(users);
    await queryRunner.query(proofs);
    await queryRunner.query(profiles);
    await queryRunner.query(colleagues);
    await touchUpdatedAt(queryRunner, 'auth.users');
    await touchUpdatedAt(queryRunner, 'public.profiles');
    await this.declareAccess(queryRunner);
    await queryRunner.query(triggers);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE public.profiles, auth.one_time_tokens, auth.sessions, auth.identities, auth.users;
      DROP FUNCTION auth.profile_deleted_user(), auth.follow_user(), auth.unverify_changed_email(), auth.create_profile(),
        auth.refuse_foreign_clinic();
      DROP FUNCTION app.colleague_ids();
    `);
  }

  private async declareAccess(queryRunner: QueryRunner): Promise<void> {
    const visible = [
      'id',
      'email',
      'email_verified_at',
      'disabled_at',
      'last_login_at',
      'legacy_id',
      'created_at',
      'updated_at',
    ];
    await declareAccess(queryRunner, {
      table: 'auth.users',
      access: {
        authenticated: { select: { rows: ownRows('id'), columns: visible } },
        super_admin: {
          select: { rows: everyRow, columns: visible },
          update: { rows: everyRow, columns: ['disabled_at'] },
          delete: { rows: everyRow },
        },
        service_role: { select: { rows: everyRow, columns: visible } },
      },
      audit: { masked: ['password_hash'] },
    });
    await declareAccess(queryRunner, {
      table: 'auth.identities',
      access: {
        authenticated: { select: { rows: ownRows('user_id') } },
        super_admin: { select: { rows: everyRow } },
      },
      audit: {},
    });
    const sessionColumns = [
      'id',
      'user_id',
      'user_agent',
      'address',
      'created_at',
      'refreshed_at',
      'expires_at',
      'revoked_at',
    ];
    await declareAccess(queryRunner, {
      table: 'auth.sessions',
      access: {
        authenticated: {
          select: { rows: ownRows('user_id'), columns: sessionColumns },
          update: { rows: ownRows('user_id'), columns: ['revoked_at'] },
        },
        super_admin: {
          select: { rows: everyRow, columns: sessionColumns },
          update: { rows: everyRow, columns: ['revoked_at'] },
        },
        service_role: { delete: { rows: everyRow }, select: { rows: everyRow, columns: ['expires_at'] } },
      },
      // A session changes at every refresh; what matters of it (a replayed token) is written to the log on purpose.
      audit: false,
    });
    await declareAccess(queryRunner, {
      table: 'auth.one_time_tokens',
      access: {
        service_role: {
          select: { rows: everyRow, columns: ['id', 'user_id', 'purpose', 'expires_at', 'used_at'] },
          insert: { rows: everyRow },
          delete: { rows: everyRow },
        },
      },
      // They come and go with each mail; their use shows as the change that it allowed.
      audit: false,
    });
    await declareAccess(queryRunner, {
      table: 'public.profiles',
      access: {
        authenticated: {
          select: { rows: `id = ANY ((SELECT app.colleague_ids())::uuid[])` },
          update: {
            rows: ownRows('id'),
            columns: ['first_name', 'last_name', 'phone', 'avatar_url', 'locale', 'time_zone', 'default_clinic_id'],
          },
        },
        super_admin: { select: everything.select, update: everything.update },
        service_role: { select: { rows: everyRow } },
      },
      audit: { masked: ['phone'] },
    });
  }
}

const users = `
  CREATE TABLE auth.users (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    email public.citext,
    password_hash text,
    email_verified_at timestamptz,
    disabled_at timestamptz,
    last_login_at timestamptz,
    legacy_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT users_email_check CHECK (length(email) BETWEEN 3 AND 254)
  );
  COMMENT ON TABLE auth.users IS 'Who can log in';
  COMMENT ON COLUMN auth.users.email IS 'Null for a person who came by a provider that did not tell it';
  COMMENT ON COLUMN auth.users.password_hash IS 'argon2id; null where there is no password to log in with';
  COMMENT ON COLUMN auth.users.legacy_id IS 'The id in an older system';
`;

const proofs = `
  CREATE TABLE auth.identities (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    user_id uuid NOT NULL,
    provider text NOT NULL,
    provider_user_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT identities_provider_user_id_key UNIQUE (provider, provider_user_id)
  );
  COMMENT ON TABLE auth.identities IS 'Logins at other providers';
  CREATE INDEX identities_user_id_idx ON auth.identities (user_id);

  CREATE TABLE auth.sessions (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    user_id uuid NOT NULL,
    refresh_hash text NOT NULL,
    previous_refresh_hash text,
    user_agent text,
    address inet,
    created_at timestamptz NOT NULL DEFAULT now(),
    refreshed_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE
  );
  COMMENT ON TABLE auth.sessions IS 'One family of refresh tokens each; a request is only as good as its session';
  COMMENT ON COLUMN auth.sessions.refresh_hash IS 'SHA-256 of the one token that can be exchanged now';
  COMMENT ON COLUMN auth.sessions.previous_refresh_hash IS 'The one before it, for the grace of a lost answer';
  CREATE INDEX sessions_user_id_idx ON auth.sessions (user_id, created_at DESC);
  CREATE INDEX sessions_expires_at_idx ON auth.sessions (expires_at);

  CREATE TABLE auth.one_time_tokens (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    token_hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT one_time_tokens_purpose_check CHECK (purpose IN ('verify-email', 'reset-password')),
    CONSTRAINT one_time_tokens_token_hash_key UNIQUE (token_hash)
  );
  COMMENT ON TABLE auth.one_time_tokens IS 'Proofs that were mailed, as SHA-256; each works once';
  CREATE INDEX one_time_tokens_user_id_idx ON auth.one_time_tokens (user_id, purpose);
`;

const profiles = `
  CREATE TABLE public.profiles (
    id uuid PRIMARY KEY,
    email public.citext,
    first_name text NOT NULL,
    last_name text NOT NULL,
    user_type text NOT NULL DEFAULT 'patient',
    phone text,
    avatar_url text,
    locale text NOT NULL DEFAULT 'en',
    time_zone text NOT NULL DEFAULT 'UTC',
    default_clinic_id uuid,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT profiles_user_type_check
      CHECK (user_type IN ('admin', 'provider', 'patient', 'research-partner', 'developer'))
  );
  COMMENT ON TABLE public.profiles IS 'The person behind a user; stays, marked as deleted, when the user goes';
  COMMENT ON COLUMN public.profiles.user_type IS 'Granted for update to super_admin alone';
  CREATE INDEX profiles_email_idx ON public.profiles (email);
  CREATE INDEX profiles_user_type_idx ON public.profiles (user_type, id);
`;

const colleagues = `
  -- The caller, everybody with whom the caller shares a clinic or an organisation, and those in charge there. Patients
  -- share neither.
  CREATE FUNCTION app.colleague_ids() RETURNS uuid[] LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_clinics uuid[] := app.clinic_ids('viewer');
    v_own uuid[] := app.organisation_ids('member');
    v_above uuid[] := ARRAY(SELECT c.organisation_id FROM public.clinics c WHERE c.id = ANY (v_clinics));
  BEGIN
    -- Some come twice, which an index scan does not mind, and making them unique would cost more than the rest.
    RETURN app.user_id()
      || ARRAY(SELECT r.user_id FROM public.user_clinic_roles r WHERE r.clinic_id = ANY (v_clinics))
      || ARRAY(SELECT m.user_id FROM public.organisation_members m
                WHERE m.organisation_id = ANY (v_own || v_above)
                  AND (m.role >= 'manager' OR m.organisation_id = ANY (v_own)));
  END $$;
  COMMENT ON FUNCTION app.colleague_ids IS
    'SECURITY DEFINER: asks the membership tables, which are themselves under policies that ask for profiles';
  GRANT EXECUTE ON FUNCTION app.colleague_ids TO authenticated;
`;

const triggers = `
  CREATE FUNCTION auth.create_profile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    INSERT INTO public.profiles (id, email, first_name, last_name) VALUES (NEW.id, NEW.email, '', '');
    RETURN NULL;
  END $$;
  CREATE TRIGGER create_profile AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION auth.create_profile();

  CREATE FUNCTION auth.unverify_changed_email() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    IF NEW.email_verified_at IS NOT DISTINCT FROM OLD.email_verified_at THEN
      NEW.email_verified_at := NULL;
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION auth.unverify_changed_email() IS 'A new address is not verified by the old one''s mail';
  CREATE TRIGGER unverify_changed_email BEFORE UPDATE OF email ON auth.users
    FOR EACH ROW WHEN (NEW.email IS DISTINCT FROM OLD.email) EXECUTE FUNCTION auth.unverify_changed_email();

  CREATE FUNCTION auth.follow_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF NEW.email IS DISTINCT FROM OLD.email THEN
      UPDATE public.profiles SET email = NEW.email WHERE id = NEW.id;
      DELETE FROM auth.one_time_tokens WHERE user_id = NEW.id;
    END IF;
    IF NEW.disabled_at IS NOT NULL AND OLD.disabled_at IS NULL THEN
      UPDATE auth.sessions SET revoked_at = now() WHERE user_id = NEW.id AND revoked_at IS NULL;
    END IF;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION auth.follow_user() IS
    'The profile follows the address, and what was mailed to the old one proves nothing; disabling ends the sessions';
  CREATE TRIGGER follow_user AFTER UPDATE ON auth.users FOR EACH ROW EXECUTE FUNCTION auth.follow_user();

  -- Sessions, identities and tokens go with the user (ON DELETE CASCADE); roles end by the clinics module's trigger.
  CREATE FUNCTION auth.profile_deleted_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    UPDATE public.profiles SET deleted_at = now() WHERE id = OLD.id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER soft_delete_profile AFTER DELETE ON auth.users
    FOR EACH ROW EXECUTE FUNCTION auth.profile_deleted_user();

  CREATE FUNCTION auth.refuse_foreign_clinic() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF NEW.default_clinic_id IS NOT NULL AND NEW.id = app.user_id()
       AND NOT NEW.default_clinic_id = ANY (app.clinic_ids('viewer')) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC422', MESSAGE = 'not-your-clinic';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER refuse_foreign_clinic BEFORE UPDATE OF default_clinic_id ON public.profiles
    FOR EACH ROW EXECUTE FUNCTION auth.refuse_foreign_clinic();
`;
