import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow, ownRows } from '../support/declare-access.js';

/**
 * Log-in by Facebook: the way to its dialog and back, the code that a browser exchanges for a session, and what Meta
 * calls us about.
 *
 * As with the password, what somebody may do before a session exists is one small SECURITY DEFINER function each: `anon`
 * has no right on any table of this schema. No token of Facebook's is kept at all.
 */
export class CreateFacebookLogin1795219204000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(identities);
    await queryRunner.query(auditOf('provider_user_id,email,first_name,last_name'));
    await queryRunner.query(tables);
    await this.declareAccess(queryRunner);
    await queryRunner.query(browserLogin);
    await queryRunner.query(signIn);
    await queryRunner.query(callbacks);
    await queryRunner.query(resetPassword(endIdentities));
    await queryRunner.query(grants);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(resetPassword(''));
    await queryRunner.query(`
      DROP FUNCTION auth.forget_facebook_user(text);
      DROP FUNCTION auth.meta_callback_state(text);
      DROP FUNCTION auth.receive_meta_callback(text, text, text);
      DROP FUNCTION auth.sign_in_with_facebook(uuid, text, public.citext, text, text);
      DROP FUNCTION auth.link_facebook_code(text, text);
      DROP FUNCTION auth.exchange_facebook_code(text, text);
      DROP FUNCTION auth.keep_facebook_code(text, text, text, public.citext, text, text);
      DROP FUNCTION auth.use_facebook_state(text);
      DROP FUNCTION auth.begin_facebook_login(text, text, text);
      DROP TABLE auth.meta_callbacks, auth.facebook_codes, auth.facebook_authorizations;
      DROP POLICY super_admin_insert ON auth.identities;
      DROP POLICY super_admin_delete ON auth.identities;
      DROP POLICY authenticated_insert ON auth.identities;
      DROP POLICY authenticated_delete ON auth.identities;
      REVOKE INSERT (user_id, provider, provider_user_id), DELETE ON auth.identities FROM authenticated, super_admin;
      CREATE INDEX identities_user_id_idx ON auth.identities (user_id);
      ALTER TABLE auth.identities DROP CONSTRAINT identities_provider_key,
        DROP COLUMN email, DROP COLUMN first_name, DROP COLUMN last_name;
      COMMENT ON COLUMN auth.users.email_verified_at IS NULL;
    `);
    await queryRunner.query(auditOf(''));
  }

  private async declareAccess(queryRunner: QueryRunner): Promise<void> {
    // They come and go with each log-in, whose trace is what it leads to; see docs/auth.md for what they may hold.
    const swept = {
      access: { service_role: { select: { rows: everyRow, columns: ['expires_at'] }, delete: { rows: everyRow } } },
      audit: false as const,
    };
    await declareAccess(queryRunner, { table: 'auth.facebook_authorizations', ...swept });
    await declareAccess(queryRunner, { table: 'auth.facebook_codes', ...swept });
    await declareAccess(queryRunner, {
      table: 'auth.meta_callbacks',
      access: {
        service_role: {
          select: { rows: everyRow, columns: ['id', 'kind', 'facebook_user_id', 'received_at', 'finished_at'] },
          update: { rows: everyRow, columns: ['facebook_user_id', 'finished_at'] },
        },
      },
      // What it brought about leaves its own trace; a line of its own would keep the id that is to be forgotten.
      audit: false,
    });
    await queryRunner.query(ownIdentities);
  }
}

const identities = `
  ALTER TABLE auth.identities ADD COLUMN email public.citext, ADD COLUMN first_name text, ADD COLUMN last_name text;
  COMMENT ON COLUMN auth.identities.email IS
    'With first_name and last_name: what the account got from the provider when it was made, and what goes when the '
    'person asks the provider that we forget them. Null where the account was there before';

  -- Also the index by user, which the former one is then no more than the beginning of.
  ALTER TABLE auth.identities ADD CONSTRAINT identities_provider_key UNIQUE (user_id, provider);
  DROP INDEX auth.identities_user_id_idx;

  COMMENT ON COLUMN auth.users.email_verified_at IS
    'When the address was proven; of an account without one, when it was made: there is nothing to prove';
`;

