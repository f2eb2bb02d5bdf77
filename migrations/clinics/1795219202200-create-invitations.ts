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
} from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/** How new people come into clinics and organisations. */
export class CreateInvitations1795219202200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(invitations);
    await touchUpdatedAt(queryRunner, 'public.invitations');
    await this.declareAccess(queryRunner);
    await queryRunner.query(lookingUp);
    await queryRunner.query(accepting);
    await queryRunner.query(ending);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TRIGGER end_invitations ON public.organisation_members;
      DROP TRIGGER end_invitations ON public.user_clinic_roles;
      DROP TRIGGER end_invitations_of_demoted ON public.organisation_members;
      DROP TRIGGER end_invitations_of_demoted ON public.user_clinic_roles;
      DROP FUNCTION app.end_invitations();
      DROP TRIGGER make_room ON public.invitations;
      DROP FUNCTION app.make_room_for_invitation();
      DROP FUNCTION app.accept_invitation(text, uuid, uuid, text, text, text);
      DROP FUNCTION app.grant_invited_role(public.invitations, uuid);
      DROP FUNCTION app.invited_account(public.invitations, uuid, text, text, text);
      DROP FUNCTION app.is_inviter_entitled(public.invitations);
      DROP FUNCTION app.invitation_address(text);
      DROP FUNCTION app.find_person(public.citext, uuid, uuid, uuid);
      DROP TABLE public.invitations;
    `);
  }

  private async declareAccess(queryRunner: QueryRunner): Promise<void> {
    // As with members: nobody invites to a role above their own.
    const ofOrganisation = either(
      both(organisationRows('organisation_id', 'manager'), `organisation_role < 'owner'`),
      organisationRows('organisation_id', 'owner'),
    );
    const grantable = either(activeClinicRows('clinic_id', 'clinic_admin'), ofOrganisation);
    const visible = [
      ...['id', 'clinic_id', 'organisation_id', 'email', 'clinic_role', 'organisation_role', 'expires_at', 'sent_at'],
      ...['accepted_at', 'revoked_at', 'created_by', 'updated_by', 'created_at', 'updated_at'],
    ];
    await declareAccess(queryRunner, {
      table: 'public.invitations',
      access: {
        authenticated: {
          select: { rows: either(clinicRows('clinic_id', 'clinic_admin'), ofOrganisation), columns: visible },
          insert: {
            rows: grantable,
            columns: [
              'id',
              'clinic_id',
              'organisation_id',
              'email',
              'clinic_role',
              'organisation_role',
              'expires_at',
              'created_by',
            ],
          },
          update: { rows: grantable, columns: ['revoked_at'] },
        },
        super_admin: {
          select: { rows: everyRow, columns: visible },
          insert: everything.insert,
          update: { rows: everyRow, columns: ['revoked_at'] },
        },
        service_role: {
          select: { rows: everyRow, columns: visible },
          update: { rows: everyRow, columns: ['token_hash', 'sent_at'] },
        },
      },
      audit: { clinic: 'clinic_id', organisation: 'organisation_id', masked: ['token_hash'] },
    });
  }
}

const invitations = `
  CREATE TABLE public.invitations (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid,
    organisation_id uuid,
    email public.citext NOT NULL,
    clinic_role app.clinic_role,
    organisation_role app.organisation_role,
    token_hash text,
    expires_at timestamptz NOT NULL,
    sent_at timestamptz,
    accepted_at timestamptz,
    revoked_at timestamptz,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invitations_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT invitations_organisation_id_fkey
      FOREIGN KEY (organisation_id) REFERENCES public.organisations (id) ON DELETE CASCADE,
    CONSTRAINT invitations_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.profiles (id),
    CONSTRAINT invitations_token_hash_key UNIQUE (token_hash),
    CONSTRAINT invitations_clinic_role_check CHECK (
      (clinic_id IS NOT NULL AND clinic_role IS NOT NULL AND organisation_id IS NULL AND organisation_role IS NULL)
      OR (organisation_id IS NOT NULL AND organisation_role IS NOT NULL AND clinic_id IS NULL AND clinic_role IS NULL)),
    CONSTRAINT invitations_accepted_at_check CHECK (accepted_at IS NULL OR revoked_at IS NULL)
  );
  COMMENT ON TABLE public.invitations IS 'To a clinic or to an organisation; pending until accepted, revoked or expired';
  COMMENT ON COLUMN public.invitations.token_hash IS 'SHA-256 of the token in the mail; null until it was sent';
  -- One pending invitation per address and tenant.
  CREATE UNIQUE INDEX invitations_clinic_id_email_key ON public.invitations (clinic_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL AND clinic_id IS NOT NULL;
  CREATE UNIQUE INDEX invitations_organisation_id_email_key ON public.invitations (organisation_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL AND organisation_id IS NOT NULL;
  CREATE INDEX invitations_clinic_id_idx ON public.invitations (clinic_id, id);
  CREATE INDEX invitations_organisation_id_idx ON public.invitations (organisation_id, id);
`;

const lookingUp = `
  CREATE FUNCTION app.find_person(p_email public.citext, p_user uuid, p_clinic uuid, p_organisation uuid)
    RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF app.user_type() IS DISTINCT FROM 'admin'
       AND NOT coalesce(p_clinic = ANY (app.clinic_ids('clinic_admin')), false)
       AND NOT coalesce(p_organisation = ANY (app.organisation_ids('manager')), false) THEN
      RETURN NULL;
    END IF;
    RETURN (SELECT p.id FROM public.profiles p
             WHERE p.deleted_at IS NULL AND (p.id = p_user OR p.email OPERATOR(public.=) p_email));
  END $$;
  COMMENT ON FUNCTION app.find_person IS
    'Whether somebody has an account, for whoever may add members to the named tenant. SECURITY DEFINER: a stranger''s '
    'profile is hidden by policy until they belong together; nothing but the id is told';
  GRANT EXECUTE ON FUNCTION app.find_person TO authenticated, super_admin;
`;

const accepting = `
  CREATE FUNCTION app.invitation_address(p_token_hash text) RETURNS TABLE (email text, is_proven boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT i.email::text, EXISTS (SELECT FROM auth.users u
                                   WHERE u.email OPERATOR(public.=) i.email AND u.email_verified_at IS NOT NULL)
      FROM public.invitations i
     WHERE i.token_hash = p_token_hash AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now()
  $$;
  COMMENT ON FUNCTION app.invitation_address IS
    'SECURITY DEFINER: whoever has the token has read the mail, and need not be logged in';

  CREATE FUNCTION app.is_inviter_entitled(p_invitation public.invitations) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
      SELECT FROM auth.users u JOIN public.profiles p ON p.id = u.id
       WHERE u.id = p_invitation.created_by AND u.disabled_at IS NULL
         AND (p.user_type = 'admin'
           OR EXISTS (SELECT FROM public.user_clinic_roles r
                       WHERE r.user_id = u.id AND r.clinic_id = p_invitation.clinic_id
                         AND r.is_active AND r.role >= 'clinic_admin')
           OR EXISTS (SELECT FROM public.organisation_members m
                       WHERE m.user_id = u.id AND m.role >= greatest('manager', p_invitation.organisation_role)
                         AND m.organisation_id = coalesce(p_invitation.organisation_id,
                           (SELECT c.organisation_id FROM public.clinics c WHERE c.id = p_invitation.clinic_id)))))
  $$;
  COMMENT ON FUNCTION app.is_inviter_entitled IS
    'An invitation is worth what its sender could still give: whoever is put out cannot have left a door open';

  -- An account whose address nobody has proven may be a stranger's, who waits for the invitation: it goes to the owner of
  -- the mailbox, with a new password and without the sessions it had.
  CREATE FUNCTION app.invited_account(
    p_invitation public.invitations, p_new_user uuid, p_password_hash text, p_first_name text, p_last_name text
  ) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_user auth.users;
  BEGIN
    -- Of two invitations that make the account at once, one makes it and the other finds it.
    PERFORM pg_advisory_xact_lock(hashtextextended('invited ' || lower(p_invitation.email::text), 0));
    SELECT u.* INTO v_user FROM auth.users u WHERE u.email OPERATOR(public.=) p_invitation.email;
    IF v_user.email_verified_at IS NOT NULL THEN
      RETURN v_user.id;
    ELSIF p_password_hash IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'PC422', MESSAGE = 'account-needed';
    ELSIF v_user.id IS NULL THEN
      RETURN auth.create_user(p_new_user, p_invitation.email, p_password_hash, p_first_name, p_last_name, true);
    END IF;
    UPDATE auth.users u SET password_hash = p_password_hash WHERE u.id = v_user.id;
    UPDATE auth.sessions s SET revoked_at = now() WHERE s.user_id = v_user.id AND s.revoked_at IS NULL;
    UPDATE public.profiles p SET first_name = p_first_name, last_name = p_last_name WHERE p.id = v_user.id;
    RETURN v_user.id;
  END $$;

  -- A higher role that the person has already is kept; an inactive one is taken up again.
  CREATE FUNCTION app.grant_invited_role(p_invitation public.invitations, p_user uuid)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF EXISTS (SELECT FROM public.clinics c WHERE c.id = p_invitation.clinic_id AND c.status <> 'active') THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'clinic-inactive';
    END IF;
    IF p_invitation.clinic_id IS NOT NULL THEN
      INSERT INTO public.user_clinic_roles AS r (clinic_id, user_id, role, created_by)
      VALUES (p_invitation.clinic_id, p_user, p_invitation.clinic_role, p_invitation.created_by)
      ON CONFLICT (clinic_id, user_id) DO UPDATE SET is_active = true,
        role = CASE WHEN r.is_active THEN greatest(r.role, excluded.role) ELSE excluded.role END;
    ELSE
      INSERT INTO public.organisation_members AS m (organisation_id, user_id, role, created_by)
      VALUES (p_invitation.organisation_id, p_user, p_invitation.organisation_role, p_invitation.created_by)
      ON CONFLICT (organisation_id, user_id) DO UPDATE SET role = greatest(m.role, excluded.role);
    END IF;
  END $$;

  CREATE FUNCTION app.accept_invitation(
    p_token_hash text, p_invitation uuid, p_new_user uuid, p_password_hash text, p_first_name text, p_last_name text
  ) RETURNS TABLE (invitation_id uuid, user_id uuid, clinic_id uuid, organisation_id uuid, clinic_role app.clinic_role,
                   organisation_role app.organisation_role)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_invitation public.invitations;
    v_address public.citext;
    v_user uuid;
  BEGIN
    SELECT i.* INTO v_invitation FROM public.invitations i
     WHERE (i.token_hash = p_token_hash OR i.id = p_invitation)
       AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now()
       FOR UPDATE;
    IF NOT FOUND OR NOT app.is_inviter_entitled(v_invitation) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC404', MESSAGE = 'invitation-not-found';
    END IF;

    IF app.user_id() IS NOT NULL THEN
      -- By its number an invitation is open only to whoever has proven the address; the token is such a proof itself.
      SELECT u.email INTO v_address FROM auth.users u
       WHERE u.id = app.user_id() AND (p_token_hash IS NOT NULL OR u.email_verified_at IS NOT NULL);
      IF v_address IS NULL OR NOT (v_address OPERATOR(public.=) v_invitation.email) THEN
        IF p_token_hash IS NULL THEN
          RAISE EXCEPTION USING ERRCODE = 'PC404', MESSAGE = 'invitation-not-found';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'invitation-for-another-address';
      END IF;
      v_user := app.user_id();
    ELSIF p_token_hash IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'PC404', MESSAGE = 'invitation-not-found';
    ELSE
      v_user := app.invited_account(v_invitation, p_new_user, p_password_hash, p_first_name, p_last_name);
    END IF;
    UPDATE auth.users u SET email_verified_at = now() WHERE u.id = v_user AND p_token_hash IS NOT NULL AND u.email_verified_at IS NULL;

    PERFORM app.grant_invited_role(v_invitation, v_user);
    UPDATE public.invitations i SET accepted_at = now() WHERE i.id = v_invitation.id;
    RETURN QUERY SELECT v_invitation.id, v_user, v_invitation.clinic_id, v_invitation.organisation_id,
                        v_invitation.clinic_role, v_invitation.organisation_role;
  END $$;
  COMMENT ON FUNCTION app.accept_invitation IS
    'Single use: of two at once the second waits and finds none. SECURITY DEFINER: the person has no right in the tenant '
    'before, and perhaps no account';
  GRANT EXECUTE ON FUNCTION app.invitation_address, app.accept_invitation TO anon, authenticated, super_admin;
`;

const ending = `
  CREATE FUNCTION app.make_room_for_invitation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    UPDATE public.invitations i SET revoked_at = now()
     WHERE (i.clinic_id = NEW.clinic_id OR i.organisation_id = NEW.organisation_id) AND i.email OPERATOR(public.=) NEW.email
       AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at <= now();
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.make_room_for_invitation IS
    'One that has expired bars no other. SECURITY DEFINER: it may be to a role that whoever invites now does not see';
  CREATE TRIGGER make_room BEFORE INSERT ON public.invitations
    FOR EACH ROW EXECUTE FUNCTION app.make_room_for_invitation();

  CREATE FUNCTION app.end_invitations() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_lost jsonb := to_jsonb(OLD);
  BEGIN
    UPDATE public.invitations i SET revoked_at = now() FROM public.profiles p
     WHERE p.id = OLD.user_id AND i.email OPERATOR(public.=) p.email
       AND (i.clinic_id = (v_lost ->> 'clinic_id')::uuid OR i.organisation_id = (v_lost ->> 'organisation_id')::uuid)
       AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now();
    RETURN NULL;
  END $$;
  COMMENT ON FUNCTION app.end_invitations IS
    'Whoever loses a role does not come back through an invitation that was sent before. SECURITY DEFINER: also for '
    'whoever leaves, who may not touch invitations';
  CREATE TRIGGER end_invitations AFTER DELETE ON public.organisation_members
    FOR EACH ROW EXECUTE FUNCTION app.end_invitations();
  CREATE TRIGGER end_invitations AFTER DELETE ON public.user_clinic_roles
    FOR EACH ROW EXECUTE FUNCTION app.end_invitations();
  CREATE TRIGGER end_invitations_of_demoted AFTER UPDATE OF role ON public.organisation_members
    FOR EACH ROW WHEN (NEW.role < OLD.role) EXECUTE FUNCTION app.end_invitations();
  CREATE TRIGGER end_invitations_of_demoted AFTER UPDATE OF role, is_active ON public.user_clinic_roles
    FOR EACH ROW WHEN (OLD.is_active AND (NEW.role < OLD.role OR NOT NEW.is_active)) EXECUTE FUNCTION app.end_invitations();
`;
