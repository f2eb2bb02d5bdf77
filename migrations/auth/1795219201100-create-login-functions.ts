import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What somebody may do before a session exists, one small function each. They are SECURITY DEFINER because `anon` has no
 * right on any table of this schema; each takes and gives the least that its step needs, and never a hash of a token.
 */
export class CreateLoginFunctions1795219201100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(registration);
    await queryRunner.query(sessions);
    await queryRunner.query(oneTimeTokens);
    await queryRunner.query(passwords);
    await queryRunner.query(grants);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION auth.change_password(text);
      DROP FUNCTION auth.own_password_hash();
      DROP FUNCTION auth.renew_password_hash(uuid, text, text);
      DROP FUNCTION auth.reset_password(text, text);
      DROP FUNCTION auth.token_email(text, text);
      DROP FUNCTION auth.verify_email(text);
      DROP FUNCTION auth.use_token(text, text);
      DROP FUNCTION auth.rotate_session(uuid, text, text, text, inet, integer);
      DROP FUNCTION auth.open_session(uuid, uuid, text, text, inet, integer);
      DROP FUNCTION auth.credentials(public.citext);
      DROP FUNCTION auth.register(uuid, public.citext, text, text, text);
      DROP FUNCTION auth.create_user(uuid, public.citext, text, text, text, boolean);
    `);
  }
}

const registration = `
  CREATE FUNCTION auth.create_user(
    p_id uuid, p_email public.citext, p_password_hash text, p_first_name text, p_last_name text, p_verified boolean
  ) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    INSERT INTO auth.users (id, email, password_hash, email_verified_at)
    VALUES (p_id, p_email, p_password_hash, CASE WHEN p_verified THEN now() END);
    -- The trigger has made the profile, of type patient: sign-up data names no type, no role and no clinic.
    UPDATE public.profiles SET first_name = p_first_name, last_name = p_last_name WHERE id = p_id;
    RETURN p_id;
  END $$;
  COMMENT ON FUNCTION auth.create_user IS 'For other definer functions alone: granted to no role of the API';

  CREATE FUNCTION auth.register(
    p_id uuid, p_email public.citext, p_password_hash text, p_first_name text, p_last_name text
  ) RETURNS TABLE (user_id uuid, is_new boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    PERFORM auth.create_user(p_id, p_email, p_password_hash, p_first_name, p_last_name, false);
    RETURN QUERY SELECT p_id, true;
  EXCEPTION WHEN unique_violation THEN
    RETURN QUERY SELECT u.id, false FROM auth.users u WHERE u.email OPERATOR(public.=) p_email;
  END $$;
  COMMENT ON FUNCTION auth.register IS 'A new patient, or the id of the account that has the address already';
`;

const sessions = `
  CREATE FUNCTION auth.credentials(p_email public.citext)
    RETURNS TABLE (user_id uuid, password_hash text, is_disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT u.id, u.password_hash, u.disabled_at IS NOT NULL FROM auth.users u WHERE u.email OPERATOR(public.=) p_email
  $$;

  CREATE FUNCTION auth.open_session(
    p_id uuid, p_user uuid, p_refresh_hash text, p_user_agent text, p_address inet, p_ttl_days integer
  ) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user_type text;
  BEGIN
    UPDATE auth.users SET last_login_at = now() WHERE id = p_user AND disabled_at IS NULL;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    INSERT INTO auth.sessions (id, user_id, refresh_hash, user_agent, address, expires_at)
    VALUES (p_id, p_user, p_refresh_hash, p_user_agent, p_address, now() + make_interval(days => p_ttl_days));
    SELECT p.user_type INTO v_user_type FROM public.profiles p WHERE p.id = p_user;
    RETURN v_user_type;
  END $$;
  COMMENT ON FUNCTION auth.open_session IS 'Answers the user''s type; null when the user is gone or disabled';

  -- rotated: the token was current. again: the same client asks once more for the answer it lost. reused: an old token
  -- came back, so somebody else has it, and the family ends. ended: no such session, or it is over.
  CREATE FUNCTION auth.rotate_session(
    p_id uuid, p_presented text, p_next text, p_user_agent text, p_address inet, p_ttl_days integer
  ) RETURNS TABLE (outcome text, user_id uuid, user_type text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_session auth.sessions;
    v_outcome text;
  BEGIN
    SELECT s.* INTO v_session FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
     WHERE s.id = p_id AND u.disabled_at IS NULL FOR UPDATE OF s;
    IF NOT FOUND OR v_session.revoked_at IS NOT NULL OR v_session.expires_at <= now() THEN
      v_outcome := 'ended';
    ELSIF v_session.refresh_hash = p_presented THEN
      v_outcome := 'rotated';
      UPDATE auth.sessions
         SET previous_refresh_hash = refresh_hash, refresh_hash = p_next, refreshed_at = clock_timestamp(),
             user_agent = p_user_agent, address = p_address, expires_at = now() + make_interval(days => p_ttl_days)
       WHERE id = p_id;
    ELSIF v_session.previous_refresh_hash = p_presented AND v_session.refresh_hash = p_next
      AND v_session.refreshed_at > clock_timestamp() - interval '10 seconds'
      AND v_session.user_agent IS NOT DISTINCT FROM p_user_agent AND v_session.address IS NOT DISTINCT FROM p_address THEN
      v_outcome := 'again';
    ELSE
      v_outcome := 'reused';
      UPDATE auth.sessions SET revoked_at = now() WHERE id = p_id;
      PERFORM audit.write('refuse', 'auth.sessions', p_id::text, NULL, NULL,
                          jsonb_build_object('reason', jsonb_build_array(NULL, 'refresh token used twice')));
    END IF;
    RETURN QUERY SELECT v_outcome, v_session.user_id, (SELECT p.user_type FROM public.profiles p WHERE p.id = v_session.user_id);
  END $$;
`;

const oneTimeTokens = `
  CREATE FUNCTION auth.use_token(p_hash text, p_purpose text) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE auth.one_time_tokens SET used_at = now()
     WHERE token_hash = p_hash AND purpose = p_purpose AND used_at IS NULL AND expires_at > now()
    RETURNING user_id
  $$;
  COMMENT ON FUNCTION auth.use_token IS 'Single use: of two at once, one waits for the other and finds it used. Granted to nobody';

  CREATE FUNCTION auth.verify_email(p_hash text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user uuid := auth.use_token(p_hash, 'verify-email');
  BEGIN
    UPDATE auth.users SET email_verified_at = coalesce(email_verified_at, now()) WHERE id = v_user;
    RETURN v_user;
  END $$;

  CREATE FUNCTION auth.token_email(p_hash text, p_purpose text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT u.email::text FROM auth.one_time_tokens t JOIN auth.users u ON u.id = t.user_id
     WHERE t.token_hash = p_hash AND t.purpose = p_purpose AND t.used_at IS NULL AND t.expires_at > now()
  $$;
  COMMENT ON FUNCTION auth.token_email IS 'The address that a live token was mailed to: whoever has the token has read that mail';
`;

const passwords = `
  CREATE FUNCTION auth.reset_password(p_hash text, p_password_hash text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user uuid := auth.use_token(p_hash, 'reset-password');
  BEGIN
    -- The token came by mail, so the address is verified too.
    UPDATE auth.users SET password_hash = p_password_hash, email_verified_at = coalesce(email_verified_at, now())
     WHERE id = v_user;
    UPDATE auth.sessions SET revoked_at = now() WHERE user_id = v_user AND revoked_at IS NULL;
    DELETE FROM auth.one_time_tokens WHERE user_id = v_user AND purpose = 'reset-password' AND used_at IS NULL;
    RETURN v_user;
  END $$;

  CREATE FUNCTION auth.renew_password_hash(p_user uuid, p_old text, p_new text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE auth.users SET password_hash = p_new WHERE id = p_user AND password_hash = p_old
  $$;
  COMMENT ON FUNCTION auth.renew_password_hash IS 'The same password under today''s settings; needs the old hash, so it sets no other';

  CREATE FUNCTION auth.own_password_hash() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT password_hash FROM auth.users WHERE id = app.user_id()
  $$;

  CREATE FUNCTION auth.change_password(p_password_hash text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    UPDATE auth.users SET password_hash = p_password_hash WHERE id = app.user_id();
    UPDATE auth.sessions SET revoked_at = now()
     WHERE user_id = app.user_id() AND revoked_at IS NULL
       AND id <> nullif(current_setting('app.session_id', true), '')::uuid;
    DELETE FROM auth.one_time_tokens WHERE user_id = app.user_id() AND purpose = 'reset-password' AND used_at IS NULL;
  END $$;
  COMMENT ON FUNCTION auth.change_password IS 'The caller''s own; all their other sessions end';
`;

const grants = `
  GRANT EXECUTE ON FUNCTION auth.register, auth.credentials, auth.open_session, auth.rotate_session,
    auth.renew_password_hash, auth.reset_password, auth.verify_email, auth.token_email TO anon;
  GRANT EXECUTE ON FUNCTION auth.own_password_hash, auth.change_password TO authenticated, super_admin;
`;
