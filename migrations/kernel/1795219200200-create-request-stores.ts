import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow, ownRows } from '../support/declare-access.js';

/** What the kernel keeps between requests: answers to idempotent ones, counted attempts, and which tables hold facts. */
export class CreateRequestStores1795219200200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(idempotencyKeys);
    const own = { rows: ownRows('actor_id') };
    await declareAccess(queryRunner, {
      table: 'app.idempotency_keys',
      access: {
        authenticated: { select: own, insert: own },
        super_admin: { select: own, insert: own },
        service_role: { select: { rows: everyRow, columns: ['expires_at'] }, delete: { rows: everyRow } },
      },
      // Every change that such a request makes is in the log by itself.
      audit: false,
    });

    await queryRunner.query(rateLimits);
    await declareAccess(queryRunner, {
      table: 'app.rate_limits',
      access: {
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: { rows: everyRow },
          delete: { rows: everyRow },
        },
      },
      // Counters that change with each attempt; the attempts that matter are logged by the auth module.
      audit: false,
    });

    await queryRunner.query(sweep);
    await queryRunner.query(appliedMigrations);
    await queryRunner.query(factTables);
    await declareAccess(queryRunner, { table: 'app.fact_tables', access: {}, audit: false });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION app.clinic_has_facts(uuid);
      DROP TABLE app.fact_tables;
      DROP FUNCTION app.applied_migrations();
      DROP FUNCTION app.sweep();
      DROP TABLE app.rate_limits;
      DROP TABLE app.idempotency_keys;
    `);
  }
}

const idempotencyKeys = `
  CREATE TABLE app.idempotency_keys (
    actor_id uuid NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    status smallint NOT NULL,
    location text,
    body jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    PRIMARY KEY (actor_id, operation, key),
    CONSTRAINT idempotency_keys_key_check CHECK (length(key) BETWEEN 1 AND 200)
  );
  COMMENT ON TABLE app.idempotency_keys IS 'The answer to a request, written in the transaction that did its work';
  COMMENT ON COLUMN app.idempotency_keys.fingerprint IS 'SHA-256 of path and body: another body under the same key is refused';
  CREATE INDEX idempotency_keys_expires_at_idx ON app.idempotency_keys (expires_at);
`;

const rateLimits = `
  -- Columns as rate-limiter-flexible's PostgreSQL store names them; expire is in milliseconds since 1970.
  CREATE TABLE app.rate_limits (
    key text PRIMARY KEY,
    points integer NOT NULL DEFAULT 0,
    expire bigint
  );
  COMMENT ON TABLE app.rate_limits IS 'Attempts to log in, refresh and reset, counted for all instances together';
  CREATE INDEX rate_limits_expire_idx ON app.rate_limits (expire);
`;

const sweep = `
  CREATE FUNCTION app.sweep() RETURNS void LANGUAGE sql SET search_path = '' AS $$
    DELETE FROM app.idempotency_keys WHERE expires_at < now();
    DELETE FROM app.rate_limits WHERE expire < extract(epoch FROM now()) * 1000;
  $$;
  COMMENT ON FUNCTION app.sweep IS 'Removes what has expired; run by a job each hour';
  GRANT EXECUTE ON FUNCTION app.sweep TO service_role;
`;

const appliedMigrations = `
  CREATE FUNCTION app.applied_migrations() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT array_agg(name::text ORDER BY "timestamp") FROM app_migrations.applied
  $$;
  COMMENT ON FUNCTION app.applied_migrations IS
    'For the readiness check, which must see that the database is up to date and may not read the schema itself';
  GRANT EXECUTE ON FUNCTION app.applied_migrations TO service_role;
`;

const factTables = `
  CREATE TABLE app.fact_tables (table_name regclass PRIMARY KEY);
  COMMENT ON TABLE app.fact_tables IS
    'Tables (with a clinic_id) whose rows were counted in the clinic''s day and currency; migrations register theirs';

  CREATE FUNCTION app.clinic_has_facts(p_clinic uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_table regclass;
    v_found boolean;
  BEGIN
    FOR v_table IN SELECT table_name FROM app.fact_tables LOOP
      EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE clinic_id = $1)', v_table) INTO v_found USING p_clinic;
      IF v_found THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
  END $$;
  COMMENT ON FUNCTION app.clinic_has_facts IS 'Asks the registered tables only: it takes no table name from a caller';
  GRANT EXECUTE ON FUNCTION app.clinic_has_facts TO authenticated, super_admin;
`;
