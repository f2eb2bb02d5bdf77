import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Schemas, role lattices and the functions that every policy asks: who is calling, and where they belong.
 *
 * The functions read membership from the tables at each statement, so a role that is taken away ends there and then.
 * They are SECURITY DEFINER because a policy on a membership table cannot ask that table under its own policy.
 */
export class CreateTenantContext1795219200000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // The bodies name tables of the auth and clinics modules, which a later migration makes.
    await queryRunner.query(`SET LOCAL check_function_bodies = off`);
    await queryRunner.query(`CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public`);
    await queryRunner.query(schemas);
    await queryRunner.query(identifiers);
    await queryRunner.query(callerFunctions);
    await queryRunner.query(membershipFunctions);
    await queryRunner.query(checks);
    await queryRunner.query(beginRequest);
    await queryRunner.query(beginWork);
    await queryRunner.query(grants);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION app.begin_work(uuid, text, text);
      DROP FUNCTION app.begin_request(uuid, uuid, text, uuid, app.clinic_role, uuid, app.organisation_role, text, inet, text, boolean, boolean, boolean);
      DROP FUNCTION app.require_organisation(uuid, uuid, app.organisation_role, boolean);
      DROP FUNCTION app.require_clinic(uuid, uuid, app.clinic_role, boolean, boolean);
      DROP FUNCTION app.organisation_ids(app.organisation_role);
      DROP FUNCTION app.active_clinic_ids(app.clinic_role);
      DROP FUNCTION app.clinic_ids(app.clinic_role);
      DROP FUNCTION public.update_updated_at_column();
      DROP FUNCTION auth.uid();
      DROP FUNCTION app.user_type();
      DROP FUNCTION app.user_id();
      DROP FUNCTION app.uuid_v7();
      DROP TYPE app.organisation_role;
      DROP TYPE app.clinic_role;
      DROP SCHEMA auth;
      DROP SCHEMA app;
      DROP EXTENSION citext;
      REVOKE USAGE ON SCHEMA public FROM polyclinic_api, anon, authenticated, super_admin, service_role;
      ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
    `);
  }
}

const schemas = `
  CREATE SCHEMA app;
  CREATE SCHEMA auth;
  COMMENT ON SCHEMA app IS 'The request context, and what the kernel keeps for requests';
  COMMENT ON SCHEMA auth IS 'Users and how they prove who they are';
  GRANT USAGE ON SCHEMA app, auth, public TO polyclinic_api, anon, authenticated, super_admin, service_role;
  ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

  CREATE TYPE app.clinic_role AS ENUM ('viewer', 'staff', 'provider', 'clinic_admin');
  COMMENT ON TYPE app.clinic_role IS 'Ascending: whoever has a role has those before it';
  CREATE TYPE app.organisation_role AS ENUM ('member', 'manager', 'owner');
  COMMENT ON TYPE app.organisation_role IS 'Ascending; managers and owners count as clinic_admin in every clinic';
