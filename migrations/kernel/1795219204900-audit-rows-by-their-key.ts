import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A row before and after a change is the same one by its `id`. Of a table whose key has another name no change was found,
 * and so none was written down: its triggers name the key as their fourth argument (`auditByKey`).
 */
export class AuditRowsByTheirKey1795219204900 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(recording(`coalesce(TG_ARGV[3], 'id')`));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(recording(`'id'`));
  }
}

/** As `JoinAuditedRowsByHash` left it, but for the key. */
const recording = (key: string): string => `
  CREATE OR REPLACE FUNCTION audit.record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET enable_nestloop = off AS $$
  DECLARE
    v_table text := TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME;
    v_masked text[] := string_to_array(TG_ARGV[2], ',');
    v_key text := ${key};
    v_touched CONSTANT text[] := '{updated_at,updated_by}';
  BEGIN
    IF TG_OP = 'INSERT' THEN
      PERFORM audit.write('insert', v_table, n.row ->> v_key, (n.row ->> TG_ARGV[1])::uuid, (n.row ->> TG_ARGV[0])::uuid,
                          audit.changes(NULL, n.row, v_masked))
         FROM (SELECT to_jsonb(new_rows) AS row FROM new_rows) n;
    ELSIF TG_OP = 'DELETE' THEN
      PERFORM audit.write('delete', v_table, o.row ->> v_key, (o.row ->> TG_ARGV[1])::uuid, (o.row ->> TG_ARGV[0])::uuid,
                          audit.changes(o.row, NULL, v_masked))
         FROM (SELECT to_jsonb(old_rows) AS row FROM old_rows) o;
    ELSE
      PERFORM audit.write('update', v_table, n.row ->> v_key, (n.row ->> TG_ARGV[1])::uuid, (n.row ->> TG_ARGV[0])::uuid,
                          audit.changes(o.row, n.row, v_masked))
         FROM (SELECT to_jsonb(new_rows) AS row FROM new_rows) n
         JOIN (SELECT to_jsonb(old_rows) AS row FROM old_rows) o ON o.row ->> v_key = n.row ->> v_key
        WHERE (o.row - v_touched) IS DISTINCT FROM (n.row - v_touched);
    END IF;
    RETURN NULL;
  END $$;
`;