/** The policies of one's own log-ins: linked and unlinked as oneself, an admin of the installation included. */
const ownIdentities = (['authenticated', 'super_admin'] as const)
  .map(
    (role) => `
  GRANT INSERT (user_id, provider, provider_user_id), DELETE ON auth.identities TO ${role};
  CREATE POLICY ${role}_insert ON auth.identities FOR INSERT TO ${role} WITH CHECK (${ownRows('user_id')});
  CREATE POLICY ${role}_delete ON auth.identities FOR DELETE TO ${role} USING (${ownRows('user_id')});`,
  )
  .join('');

/** The log tells that a log-in was linked, and not as whom somebody is known elsewhere. */
const auditOf = (masked: string) => `
  DROP TRIGGER audit_insert ON auth.identities;
  DROP TRIGGER audit_update ON auth.identities;
  DROP TRIGGER audit_delete ON auth.identities;
  CREATE TRIGGER audit_insert AFTER INSERT ON auth.identities REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('', '', '${masked}');
  CREATE TRIGGER audit_update AFTER UPDATE ON auth.identities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('', '', '${masked}');
  CREATE TRIGGER audit_delete AFTER DELETE ON auth.identities REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('', '', '${masked}');
`;

const tables = `
  CREATE TABLE auth.facebook_authorizations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    state_hash text NOT NULL,
    return_to text NOT NULL,
    code_challenge text,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT facebook_authorizations_state_hash_key UNIQUE (state_hash)
  );
  COMMENT ON TABLE auth.facebook_authorizations IS 'Browsers that are at Facebook''s dialog; gone with their first return';
  COMMENT ON COLUMN auth.facebook_authorizations.code_challenge IS
    'Of the app that began: the code can be exchanged only with the verifier to it (RFC 7636, S256)';
  CREATE INDEX facebook_authorizations_expires_at_idx ON auth.facebook_authorizations (expires_at);

  CREATE TABLE auth.facebook_codes (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    code_hash text NOT NULL,
    code_challenge text,
    facebook_user_id text NOT NULL,
    email public.citext,
    first_name text NOT NULL,
    last_name text NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT facebook_codes_code_hash_key UNIQUE (code_hash),
    CONSTRAINT facebook_codes_email_check CHECK (length(email) BETWEEN 3 AND 254)
  );
  COMMENT ON TABLE auth.facebook_codes IS
    'What Facebook said of a person, for the browser that has the code, of which the SHA-256 is kept. It logs in for two '
    'minutes, and for ten it links: time to log in by password first';
  CREATE INDEX facebook_codes_expires_at_idx ON auth.facebook_codes (expires_at);
  CREATE INDEX facebook_codes_facebook_user_id_idx ON auth.facebook_codes (facebook_user_id);

  CREATE TABLE auth.meta_callbacks (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    kind text NOT NULL,
    code_hash text NOT NULL,
    facebook_user_id text,
    received_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT meta_callbacks_kind_check CHECK (kind IN ('deauthorize', 'data-deletion')),
    CONSTRAINT meta_callbacks_facebook_user_id_check CHECK ((facebook_user_id IS NULL) = (finished_at IS NOT NULL)),
    CONSTRAINT meta_callbacks_code_hash_key UNIQUE (code_hash)
  );
  COMMENT ON TABLE auth.meta_callbacks IS 'What Meta told us about a person: they took our app away, or want to be forgotten';
  COMMENT ON COLUMN auth.meta_callbacks.code_hash IS
    'SHA-256 of the confirmation code, which is made of the signed request: the same one again is no second request';
  COMMENT ON COLUMN auth.meta_callbacks.facebook_user_id IS 'Forgotten as soon as the work is done';
`;

