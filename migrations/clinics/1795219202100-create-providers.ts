import type { MigrationInterface, QueryRunner } from 'typeorm';
import { activeClinicRows, clinicRows, declareAccess, everyRow, everything } from '../support/declare-access.js';
import { touchUpdatedAt } from '../support/touch-updated-at.js';

/** Who treats patients at a clinic. */
export class CreateProviders1795219202100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(providers);
    await touchUpdatedAt(queryRunner, 'public.providers');
    const administered = activeClinicRows('clinic_id', 'clinic_admin');
    const editable = ['user_id', 'name', 'provider_type', 'specialty', 'license_number', 'npi_number', 'status'];
    await declareAccess(queryRunner, {
      table: 'public.providers',
      access: {
        authenticated: {
          select: { rows: clinicRows('clinic_id', 'viewer') },
          insert: { rows: administered, columns: ['clinic_id', ...editable, 'created_by'] },
          update: { rows: administered, columns: editable },
          delete: { rows: administered },
        },
        super_admin: everything,
        service_role: { select: { rows: everyRow } },
      },
      audit: { clinic: 'clinic_id', masked: ['license_number'] },
    });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE public.providers');
  }
}

const providers = `
  CREATE TABLE public.providers (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    clinic_id uuid NOT NULL,
    user_id uuid,
    name text NOT NULL,
    provider_type text,
    specialty text,
    license_number text,
    npi_number text,
    status text NOT NULL DEFAULT 'active',
    legacy_id text,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT providers_clinic_id_fkey FOREIGN KEY (clinic_id) REFERENCES public.clinics (id),
    CONSTRAINT providers_clinic_id_id_key UNIQUE (clinic_id, id),
    -- The user must be a member of this clinic: through a plain key one could try whether a person exists.
    CONSTRAINT providers_user_id_fkey FOREIGN KEY (clinic_id, user_id)
      REFERENCES public.user_clinic_roles (clinic_id, user_id) ON DELETE SET NULL (user_id),
    CONSTRAINT providers_user_id_key UNIQUE (clinic_id, user_id),
    CONSTRAINT providers_npi_number_key UNIQUE (clinic_id, npi_number),
    CONSTRAINT providers_npi_number_check CHECK (npi_number ~ '^[12][0-9]{9}$'),
    CONSTRAINT providers_legacy_id_key UNIQUE (legacy_id),
    CONSTRAINT providers_status_check CHECK (status IN ('active', 'inactive'))
  );
  COMMENT ON TABLE public.providers IS 'Who treats patients at a clinic, with or without an account';
  COMMENT ON COLUMN public.providers.npi_number IS 'US National Provider Identifier (45 CFR 162.406)';
  CREATE INDEX providers_clinic_id_idx ON public.providers (clinic_id, name, id);
`;
