import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  activeClinicRows,
  both,
  clinicRows,
  declareAccess,
  either,
  everyRow,
  everything,
  ownRows,
} from '../support/declare-access.js';

/** Who gets which report of a clinic by mail, and what was sent. */
export class CreateReportSubscriptions1795219203650 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(subscriptions);
    await queryRunner.query(deliveries);
    await declareAccess(queryRunner, {
      table: 'public.report_subscriptions',
      access: {
        authenticated: {
          select: { rows: both(clinicRows('clinic_id', 'viewer'), ownRows('user_id')) },
          insert: {
            rows: both(activeClinicRows('clinic_id', 'viewer'), ownRows('user_id')),
            columns: ['clinic_id', 'user_id', 'kind'],
          },
          delete: { rows: both(clinicRows('clinic_id', 'viewer'), ownRows('user_id')) },
        },
        super_admin: everything,
        service_role: { select: { rows: everyRow } },
      },
      audit: { clinic: 'clinic_id' },
    });
    await declareAccess(queryRunner, {
      table: 'public.report_deliveries',
      access: {
        authenticated: {
          select: {
            rows: either(
              both(clinicRows('clinic_id', 'viewer'), ownRows('user_id')),
              clinicRows('clinic_id', 'clinic_admin'),
            ),
          },
        },
        super_admin: { select: { rows: everyRow } },
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow, columns: ['clinic_id', 'user_id', 'kind', 'period'] },
          update: { rows: everyRow, columns: ['state', 'claimed_at', 'sent_at'] },
          delete: { rows: everyRow },
        },
      },
      // A delivery is itself the record of what the service did.
      audit: false,
    });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE public.report_deliveries, public.report_subscriptions');
  }
}

const subscriptions = `
  CREATE TABLE public.report_subscriptions (
    clinic_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT report_subscriptions_pkey PRIMARY KEY (clinic_id, user_id, kind),
    CONSTRAINT report_subscriptions_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT report_subscriptions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles (id),
    CONSTRAINT report_subscriptions_kind_check CHECK (kind IN ('weekly', 'monthly'))
  );
  COMMENT ON TABLE public.report_subscriptions IS
    'Who wants which report of a clinic by mail; whoever has no role there any more gets none, whatever stands here';
  CREATE INDEX report_subscriptions_user_id_idx ON public.report_subscriptions (user_id, clinic_id);
`;

const deliveries = `
  CREATE TABLE public.report_deliveries (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    period text NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    claimed_at timestamptz,
    sent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- One of a person and period, however many workers find it due.
    CONSTRAINT report_deliveries_period_key UNIQUE (clinic_id, user_id, kind, period),
    CONSTRAINT report_deliveries_clinic_id_fkey
      FOREIGN KEY (clinic_id) REFERENCES public.clinics (id) ON DELETE CASCADE,
    CONSTRAINT report_deliveries_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles (id),
    CONSTRAINT report_deliveries_kind_check CHECK (kind IN ('weekly', 'monthly')),
    CONSTRAINT report_deliveries_state_check CHECK (state IN ('pending', 'sending', 'sent', 'skipped')),
    CONSTRAINT report_deliveries_sent_at_check CHECK ((state = 'sent') = (sent_at IS NOT NULL))
  );
  COMMENT ON TABLE public.report_deliveries IS 'Reports made by schedule: pending -> sending -> sent, or skipped; kept for 90 days';
  COMMENT ON COLUMN public.report_deliveries.state IS
    'skipped: the person may not see the clinic any more, has no usable address, or the clinic is inactive';
  CREATE INDEX report_deliveries_clinic_id_idx ON public.report_deliveries (clinic_id, id DESC);
  CREATE INDEX report_deliveries_user_id_idx ON public.report_deliveries (user_id, clinic_id);
`;
