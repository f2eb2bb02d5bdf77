import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
  both,
  clinicRows,
  declareAccess,
  either,
  everyRow,
  everything,
  organisationRows,
  ownRows,
  relatedOrganisationRows,
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * Organisations, their clinics, and who has which role there: what every tenant decision is read from.
 *
 * People are referred to by their profile, which stays when the user is deleted.
 */
export class CreateOrganisationsAndClinics1795219202000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(organisations);
    await queryRunner.query(clinics);
    await queryRunner.query(roles);
    for (const table of ['organisations', 'organisation_members', 'clinics', 'user_clinic_roles']) {
      await touchUpdatedAt(queryRunner, `public.${table}`);
    }
    await this.declareAccess(queryRunner);
    await queryRunner.query(founding);
    await queryRunner.query(lastAdministrators);
    await queryRunner.query(clinicRules);
    await queryRunner.query(profileRules);
    await queryRunner.query(olderNames);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION public.check_clinic_access(uuid, uuid, text), public.is_clinic_admin(uuid),
        public.has_clinic_access(uuid), public.get_user_clinics();
      DROP TRIGGER end_clinic_roles ON public.profiles;
      ALTER TABLE public.profiles DROP CONSTRAINT profiles_default_clinic_id_fkey;
      DROP INDEX public.profiles_default_clinic_id_idx;
      DROP TABLE public.user_clinic_roles, public.clinics, public.organisation_members, public.organisations;
      DROP FUNCTION app.end_clinic_roles(), app.keep_day_and_currency(), app.keep_last_clinic_admin(),
        app.keep_last_owner(), app.found_organisation();
    `);
  }

  private async declareAccess(queryRunner: QueryRunner): Promise<void> {
    await declareAccess(queryRunner, {
      table: 'public.organisations',
      access: {
        authenticated: {
          select: { rows: relatedOrganisationRows('id') },
          insert: { rows: ownRows('created_by'), columns: ['id', 'name', 'slug', 'created_by'] },
          update: { rows: organisationRows('id', 'manager'), columns: ['name', 'slug'] },
          delete: { rows: organisationRows('id', 'owner') },
        },
        super_admin: everything,
        service_role: { select: { rows: everyRow } },
      },
      audit: { organisation: 'id' },
    });

    // Nobody grants a role above their own, or touches somebody who has one: only owners make and unmake owners.
    const grantable = either(
      both(organisationRows('organisation_id', 'manager'), `role < 'owner'`),
      organisationRows('organisation_id', 'owner'),
    );
    await declareAccess(queryRunner, {
      table: 'public.organisation_members',
      access: {
        authenticated: {
          select: { rows: organisationRows('organisation_id', 'member') },
          insert: { rows: grantable, columns: ['organisation_id', 'user_id', 'role', 'created_by'] },
          update: { rows: grantable, columns: ['role'] },
          delete: { rows: either(grantable, ownRows('user_id')) },
        },
        super_admin: everything,
      },
      audit: { organisation: 'organisation_id' },
    });

    await declareAccess(queryRunner, {
      table: 'public.clinics',
      access: {
        authenticated: {
          select: { rows: clinicRows('id', 'viewer') },
          insert: {
            rows: organisationRows('organisation_id', 'manager'),
            columns: ['id', 'organisation_id', 'name', 'location', 'time_zone', 'currency', 'created_by'],
          },
          update: {
            rows: clinicRows('id', 'clinic_admin'),
            columns: ['name', 'location', 'time_zone', 'currency', 'status'],
          },
          delete: { rows: organisationRows('organisation_id', 'manager') },
        },
        super_admin: everything,
        service_role: { select: { rows: everyRow } },
      },
      audit: { clinic: 'id', organisation: 'organisation_id' },
    });

    const administered = activeClinicRows('clinic_id', 'clinic_admin');
    await declareAccess(queryRunner, {
      table: 'public.user_clinic_roles',
      access: {
        authenticated: {
          select: { rows: clinicRows('clinic_id', 'viewer') },
          insert: { rows: administered, columns: ['clinic_id', 'user_id', 'role', 'created_by'] },
          update: { rows: administered, columns: ['role', 'is_active'] },
          delete: { rows: either(administered, ownRows('user_id')) },
        },
        super_admin: everything,
      },
      audit: { clinic: 'clinic_id' },
    });
  }
}

const organisations = `
  CREATE TABLE public.organisations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    name text NOT NULL,
    slug text NOT NULL,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organisations_slug_key UNIQUE (slug),
    CONSTRAINT organisations_slug_check CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80),
    CONSTRAINT organisations_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.profiles (id),
    CONSTRAINT organisations_updated_by_fkey FOREIGN KEY (updated_by) REFERENCES public.profiles (id)
  );
  COMMENT ON TABLE public.organisations IS 'Owns clinics; its owners and managers administer all of them';

  CREATE TABLE public.organisation_members (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role app.organisation_role NOT NULL,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organisation_members_user_id_key UNIQUE (organisation_id, user_id),
    CONSTRAINT organisation_members_organisation_id_fkey
      FOREIGN KEY (organisation_id) REFERENCES public.organisations (id) ON DELETE CASCADE,
    CONSTRAINT organisation_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles (id)
  );
  COMMENT ON TABLE public.organisation_members IS 'Who belongs to an organisation; managers and owners administer its clinics';
  CREATE INDEX organisation_members_user_id_idx ON public.organisation_members (user_id, role);
