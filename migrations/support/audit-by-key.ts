import type { QueryRunner } from 'typeorm';
import type { AuditDeclaration } from './declare-access.js';

const images = {
  insert: 'NEW TABLE AS new_rows',
  update: 'OLD TABLE AS old_rows NEW TABLE AS new_rows',
  delete: 'OLD TABLE AS old_rows',
};

/**
 * The audit triggers of a table whose key is not called `id`; for tables that `declareAccess` was told `audit: false`.
 *
 * What it emits never changes once a migration that uses it has landed.
 */
export async function auditByKey(
  queryRunner: QueryRunner,
  table: string,
  key: string,
  { clinic = '', organisation = '', masked = [] }: AuditDeclaration = {},
): Promise<void> {
  for (const [command, tables] of Object.entries(images)) {
    await queryRunner.query(`
      CREATE TRIGGER audit_${command} AFTER ${command.toUpperCase()} ON ${table} REFERENCING ${tables}
        FOR EACH STATEMENT EXECUTE FUNCTION audit.record('${clinic}', '${organisation}', '${masked.join(',')}', '${key}')`);
  }
}