`;

const identifiers = `
  -- RFC 9562 section 5.7: 48 bits of milliseconds, version 7, the rest random. PostgreSQL has it from 18 on only.
  CREATE FUNCTION app.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = '' AS $$
    SELECT encode(
      set_bit(set_bit(
        overlay(pg_catalog.uuid_send(gen_random_uuid())
          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
  $$;
`;

const callerFunctions = `
  -- After a SET LOCAL a pooled session holds '' and not NULL for the setting. These bodies are bound when they are
  -- created, so they need no search path and can be inlined into the policies that ask them.
  CREATE FUNCTION app.user_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.user_id', true), '')::uuid;

  CREATE FUNCTION app.user_type() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.user_type', true), '');

  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.user_id();
  COMMENT ON FUNCTION auth.uid() IS 'The name that policies of the older systems use for app.user_id()';

  CREATE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    NEW.updated_at := clock_timestamp();
    IF to_jsonb(NEW) ? 'updated_by' THEN
      NEW.updated_by := coalesce(app.user_id(), NEW.updated_by);
    END IF;
    RETURN NEW;
  END $$;
`;

const membershipFunctions = `
  -- plpgsql keeps their plans from one transaction to the next, which functions in SQL do from version 18 on only; and it
  -- keeps them generic: planning anew for each role or clinic takes several times as long as running the plan.
  CREATE FUNCTION app.clinic_ids(p_minimum app.clinic_role DEFAULT 'viewer') RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_user uuid := app.user_id();
    v_clinics uuid[] := ARRAY(
      SELECT r.clinic_id FROM public.user_clinic_roles r WHERE r.user_id = v_user AND r.is_active AND r.role >= p_minimum);
    v_managed uuid[] := app.organisation_ids('manager');
  BEGIN
    -- Most people manage no organisation: asking for both in one statement takes twice as long.
    IF cardinality(v_managed) > 0 THEN
      v_clinics := v_clinics || ARRAY(SELECT c.id FROM public.clinics c WHERE c.organisation_id = ANY (v_managed));
    END IF;
    RETURN v_clinics;
  END $$;
  COMMENT ON FUNCTION app.clinic_ids IS
    'Where the caller has an active role of at least that rank; managers of its organisation are clinic_admin of a clinic';

  CREATE FUNCTION app.active_clinic_ids(p_minimum app.clinic_role DEFAULT 'viewer') RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_clinics uuid[] := app.clinic_ids(p_minimum);
  BEGIN
    RETURN ARRAY(SELECT c.id FROM public.clinics c WHERE c.id = ANY (v_clinics) AND c.status = 'active');
  END $$;

  CREATE FUNCTION app.organisation_ids(p_minimum app.organisation_role DEFAULT NULL) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_user uuid := app.user_id();
  BEGIN
    IF p_minimum IS NOT NULL THEN
      RETURN ARRAY(SELECT m.organisation_id FROM public.organisation_members m WHERE m.user_id = v_user AND m.role >= p_minimum);
    END IF;
    RETURN ARRAY(
      SELECT m.organisation_id FROM public.organisation_members m WHERE m.user_id = v_user
      UNION
      SELECT c.organisation_id FROM public.user_clinic_roles r JOIN public.clinics c ON c.id = r.clinic_id
       WHERE r.user_id = v_user AND r.is_active);
  END $$;
  COMMENT ON FUNCTION app.organisation_ids IS 'Without a minimum: also those in whose clinics the caller has a role';
`;

const checks = `
  -- 404 for a clinic that is not there and for one that is not the caller's: they must look the same.
  CREATE FUNCTION app.require_clinic(
    p_user uuid, p_clinic uuid, p_minimum app.clinic_role, p_everywhere boolean, p_needs_active boolean
  ) RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_status text;
    v_role app.clinic_role;
  BEGIN
    SELECT c.status, greatest(r.role, CASE WHEN m.role >= 'manager' THEN 'clinic_admin'::app.clinic_role END)
      INTO v_status, v_role
      FROM public.clinics c
      LEFT JOIN public.user_clinic_roles r ON r.clinic_id = c.id AND r.user_id = p_user AND r.is_active
      LEFT JOIN public.organisation_members m ON m.organisation_id = c.organisation_id AND m.user_id = p_user
     WHERE c.id = p_clinic;
    IF NOT FOUND OR (v_role IS NULL AND NOT p_everywhere) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC404', MESSAGE = 'not-found';
    END IF;
    IF NOT p_everywhere AND v_role < p_minimum THEN
      RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'role-too-low';
    END IF;
    IF p_needs_active AND v_status <> 'active' THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'clinic-inactive';
    END IF;
  END $$;

  CREATE FUNCTION app.require_organisation(
    p_user uuid, p_organisation uuid, p_minimum app.organisation_role, p_everywhere boolean
  ) RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_role app.organisation_role;
    v_is_related boolean;
  BEGIN
    SELECT m.role, m.role IS NOT NULL OR EXISTS (
             SELECT FROM public.user_clinic_roles r JOIN public.clinics c ON c.id = r.clinic_id
              WHERE c.organisation_id = o.id AND r.user_id = p_user AND r.is_active)
      INTO v_role, v_is_related
      FROM public.organisations o
      LEFT JOIN public.organisation_members m ON m.organisation_id = o.id AND m.user_id = p_user
     WHERE o.id = p_organisation;
    IF NOT FOUND OR NOT (v_is_related OR p_everywhere) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC404', MESSAGE = 'not-found';
    END IF;
    IF NOT p_everywhere AND p_minimum IS NOT NULL AND (v_role IS NULL OR v_role < p_minimum) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'role-too-low';
    END IF;
  END $$;
`;

const beginRequest = `
  CREATE FUNCTION app.begin_request(
    p_user uuid, p_session uuid, p_user_type text,
    p_clinic uuid, p_clinic_role app.clinic_role,
    p_organisation uuid, p_organisation_role app.organisation_role,
    p_request_id text, p_address inet, p_route text,
    p_writes boolean, p_needs_verified boolean, p_allows_inactive boolean
  ) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_caller record;
  BEGIN
    PERFORM set_config('app.user_id', coalesce(p_user::text, ''), true),
            set_config('app.user_type', coalesce(p_user_type, ''), true),
            set_config('app.session_id', coalesce(p_session::text, ''), true),
            set_config('app.clinic_id', coalesce(p_clinic::text, ''), true),
            set_config('app.request_id', p_request_id, true),
            set_config('app.address', coalesce(host(p_address), ''), true),
            set_config('app.route', p_route, true);
    IF p_user IS NULL THEN
      RETURN 'anon';
    END IF;

    SELECT s.revoked_at IS NULL AND s.expires_at > now() AS is_live, u.disabled_at, u.email_verified_at, p.user_type
      INTO v_caller
      FROM auth.sessions s
      JOIN auth.users u ON u.id = s.user_id
      JOIN public.profiles p ON p.id = u.id
     WHERE s.id = p_session AND s.user_id = p_user;
    IF NOT FOUND OR NOT v_caller.is_live THEN
      RAISE EXCEPTION USING ERRCODE = 'PC401', MESSAGE = 'session-ended';
    ELSIF v_caller.disabled_at IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'PC401', MESSAGE = 'user-disabled';
    ELSIF v_caller.user_type IS DISTINCT FROM p_user_type THEN
      RAISE EXCEPTION USING ERRCODE = 'PC401', MESSAGE = 'token-outdated';
    ELSIF p_needs_verified AND v_caller.email_verified_at IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'email-unverified';
    END IF;

    IF p_clinic IS NOT NULL THEN
      PERFORM app.require_clinic(p_user, p_clinic, p_clinic_role, p_user_type = 'admin', p_writes AND NOT p_allows_inactive);
    END IF;
    IF p_organisation IS NOT NULL THEN
      PERFORM app.require_organisation(p_user, p_organisation, p_organisation_role, p_user_type = 'admin');
    END IF;

    IF p_user_type = 'admin' THEN
      PERFORM audit.write('access', 'request', NULL, p_organisation, p_clinic, NULL);
      RETURN 'super_admin';
    END IF;
    RETURN 'authenticated';
  END $$;
  COMMENT ON FUNCTION app.begin_request IS
    'Checks session, user and role, sets the context for this transaction and answers the database role to drop to. '
    'Raises PC401, PC403, PC404 or PC409 with the problem code as its message.';
`;

const beginWork = `
  CREATE FUNCTION app.begin_work(p_user uuid, p_reason text, p_request_id text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user_type text;
  BEGIN
    IF p_user IS NOT NULL THEN
      SELECT p.user_type INTO v_user_type FROM auth.users u JOIN public.profiles p ON p.id = u.id
       WHERE u.id = p_user AND u.disabled_at IS NULL;
      IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PC401', MESSAGE = 'user-disabled';
      END IF;
    END IF;
    PERFORM set_config('app.user_id', coalesce(p_user::text, ''), true),
            set_config('app.user_type', coalesce(v_user_type, ''), true),
            set_config('app.session_id', '', true),
            set_config('app.clinic_id', '', true),
            set_config('app.request_id', p_request_id, true),
            set_config('app.address', '', true),
            set_config('app.route', p_reason, true);
    RETURN CASE WHEN p_user IS NULL THEN 'service_role' WHEN v_user_type = 'admin' THEN 'super_admin' ELSE 'authenticated' END;
  END $$;
  COMMENT ON FUNCTION app.begin_work IS 'begin_request for work outside a request: the service itself, or one user';
`;

const grants = `
  GRANT EXECUTE ON FUNCTION app.begin_request, app.begin_work TO polyclinic_api;
  GRANT EXECUTE ON FUNCTION app.uuid_v7, app.user_id, app.user_type, auth.uid,
    public.update_updated_at_column TO polyclinic_api, anon, authenticated, super_admin, service_role;
  GRANT EXECUTE ON FUNCTION app.clinic_ids, app.active_clinic_ids, app.organisation_ids TO authenticated;
`;
