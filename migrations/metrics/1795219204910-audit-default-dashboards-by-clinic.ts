import type { MigrationInterface, QueryRunner } from 'typeorm';
import { auditByKey } from '../support/audit-by-key.js';

const table = 'public.clinic_default_dashboards';

/** A clinic that changed its default dashboard left no trace of it: the row's key is the clinic. */
export class AuditDefaultDashboardsByClinic1795219204910 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(dropTriggers);
    await auditByKey(queryRunner, table, 'clinic_id', { clinic: 'clinic_id' });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(dropTriggers);
    await auditByKey(queryRunner, table, 'id', { clinic: 'clinic_id' });
  }
}

const dropTriggers = `
  DROP TRIGGER audit_insert ON ${table};
  DROP TRIGGER audit_update ON ${table};
  DROP TRIGGER audit_delete ON ${table};
`;
