import type { MigrationInterface, QueryRunner } from 'typeorm';
import { auditByKey } from '../support/audit-by-key.js';
import { activeClinicRows, both, declareAccess, either, everyRow, ownRows } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/**
 * A doctor's own Instagram account and settings. Doctors of one clinic do not see each other's.
 *
 * The service reads these rows to find whose a message is; whatever changes in them changes as the doctor, a token that
 * is sealed anew included.
 */
export class CreateDoctors1795219205100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const part of [instagram, settings]) await queryRunner.query(part);
    for (const table of ['doctor_instagram', 'doctor_settings']) await touchUpdatedAt(queryRunner, `public.${table}`);
    await this.declareInstagram(queryRunner);
    await this.declareSettings(queryRunner);
    for (const part of [onePlace, resealing, forgetting, quietAudit]) await queryRunner.query(part);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION app.forget_messenger_user(text);
      DROP FUNCTION app.reseal_instagram_token(uuid, text, text);
      DROP TRIGGER guard_page_claim ON public.messenger_connections;
      DROP TABLE public.doctor_settings;
      DROP TABLE public.doctor_instagram;
      DROP FUNCTION app.guard_instagram_claim();
      DROP FUNCTION app.guard_page_claim();
    `);
  }

  private async declareInstagram(queryRunner: QueryRunner): Promise<void> {
    const changing = [
      ...['instagram_page_id', 'facebook_page_id', 'facebook_page_name', 'facebook_user_id', 'instagram_username'],
      ...['instagram_health_level', 'instagram_health_error_code', 'instagram_health_checked_at', 'connected_at'],
      ...['instagram_health_mailed_at', 'instagram_token_expires_at', 'instagram_last_dm_success_at'],
    ];
    const visible = ['doctor_id', 'clinic_id', ...changing, 'created_at', 'updated_at'];
    const made = ['doctor_id', 'clinic_id', 'instagram_access_token_sealed', ...changing];
    const own = (insert: string) => ({
      select: { rows: ownRows('doctor_id'), columns: visible },
      insert: { rows: insert, columns: made },
      update: { rows: ownRows('doctor_id'), columns: ['instagram_access_token_sealed', ...changing] },
      delete: { rows: ownRows('doctor_id') },
    });
    const admitted = both(ownRows('doctor_id'), either('clinic_id IS NULL', activeClinicRows('clinic_id', 'staff')));
    await declareAccess(queryRunner, {
      table: 'public.doctor_instagram',
      access: { authenticated: own(admitted), service_role: { select: { rows: everyRow } } },
      // By its own key, below.
      audit: false,
    });
    await auditByKey(queryRunner, 'public.doctor_instagram', 'doctor_id', { clinic: 'clinic_id', masked });
  }

  private async declareSettings(queryRunner: QueryRunner): Promise<void> {
    const columns = [
      ...['practice_name', 'specialty', 'address_summary', 'appointment_fee_minor', 'appointment_fee_currency'],
      ...['country', 'time_zone', 'business_hours', 'slot_interval_minutes', 'min_advance_hours'],
      ...['max_advance_booking_days', 'cancellation_policy_hours', 'max_appointments_per_day', 'welcome_message'],
      ...['away_message', 'instagram_receptionist_paused', 'instagram_receptionist_pause_message'],
      ...['lead_keywords', 'lead_public_reply', 'lead_private_reply'],
    ];
    await declareAccess(queryRunner, {
      table: 'public.doctor_settings',
      access: {
        authenticated: {
          select: { rows: ownRows('doctor_id') },
          insert: { rows: ownRows('doctor_id'), columns: ['doctor_id', ...columns] },
          update: { rows: ownRows('doctor_id'), columns },
        },
        service_role: { select: { rows: everyRow } },
      },
      // By its own key, below.
      audit: false,
    });
    await auditByKey(queryRunner, 'public.doctor_settings', 'doctor_id');
  }
}

/** As those of a page's connection. */
const masked = ['instagram_access_token_sealed', 'facebook_user_id', 'instagram_username', 'facebook_page_name'];

const instagram = `
  CREATE TABLE public.doctor_instagram (
    doctor_id uuid PRIMARY KEY,
    clinic_id uuid,
    instagram_page_id text NOT NULL,
    facebook_page_id text NOT NULL,
    facebook_page_name text,
    facebook_user_id text,
    instagram_access_token_sealed text NOT NULL,
    instagram_username text NOT NULL,
    instagram_health_level text NOT NULL DEFAULT 'unknown',
    instagram_health_error_code text,
    instagram_health_checked_at timestamptz,
    instagram_health_mailed_at timestamptz,
    instagram_token_expires_at timestamptz,
    instagram_last_dm_success_at timestamptz,
    connected_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT doctor_instagram_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT doctor_instagram_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE SET NULL,
    CONSTRAINT doctor_instagram_instagram_page_id_key UNIQUE (instagram_page_id),
    CONSTRAINT doctor_instagram_facebook_page_id_key UNIQUE (facebook_page_id),
    CONSTRAINT doctor_instagram_instagram_page_id_check CHECK (instagram_page_id ~ '^[0-9]{1,32}$'),
    CONSTRAINT doctor_instagram_facebook_page_id_check CHECK (facebook_page_id ~ '^[0-9]{1,32}$'),
    CONSTRAINT doctor_instagram_instagram_health_level_check
      CHECK (instagram_health_level IN ('ok', 'warning', 'error', 'unknown'))
  );
  COMMENT ON TABLE public.doctor_instagram IS
    'The Instagram account at which a doctor answers: one of each doctor, and nobody else''s; gone when disconnected';
  COMMENT ON COLUMN public.doctor_instagram.instagram_page_id IS 'Id of the professional account at Meta';
  COMMENT ON COLUMN public.doctor_instagram.facebook_page_id IS
    'The page that the account is linked with, whose token is used; Meta names either in what it sends';
  COMMENT ON COLUMN public.doctor_instagram.facebook_user_id IS 'Who consented, as Meta names that person to our app';
  COMMENT ON COLUMN public.doctor_instagram.instagram_access_token_sealed IS 'Token of the page';
  COMMENT ON COLUMN public.doctor_instagram.instagram_health_mailed_at IS
    'When the doctor was told that it does not work; null again once it does';
  CREATE INDEX doctor_instagram_clinic_id_idx ON public.doctor_instagram (clinic_id);
  CREATE INDEX doctor_instagram_facebook_user_id_idx ON public.doctor_instagram (facebook_user_id);
  CREATE INDEX doctor_instagram_instagram_health_checked_at_idx
    ON public.doctor_instagram (instagram_health_checked_at NULLS FIRST);
