import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Rights in an organisation that a role in one of its clinics gives: the staff of the clinics draft what the organisation
 * posts. A request names the least clinic role without naming a clinic, and the organisation in its path.
 */
export class AdmitStaffToOrganisations1795219203900 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(staffedOrganisations);
    await queryRunner.query(beginRequest(staffCheck));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(beginRequest(''));
    await queryRunner.query('DROP FUNCTION app.staffed_organisation_ids(app.clinic_role)');
  }
}

const staffedOrganisations = `
  CREATE FUNCTION app.staffed_organisation_ids(p_minimum app.clinic_role) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
  DECLARE
    v_user uuid := app.user_id();
  BEGIN
    RETURN app.organisation_ids('manager') || ARRAY(
      SELECT DISTINCT c.organisation_id FROM public.user_clinic_roles r JOIN public.clinics c ON c.id = r.clinic_id
       WHERE r.user_id = v_user AND r.is_active AND r.role >= p_minimum AND c.status = 'active');
  END $$;
  COMMENT ON FUNCTION app.staffed_organisation_ids IS
    'Organisations that the caller manages, or in one of whose active clinics the caller has at least that role; '
    'SECURITY DEFINER as app.organisation_ids';
  GRANT EXECUTE ON FUNCTION app.staffed_organisation_ids TO authenticated;
`;

const staffCheck = `
    IF p_organisation IS NOT NULL AND p_clinic IS NULL AND p_clinic_role IS NOT NULL AND p_user_type <> 'admin'
       AND NOT p_organisation = ANY (app.staffed_organisation_ids(p_clinic_role)) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'role-too-low';
    END IF;
`;

/** As migration 1795219200000 has it, with one more check. */
const beginRequest = (check: string): string => `
  CREATE OR REPLACE FUNCTION app.begin_request(
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
${check}
    IF p_user_type = 'admin' THEN
      PERFORM audit.write('access', 'request', NULL, p_organisation, p_clinic, NULL);
      RETURN 'super_admin';
    END IF;
    RETURN 'authenticated';
  END $$;
`;