`;

const clinics = `
  CREATE TABLE public.clinics (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    name text NOT NULL,
    location text,
    time_zone text NOT NULL,
    currency text NOT NULL,
    status text NOT NULL DEFAULT 'active',
    legacy_id text,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT clinics_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES public.organisations (id),
    CONSTRAINT clinics_organisation_id_id_key UNIQUE (organisation_id, id),
    CONSTRAINT clinics_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT clinics_status_check CHECK (status IN ('active', 'inactive')),
    CONSTRAINT clinics_currency_check CHECK (currency ~ '^[A-Z]{3}$')
  );
  COMMENT ON TABLE public.clinics IS 'The tenant of metrics, goals and members';
  COMMENT ON COLUMN public.clinics.time_zone IS 'IANA; a business day is a day of this zone';
  COMMENT ON COLUMN public.clinics.currency IS 'ISO 4217; of every amount that names no other';
  COMMENT ON COLUMN public.clinics.status IS 'An inactive clinic can be read, not changed';
`;

const roles = `
  CREATE TABLE public.user_clinic_roles (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role app.clinic_role NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_clinic_roles_user_id_key UNIQUE (clinic_id, user_id),
    CONSTRAINT user_clinic_roles_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT user_clinic_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles (id)
  );
  COMMENT ON TABLE public.user_clinic_roles IS 'One role per person and clinic; an inactive one counts for nothing';
  -- What app.clinic_ids asks at each statement of a request.
  CREATE INDEX user_clinic_roles_user_id_idx ON public.user_clinic_roles (user_id) INCLUDE (clinic_id, role) WHERE is_active;
`;

const founding = `
  CREATE FUNCTION app.found_organisation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF NEW.created_by IS NOT NULL THEN
      INSERT INTO public.organisation_members (organisation_id, user_id, role, created_by)
      VALUES (NEW.id, NEW.created_by, 'owner', NEW.created_by);
    END IF;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.found_organisation IS
    'The creator becomes the owner. SECURITY DEFINER: no policy lets a person make themself an owner';
  CREATE TRIGGER found_organisation AFTER INSERT ON public.organisations
    FOR EACH ROW EXECUTE FUNCTION app.found_organisation();