const browserLogin = `
  CREATE FUNCTION auth.begin_facebook_login(p_state_hash text, p_return_to text, p_code_challenge text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO auth.facebook_authorizations (state_hash, return_to, code_challenge)
    VALUES (p_state_hash, p_return_to, p_code_challenge)
  $$;

  CREATE FUNCTION auth.use_facebook_state(p_state_hash text) RETURNS TABLE (return_to text, code_challenge text)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM auth.facebook_authorizations a WHERE a.state_hash = p_state_hash AND a.expires_at > now()
    RETURNING a.return_to, a.code_challenge
  $$;
  COMMENT ON FUNCTION auth.use_facebook_state IS 'Single use: of two at once one finds it';

  CREATE FUNCTION auth.keep_facebook_code(
    p_code_hash text, p_code_challenge text, p_facebook_user_id text, p_email public.citext, p_first_name text, p_last_name text
  ) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO auth.facebook_codes (code_hash, code_challenge, facebook_user_id, email, first_name, last_name)
    VALUES (p_code_hash, p_code_challenge, p_facebook_user_id, p_email, p_first_name, p_last_name)
  $$;

  CREATE FUNCTION auth.exchange_facebook_code(p_code_hash text, p_code_challenge text)
    RETURNS TABLE (facebook_user_id text, email text, first_name text, last_name text)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM auth.facebook_codes c
     WHERE c.code_hash = p_code_hash AND c.created_at > now() - interval '2 minutes'
       AND (c.code_challenge IS NULL OR c.code_challenge = p_code_challenge)
    RETURNING c.facebook_user_id, c.email::text, c.first_name, c.last_name
  $$;
  COMMENT ON FUNCTION auth.exchange_facebook_code IS
    'Single use, if what it is used for is committed: a code whose log-in needs a link can still be linked';

  -- Whoever lures somebody into taking a stranger's code must not win their account by it: a code is linked by the app
  -- that knows its verifier, or to the one account that has the address which Facebook told.
  CREATE FUNCTION auth.link_facebook_code(p_code_hash text, p_code_challenge text) RETURNS text
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM auth.facebook_codes c
     WHERE c.code_hash = p_code_hash AND c.expires_at > now()
       AND (c.code_challenge = p_code_challenge
            OR (c.code_challenge IS NULL
                AND c.email OPERATOR(public.=) (SELECT u.email FROM auth.users u WHERE u.id = app.user_id())))
    RETURNING c.facebook_user_id
  $$;
`;

const signIn = `
  -- known: the identity has an account. new: it has one from now on. link-required: its address belongs to an account
  -- that knows nothing of it, and whoever can log in there decides.
  CREATE FUNCTION auth.sign_in_with_facebook(
    p_new_user uuid, p_facebook_user_id text, p_email public.citext, p_first_name text, p_last_name text
  ) RETURNS TABLE (outcome text, user_id uuid) LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user uuid;
  BEGIN
    -- Two first log-ins of one person at once make one account.
    PERFORM pg_advisory_xact_lock(hashtextextended('facebook ' || p_facebook_user_id, 0));
    v_user := (SELECT i.user_id FROM auth.identities i
                WHERE i.provider = 'facebook' AND i.provider_user_id = p_facebook_user_id);
    IF v_user IS NOT NULL THEN
      RETURN QUERY SELECT 'known', v_user;
      RETURN;
    END IF;
    BEGIN
      PERFORM auth.create_user(p_new_user, p_email, NULL, p_first_name, p_last_name, p_email IS NULL);
      INSERT INTO auth.identities (user_id, provider, provider_user_id, email, first_name, last_name)
      VALUES (p_new_user, 'facebook', p_facebook_user_id, p_email, p_first_name, p_last_name);
    EXCEPTION WHEN unique_violation THEN
      -- Its address has an account, unless somebody has linked it with theirs just now.
      v_user := (SELECT i.user_id FROM auth.identities i
                  WHERE i.provider = 'facebook' AND i.provider_user_id = p_facebook_user_id);
      RETURN QUERY SELECT CASE WHEN v_user IS NULL THEN 'link-required' ELSE 'known' END, v_user;
      RETURN;
    END;
    RETURN QUERY SELECT 'new', p_new_user;
  END $$;
  COMMENT ON FUNCTION auth.sign_in_with_facebook IS
    'For an identity that Facebook has proven to the service. A new account is of type patient, with no role anywhere';
`;

