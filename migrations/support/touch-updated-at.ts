import type { QueryRunner } from 'typeorm';

/** Keeps `updated_at` (and `updated_by`, where the table has it) true on every update, whoever writes. */
export async function touchUpdatedAt(queryRunner: QueryRunner, table: string): Promise<void> {
  await queryRunner.query(
    `CREATE TRIGGER touch_updated_at BEFORE UPDATE ON ${table}
     FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column()`,
  );
}