`;

const lastAdministrators = `
  -- The lock on the parent makes two who demote each other wait for one another; the second then finds itself the last.
  -- A parent that is gone is being deleted with its members; a person who is deleted leaves whatever it costs.
  CREATE FUNCTION app.keep_last_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF OLD.role = 'owner' AND (TG_OP = 'DELETE' OR NEW.role < 'owner') THEN
      PERFORM FROM public.organisations o WHERE o.id = OLD.organisation_id FOR UPDATE;
      IF FOUND AND NOT EXISTS (SELECT FROM public.profiles p WHERE p.id = OLD.user_id AND p.deleted_at IS NOT NULL)
         AND NOT EXISTS (SELECT FROM public.organisation_members m
                          WHERE m.organisation_id = OLD.organisation_id AND m.role = 'owner' AND m.id <> OLD.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'last-admin';
      END IF;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  END $$;
  CREATE TRIGGER keep_last_owner BEFORE UPDATE OR DELETE ON public.organisation_members
    FOR EACH ROW EXECUTE FUNCTION app.keep_last_owner();

  CREATE FUNCTION app.keep_last_clinic_admin() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF OLD.role = 'clinic_admin' AND OLD.is_active
       AND (TG_OP = 'DELETE' OR NEW.role < 'clinic_admin' OR NOT NEW.is_active) THEN
      PERFORM FROM public.clinics c WHERE c.id = OLD.clinic_id FOR UPDATE;
      IF FOUND AND NOT EXISTS (SELECT FROM public.profiles p WHERE p.id = OLD.user_id AND p.deleted_at IS NOT NULL)
         AND NOT EXISTS (SELECT FROM public.user_clinic_roles r
                          WHERE r.clinic_id = OLD.clinic_id AND r.role = 'clinic_admin' AND r.is_active AND r.id <> OLD.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'last-admin';
      END IF;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  END $$;
  CREATE TRIGGER keep_last_clinic_admin BEFORE UPDATE OR DELETE ON public.user_clinic_roles
    FOR EACH ROW EXECUTE FUNCTION app.keep_last_clinic_admin();
`;

const clinicRules = `
  CREATE FUNCTION app.keep_day_and_currency() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF app.clinic_has_facts(OLD.id) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'clinic-has-facts';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.keep_day_and_currency IS 'Facts were counted in days of this zone and in this currency';
  CREATE TRIGGER keep_day_and_currency BEFORE UPDATE OF time_zone, currency ON public.clinics
    FOR EACH ROW WHEN (NEW.time_zone <> OLD.time_zone OR NEW.currency <> OLD.currency)
    EXECUTE FUNCTION app.keep_day_and_currency();
`;

const profileRules = `
  ALTER TABLE public.profiles ADD CONSTRAINT profiles_default_clinic_id_fkey
    FOREIGN KEY (default_clinic_id) REFERENCES public.clinics (id) ON DELETE SET NULL;
  CREATE INDEX profiles_default_clinic_id_idx ON public.profiles (default_clinic_id) WHERE default_clinic_id IS NOT NULL;

  CREATE FUNCTION app.end_clinic_roles() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    UPDATE public.user_clinic_roles SET is_active = false WHERE user_id = NEW.id AND is_active;
    DELETE FROM public.organisation_members WHERE user_id = NEW.id;
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.end_clinic_roles IS 'Whoever is deleted has no role anywhere';
  CREATE TRIGGER end_clinic_roles AFTER UPDATE OF deleted_at ON public.profiles
    FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL) EXECUTE FUNCTION app.end_clinic_roles();
`;

const olderNames = `
  CREATE FUNCTION public.get_user_clinics() RETURNS SETOF uuid LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT unnest(app.clinic_ids('viewer'))
  $$;
  CREATE FUNCTION public.has_clinic_access(p_clinic uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT p_clinic = ANY (app.clinic_ids('viewer'))
  $$;
  CREATE FUNCTION public.is_clinic_admin(p_clinic uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT p_clinic = ANY (app.clinic_ids('clinic_admin'))
  $$;
  COMMENT ON FUNCTION public.has_clinic_access IS 'For callers of the older systems; a policy never asks per row';

  CREATE FUNCTION public.check_clinic_access(p_user uuid, p_clinic uuid, p_required_role text)
    RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    PERFORM app.require_clinic(p_user, p_clinic, p_required_role::app.clinic_role, false, false);
    RETURN true;
  EXCEPTION WHEN SQLSTATE 'PC403' OR SQLSTATE 'PC404' THEN
    RETURN false;
  END $$;
  COMMENT ON FUNCTION public.check_clinic_access IS
    'SECURITY DEFINER and for service_role alone: it answers for anybody, which no user may ask';
  GRANT EXECUTE ON FUNCTION public.get_user_clinics, public.has_clinic_access, public.is_clinic_admin TO authenticated;
  GRANT EXECUTE ON FUNCTION public.check_clinic_access TO service_role;
`;