`;

const settings = `
  CREATE TABLE public.doctor_settings (
    doctor_id uuid PRIMARY KEY,
    practice_name text,
    specialty text,
    address_summary text,
    appointment_fee_minor bigint,
    appointment_fee_currency text,
    country text,
    time_zone text NOT NULL DEFAULT 'UTC',
    business_hours jsonb NOT NULL DEFAULT '{}',
    slot_interval_minutes integer NOT NULL DEFAULT 15,
    min_advance_hours integer NOT NULL DEFAULT 0,
    max_advance_booking_days integer NOT NULL DEFAULT 90,
    cancellation_policy_hours integer,
    max_appointments_per_day integer,
    welcome_message text,
    away_message text,
    instagram_receptionist_paused boolean NOT NULL DEFAULT false,
    instagram_receptionist_pause_message text,
    lead_keywords text[] NOT NULL DEFAULT '{}',
    lead_public_reply text,
    lead_private_reply text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT doctor_settings_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT doctor_settings_appointment_fee_minor_check CHECK (
      appointment_fee_minor >= 0 AND (appointment_fee_minor IS NULL) = (appointment_fee_currency IS NULL)),
    CONSTRAINT doctor_settings_appointment_fee_currency_check CHECK (appointment_fee_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT doctor_settings_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT doctor_settings_business_hours_check CHECK (jsonb_typeof(business_hours) = 'object'),
    CONSTRAINT doctor_settings_slot_interval_minutes_check CHECK (slot_interval_minutes BETWEEN 5 AND 240),
    CONSTRAINT doctor_settings_min_advance_hours_check CHECK (min_advance_hours BETWEEN 0 AND 8760),
    CONSTRAINT doctor_settings_max_advance_booking_days_check CHECK (max_advance_booking_days BETWEEN 1 AND 730),
    CONSTRAINT doctor_settings_cancellation_policy_hours_check CHECK (cancellation_policy_hours BETWEEN 0 AND 8760),
    CONSTRAINT doctor_settings_max_appointments_per_day_check CHECK (max_appointments_per_day BETWEEN 1 AND 1000)
  );
  COMMENT ON TABLE public.doctor_settings IS 'What a doctor lets patients know and book, and what is answered for them';
  COMMENT ON COLUMN public.doctor_settings.appointment_fee_minor IS 'In the smallest unit of its currency';
  COMMENT ON COLUMN public.doctor_settings.business_hours IS
    'By day, monday to sunday: spans of { from, to } in HH:MM of the doctor''s time zone; a day that is missing is closed';
  COMMENT ON COLUMN public.doctor_settings.away_message IS 'Answered outside the business hours';
  COMMENT ON COLUMN public.doctor_settings.instagram_receptionist_paused IS 'No automatic answers on Instagram';
  COMMENT ON COLUMN public.doctor_settings.lead_keywords IS
    'Words of a comment that show an intent to book; the installation''s own where there are none';
`;

/**
 * SECURITY DEFINER: the caller must not see the row that stands in the way, and hears no more than that there is one.
 * Those who claim the same page wait for each other, since neither sees what the other has not yet committed.
 */
const onePlace = `
  CREATE FUNCTION app.guard_page_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF NEW.is_active THEN
      PERFORM pg_advisory_xact_lock(hashtextextended('messenger page ' || NEW.page_id, 0));
      IF EXISTS (SELECT FROM public.messenger_connections c
                  WHERE c.page_id = NEW.page_id AND c.is_active AND c.owner_id <> NEW.owner_id)
         OR EXISTS (SELECT FROM public.doctor_instagram d
                     WHERE d.facebook_page_id = NEW.page_id AND d.doctor_id <> NEW.owner_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'page-already-linked';
      END IF;
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_page_claim IS
    'One page, one place to answer. SECURITY DEFINER: whose it is must not be seen';
  CREATE TRIGGER guard_page_claim BEFORE INSERT OR UPDATE OF is_active ON public.messenger_connections
    FOR EACH ROW EXECUTE FUNCTION app.guard_page_claim();

  CREATE FUNCTION app.guard_instagram_claim() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('messenger page ' || NEW.facebook_page_id, 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('messenger account ' || NEW.instagram_page_id, 0));
    IF EXISTS (SELECT FROM public.messenger_connections c
                WHERE c.page_id = NEW.facebook_page_id AND c.is_active AND c.owner_id <> NEW.doctor_id)
       OR EXISTS (SELECT FROM public.doctor_instagram d
                   WHERE NEW.doctor_id <> d.doctor_id
                     AND (d.instagram_page_id = NEW.instagram_page_id OR d.facebook_page_id = NEW.facebook_page_id)) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC409', MESSAGE = 'page-already-linked';
    END IF;
    RETURN NEW;
  END $$;
  COMMENT ON FUNCTION app.guard_instagram_claim IS
    'One account, one place to answer. SECURITY DEFINER: whose it is must not be seen';
  CREATE TRIGGER guard_instagram_claim BEFORE INSERT OR UPDATE OF instagram_page_id, facebook_page_id
    ON public.doctor_instagram FOR EACH ROW EXECUTE FUNCTION app.guard_instagram_claim();
`;

/** SECURITY DEFINER, as `app.reseal_connection_token` is and for its reasons. */
const resealing = `
  CREATE FUNCTION app.reseal_instagram_token(p_row uuid, p_was text, p_sealed text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH exchanged AS (
      UPDATE public.doctor_instagram SET instagram_access_token_sealed = p_sealed
       WHERE doctor_id = p_row AND instagram_access_token_sealed = p_was RETURNING doctor_id
    )
    SELECT EXISTS (SELECT FROM exchanged)
  $$;
  COMMENT ON FUNCTION app.reseal_instagram_token IS
    'For the rotation of keys. SECURITY DEFINER: the service may not write doctors'' accounts';
  GRANT EXECUTE ON FUNCTION app.reseal_instagram_token TO service_role;
`;

/**
 * SECURITY DEFINER: who asks Meta to be forgotten is forgotten here, also where the owner's account is disabled, so that
 * nothing can run as them. Of a page's connection the row stays for its conversations, without whose it was at Meta.
 */
const forgetting = `
  CREATE FUNCTION app.forget_messenger_user(p_facebook_user text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM public.doctor_instagram WHERE facebook_user_id = p_facebook_user;
    DELETE FROM public.messenger_pending_connections WHERE facebook_user_id = p_facebook_user;
    UPDATE public.messenger_connections
       SET is_active = false, facebook_user_id = NULL, page_name = 'deleted', health_level = 'unknown',
           health_error_code = NULL, health_checked_at = NULL, health_mailed_at = NULL
     WHERE facebook_user_id = p_facebook_user;
  $$;
  COMMENT ON FUNCTION app.forget_messenger_user IS
    'Removes what a person of Facebook connected. SECURITY DEFINER: the service may not write it, and must forget it';
  GRANT EXECUTE ON FUNCTION app.forget_messenger_user TO service_role;
`;

/** As that of a page's connection. */
const quietAudit = `
  DROP TRIGGER audit_update ON public.doctor_instagram;
  CREATE TRIGGER audit_update AFTER UPDATE ON public.doctor_instagram
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (coalesce(current_setting('app.route', true), '') <> 'check Messenger health')
    EXECUTE FUNCTION audit.record('clinic_id', '', '${masked.join(',')}', 'doctor_id');
  CREATE TRIGGER audit_turn AFTER UPDATE ON public.doctor_instagram
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH ROW
    WHEN (current_setting('app.route', true) = 'check Messenger health'
          AND (OLD.instagram_health_level = 'error') <> (NEW.instagram_health_level = 'error'))
    EXECUTE FUNCTION audit.record('clinic_id', '', '${masked.join(',')}', 'doctor_id');
`;