const callbacks = `
  CREATE FUNCTION auth.receive_meta_callback(p_kind text, p_code_hash text, p_facebook_user_id text) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO auth.meta_callbacks (kind, code_hash, facebook_user_id) VALUES (p_kind, p_code_hash, p_facebook_user_id)
    ON CONFLICT DO NOTHING RETURNING id
  $$;
  COMMENT ON FUNCTION auth.receive_meta_callback IS 'Null when this very request was received before';

  CREATE FUNCTION auth.meta_callback_state(p_code_hash text) RETURNS TABLE (received_at timestamptz, finished_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT c.received_at, c.finished_at FROM auth.meta_callbacks c
     WHERE c.code_hash = p_code_hash AND c.kind = 'data-deletion'
  $$;

  CREATE FUNCTION auth.forget_facebook_user(p_facebook_user_id text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_gone auth.identities;
  BEGIN
    -- As auth.sign_in_with_facebook does: who logs in at this moment has a session that ends here, or comes as somebody new.
    PERFORM pg_advisory_xact_lock(hashtextextended('facebook ' || p_facebook_user_id, 0));
    DELETE FROM auth.facebook_codes WHERE facebook_user_id = p_facebook_user_id;
    DELETE FROM auth.identities WHERE provider = 'facebook' AND provider_user_id = p_facebook_user_id RETURNING * INTO v_gone;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    -- A name that the person has changed since is theirs, and not Facebook's.
    UPDATE public.profiles
       SET first_name = CASE WHEN first_name = v_gone.first_name THEN '' ELSE first_name END,
           last_name = CASE WHEN last_name = v_gone.last_name THEN '' ELSE last_name END
     WHERE id = v_gone.user_id AND (first_name = v_gone.first_name OR last_name = v_gone.last_name);
    -- With a password the address is what the person logs in with here, and has read our mail at.
    UPDATE auth.users SET email = NULL
     WHERE id = v_gone.user_id AND email OPERATOR(public.=) v_gone.email AND password_hash IS NULL;
    UPDATE auth.sessions s SET revoked_at = now()
     WHERE s.user_id = v_gone.user_id AND s.revoked_at IS NULL
       AND NOT EXISTS (SELECT FROM auth.users u WHERE u.id = s.user_id AND u.password_hash IS NOT NULL)
       AND NOT EXISTS (SELECT FROM auth.identities i WHERE i.user_id = s.user_id);
  END $$;
  COMMENT ON FUNCTION auth.forget_facebook_user IS
    'What came from Facebook goes; without another way in the sessions end as well. SECURITY DEFINER: the service may '
    'change no user but so';
`;

/**
 * A mail that was read proves the address, and what was linked before that may be somebody else's: a person at Facebook
 * with the address of another could else have made that account first, and would come in after the reset as well.
 */
const endIdentities = `
    DELETE FROM auth.identities i USING auth.users u
     WHERE i.user_id = v_user AND u.id = v_user AND u.email_verified_at IS NULL;`;

const resetPassword = (before: string) => `
  CREATE OR REPLACE FUNCTION auth.reset_password(p_hash text, p_password_hash text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user uuid := auth.use_token(p_hash, 'reset-password');
  BEGIN${before}
    -- The token came by mail, so the address is verified too.
    UPDATE auth.users SET password_hash = p_password_hash, email_verified_at = coalesce(email_verified_at, now())
     WHERE id = v_user;
    UPDATE auth.sessions SET revoked_at = now() WHERE user_id = v_user AND revoked_at IS NULL;
    DELETE FROM auth.one_time_tokens WHERE user_id = v_user AND purpose = 'reset-password' AND used_at IS NULL;
    RETURN v_user;
  END $$;
`;

const grants = `
  GRANT EXECUTE ON FUNCTION auth.begin_facebook_login, auth.use_facebook_state, auth.keep_facebook_code,
    auth.exchange_facebook_code, auth.sign_in_with_facebook, auth.receive_meta_callback, auth.meta_callback_state TO anon;
  GRANT EXECUTE ON FUNCTION auth.link_facebook_code TO authenticated, super_admin;
  GRANT EXECUTE ON FUNCTION auth.forget_facebook_user TO service_role;
`;
