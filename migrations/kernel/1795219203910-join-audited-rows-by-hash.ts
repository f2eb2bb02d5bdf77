import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The trigger of the audit log joins the rows of a statement as they were with those as they are. Its plan is kept by the
 * connection that made it, and where the first statement changed one row, that is a nested loop: a later statement that
 * changes 300 takes nine seconds, and one that changes a thousand more than a minute.
 */
export class JoinAuditedRowsByHash1795219203910 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER FUNCTION audit.record() SET enable_nestloop = off');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER FUNCTION audit.record() RESET enable_nestloop');
  }
}
