import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Where the caller's effective role is one of those named, for rights that a rank does not give: staff enter calls,
 * providers, who rank above them, do not.
 */
export class AddClinicsByExactRole1795219202990 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE FUNCTION app.active_clinic_ids_as(p_roles app.clinic_role[]) RETURNS uuid[]
        LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET plan_cache_mode = force_generic_plan AS $$
      DECLARE
        v_user uuid := app.user_id();
        v_clinics uuid[] := app.clinic_ids('viewer');
        v_managed uuid[] := app.organisation_ids('manager');
      BEGIN
        RETURN ARRAY(
          SELECT c.id
            FROM public.clinics c
            LEFT JOIN public.user_clinic_roles r ON r.clinic_id = c.id AND r.user_id = v_user AND r.is_active
           WHERE c.id = ANY (v_clinics) AND c.status = 'active'
             AND CASE WHEN c.organisation_id = ANY (v_managed) THEN 'clinic_admin' ELSE r.role END = ANY (p_roles));
      END $$;
      COMMENT ON FUNCTION app.active_clinic_ids_as IS
        'Active clinics in which the effective role of the caller is one of these; SECURITY DEFINER as app.clinic_ids';
      GRANT EXECUTE ON FUNCTION app.active_clinic_ids_as TO authenticated;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP FUNCTION app.active_clinic_ids_as(app.clinic_role[])');
  }
}
