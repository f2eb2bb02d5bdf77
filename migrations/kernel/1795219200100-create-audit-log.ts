import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit log: append-only, written by triggers that `declareAccess` attaches and by `audit.read` / `audit.write`.
 *
 * It is append-only by grant (nobody the API can become may change it) and by trigger (not even the owner by mistake).
 * Values of masked columns, and of every column named like a secret, are replaced before they are stored.
 */
export class CreateAuditLog1795219200100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`SET LOCAL check_function_bodies = off`);
    await queryRunner.query(table);
    await queryRunner.query(writing);
    await queryRunner.query(recording);
    await queryRunner.query(access);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION audit.record();
      DROP FUNCTION audit.changes(jsonb, jsonb, text[]);
      DROP FUNCTION audit.read(text, text, uuid, uuid, uuid);
      DROP FUNCTION audit.write(text, text, text, uuid, uuid, jsonb);
      DROP TABLE audit.events;
      DROP FUNCTION audit.refuse_change();
      DROP SCHEMA audit;
    `);
  }
}

const table = `
  CREATE SCHEMA audit;
  COMMENT ON SCHEMA audit IS 'Who did what, append-only';

  CREATE TABLE audit.events (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_id uuid,
    database_role text NOT NULL,
    session_id uuid,
    request_id text,
    address inet,
    route text,
    table_name text NOT NULL,
    action text NOT NULL,
    row_id text,
    organisation_id uuid,
    clinic_id uuid,
    changes jsonb,
    CONSTRAINT events_action_check CHECK (action IN ('insert', 'update', 'delete', 'read', 'access', 'refuse'))
  );
  COMMENT ON TABLE audit.events IS 'One line for each changed row, each recorded read and each access by an admin';
  COMMENT ON COLUMN audit.events.changes IS 'Column -> [old, new]; masked columns say only that they changed';

  -- Listed newest first: all of it, one clinic's, what one person did, what happened to one row.
  CREATE INDEX events_clinic_id_idx ON audit.events (clinic_id, occurred_at DESC, id DESC);
  CREATE INDEX events_occurred_at_idx ON audit.events (occurred_at DESC, id DESC);
  CREATE INDEX events_actor_id_idx ON audit.events (actor_id, occurred_at DESC);
  CREATE INDEX events_row_id_idx ON audit.events (table_name, row_id);

  CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN
    RAISE EXCEPTION 'audit.events is append-only';
  END $$;
  CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.events
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
`;

const writing = `
  CREATE FUNCTION audit.write(
    p_action text, p_table text, p_row text, p_organisation uuid, p_clinic uuid, p_changes jsonb
  ) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO audit.events
      (actor_id, database_role, session_id, request_id, address, route,
       action, table_name, row_id, organisation_id, clinic_id, changes)
    SELECT app.user_id(), CASE WHEN p_action = 'access' THEN 'super_admin' ELSE current_setting('role') END,
           nullif(current_setting('app.session_id', true), '')::uuid, nullif(current_setting('app.request_id', true), ''),
           nullif(current_setting('app.address', true), '')::inet, nullif(current_setting('app.route', true), ''),
           p_action, p_table, p_row,
           coalesce(p_organisation, (SELECT c.organisation_id FROM public.clinics c WHERE c.id = p_clinic)),
           p_clinic, p_changes
  $$;
  -- An access is written before the request drops to its role.
  COMMENT ON FUNCTION audit.write IS 'The one INSERT of the log. No role of the API may call it: a trace is not to be forged';

  CREATE FUNCTION audit.read(p_table text, p_row text, p_person uuid, p_organisation uuid, p_clinic uuid)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF p_person = app.user_id() THEN
      RETURN;
    END IF;
    IF current_setting('role') <> 'super_admin'
       AND NOT (coalesce(p_clinic = ANY (app.clinic_ids('viewer')), true)
            AND coalesce(p_organisation = ANY (app.organisation_ids()), true)) THEN
      RAISE EXCEPTION USING ERRCODE = 'PC404', MESSAGE = 'not-found';
    END IF;
    PERFORM audit.write('read', p_table, p_row, p_organisation, p_clinic, NULL);
  END $$;
  COMMENT ON FUNCTION audit.read IS
    'Records that the caller read a person''s record: somebody else''s, and in a tenant of the caller''s, since a trace is '
    'not to be forged. SECURITY DEFINER: the caller cannot write the log in any other way';
`;

const recording = `
  -- Column -> [old, new] of the columns that differ; who touched the row, and when, is what the event itself says. A
  -- secret by name is masked even where nobody declared it.
  CREATE FUNCTION audit.changes(p_old jsonb, p_new jsonb, p_masked text[])
    RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT jsonb_object_agg(key, CASE
             WHEN key = ANY (p_masked) OR key ~ '(password|token|secret|hash|sealed)' THEN '["***", "***"]'::jsonb
             ELSE jsonb_build_array(p_old -> key, p_new -> key) END)
      FROM jsonb_object_keys(coalesce(p_new, p_old)) AS key
     WHERE coalesce(p_old -> key, 'null') <> coalesce(p_new -> key, 'null') AND key <> ALL ('{updated_at,updated_by}')
  $$;

  -- Arguments: clinic column, organisation column (either may be ''), masked columns separated by commas.
  CREATE FUNCTION audit.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_table text := TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME;
    v_masked text[] := string_to_array(TG_ARGV[2], ',');
    v_touched CONSTANT text[] := '{updated_at,updated_by}';
  BEGIN
    IF TG_OP = 'INSERT' THEN
      PERFORM audit.write('insert', v_table, n.row ->> 'id', (n.row ->> TG_ARGV[1])::uuid, (n.row ->> TG_ARGV[0])::uuid,
                          audit.changes(NULL, n.row, v_masked))
         FROM (SELECT to_jsonb(new_rows) AS row FROM new_rows) n;
    ELSIF TG_OP = 'DELETE' THEN
      PERFORM audit.write('delete', v_table, o.row ->> 'id', (o.row ->> TG_ARGV[1])::uuid, (o.row ->> TG_ARGV[0])::uuid,
                          audit.changes(o.row, NULL, v_masked))
         FROM (SELECT to_jsonb(old_rows) AS row FROM old_rows) o;
    ELSE
      PERFORM audit.write('update', v_table, n.row ->> 'id', (n.row ->> TG_ARGV[1])::uuid, (n.row ->> TG_ARGV[0])::uuid,
                          audit.changes(o.row, n.row, v_masked))
         FROM (SELECT to_jsonb(new_rows) AS row FROM new_rows) n
         JOIN (SELECT to_jsonb(old_rows) AS row FROM old_rows) o ON o.row ->> 'id' = n.row ->> 'id'
        WHERE (o.row - v_touched) IS DISTINCT FROM (n.row - v_touched);
    END IF;
    RETURN NULL;
  END $$;
`;

const access = `
  ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY;
  ALTER TABLE audit.events FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner_select ON audit.events FOR SELECT TO polyclinic_owner USING (true);
  CREATE POLICY owner_insert ON audit.events FOR INSERT TO polyclinic_owner WITH CHECK (true);
  GRANT USAGE ON SCHEMA audit TO authenticated, super_admin;
  GRANT SELECT ON audit.events TO authenticated, super_admin;
  CREATE POLICY authenticated_select ON audit.events FOR SELECT TO authenticated
    USING (clinic_id = ANY ((SELECT app.clinic_ids('clinic_admin'))::uuid[]));
  CREATE POLICY super_admin_select ON audit.events FOR SELECT TO super_admin USING (true);
  GRANT EXECUTE ON FUNCTION audit.read TO authenticated, super_admin;
`;
