import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit log by months (in UTC), so that what is older than must be kept can be put away and dropped as a whole: its
 * rows still are neither changed nor deleted one by one.
 *
 * A job makes the months ahead; the default partition catches what has none, and gives it up when its month is made.
 * Nobody that the API can become has a right on a partition: one comes in by `audit.events` and its policies alone.
 */
export class PartitionAuditLog1795219202920 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`SET LOCAL check_function_bodies = off`);
    await queryRunner.query(`ALTER TABLE audit.events RENAME TO events_whole`);
    await queryRunner.query(`CREATE TABLE audit.events (${columns}) PARTITION BY RANGE (occurred_at)`);
    await queryRunner.query(description);
    await queryRunner.query(access);
    await queryRunner.query(defaultPartition);
    await queryRunner.query(making);
    await queryRunner.query(archiving);
    await queryRunner.query(grants);
    await queryRunner.query(monthsOfPresentRows);
    await queryRunner.query(`INSERT INTO audit.events SELECT ${names} FROM audit.events_whole`);
    await queryRunner.query(`DROP TABLE audit.events_whole`);
    // The key is also the order in which all of the log is listed; each partition keeps it for itself.
    await queryRunner.query(`ALTER TABLE audit.events ADD CONSTRAINT events_pkey PRIMARY KEY (occurred_at, id)`);
    await queryRunner.query(indexes);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION audit.drop_month(date, bigint, text);
      DROP FUNCTION audit.month_digest(date, timestamptz, uuid, integer);
      DROP FUNCTION audit.month_lines(date, timestamptz, uuid, integer);
      DROP FUNCTION audit.months_before(integer);
      DROP FUNCTION audit.make_partitions(integer);
      DROP FUNCTION audit.make_partition(date);
      REVOKE USAGE ON SCHEMA audit FROM service_role;
      ALTER TABLE audit.events RENAME TO events_parted;
    `);
    await queryRunner.query(`CREATE TABLE audit.events (${columns})`);
    await queryRunner.query(`INSERT INTO audit.events SELECT ${names} FROM audit.events_parted`);
    await queryRunner.query(`DROP TABLE audit.events_parted`);
    await queryRunner.query(`ALTER TABLE audit.events ADD CONSTRAINT events_pkey PRIMARY KEY (id)`);
    await queryRunner.query(description);
    await queryRunner.query(access);
    await queryRunner.query(indexes);
    await queryRunner.query(`CREATE INDEX events_occurred_at_idx ON audit.events (occurred_at DESC, id DESC)`);
  }
}

const columns = `
  id uuid NOT NULL DEFAULT app.uuid_v7(),
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
  CONSTRAINT events_action_check CHECK (action IN ('insert', 'update', 'delete', 'read', 'access', 'refuse'))`;

const names = `id, occurred_at, actor_id, database_role, session_id, request_id, address, route, table_name, action, row_id,
  organisation_id, clinic_id, changes`;

const description = `
  COMMENT ON TABLE audit.events IS 'One line for each changed row, each recorded read and each access by an admin';
  COMMENT ON COLUMN audit.events.changes IS 'Column -> [old, new]; masked columns say only that they changed';
`;

/** As the migration that made the log has declared it. */
const access = `
  CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.events
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
  ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY;
  ALTER TABLE audit.events FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner_select ON audit.events FOR SELECT TO polyclinic_owner USING (true);
  CREATE POLICY owner_insert ON audit.events FOR INSERT TO polyclinic_owner WITH CHECK (true);
  GRANT SELECT ON audit.events TO authenticated, super_admin;
  CREATE POLICY authenticated_select ON audit.events FOR SELECT TO authenticated
    USING (clinic_id = ANY ((SELECT app.clinic_ids('clinic_admin'))::uuid[]));
  CREATE POLICY super_admin_select ON audit.events FOR SELECT TO super_admin USING (true);
`;

const defaultPartition = `
  CREATE TABLE audit.events_default PARTITION OF audit.events DEFAULT;
  COMMENT ON TABLE audit.events_default IS 'Lines of a month that has no partition yet';
  ALTER TABLE audit.events_default ENABLE ROW LEVEL SECURITY;
  ALTER TABLE audit.events_default FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner_select ON audit.events_default FOR SELECT TO polyclinic_owner USING (true);
  CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.events_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
`;

const making = `
  CREATE FUNCTION audit.make_partition(p_month date) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_name text := 'events_' || to_char(p_month, 'YYYY_MM');
    v_from timestamptz := p_month::timestamp AT TIME ZONE 'UTC';
    v_to timestamptz := (p_month + interval '1 month') AT TIME ZONE 'UTC';
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.events', 0));
    IF to_regclass('audit.' || v_name) IS NOT NULL THEN
      RETURN;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I (LIKE audit.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
    IF EXISTS (SELECT FROM audit.events_default WHERE occurred_at >= v_from AND occurred_at < v_to) THEN
      -- The lines move, none is lost: all of it in this transaction, in which nobody else sees the table.
      ALTER TABLE audit.events_default NO FORCE ROW LEVEL SECURITY;
      ALTER TABLE audit.events_default DISABLE TRIGGER refuse_change;
      EXECUTE format('WITH moved AS (DELETE FROM audit.events_default WHERE occurred_at >= $1 AND occurred_at < $2 RETURNING *)
                      INSERT INTO audit.%I SELECT * FROM moved', v_name) USING v_from, v_to;
      ALTER TABLE audit.events_default ENABLE TRIGGER refuse_change;
      ALTER TABLE audit.events_default FORCE ROW LEVEL SECURITY;
    END IF;
    EXECUTE format('COMMENT ON TABLE audit.%I IS %L', v_name, 'The audit log of ' || to_char(p_month, 'YYYY-MM'));
    EXECUTE format('ALTER TABLE audit.%I ENABLE ROW LEVEL SECURITY', v_name);
    EXECUTE format('ALTER TABLE audit.%I FORCE ROW LEVEL SECURITY', v_name);
    EXECUTE format('CREATE POLICY owner_select ON audit.%I FOR SELECT TO polyclinic_owner USING (true)', v_name);
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', v_name);
    EXECUTE format('ALTER TABLE audit.events ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)', v_name, v_from, v_to);
  END $$;
  COMMENT ON FUNCTION audit.make_partition IS 'The partition of one month, named by it, with the lines that came before it was there';

  CREATE FUNCTION audit.make_partitions(p_ahead integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_this date := date_trunc('month', now() AT TIME ZONE 'UTC');
    v_months date[];
    v_month date;
  BEGIN
    -- Before the first look at the table: two who both look and then want it for themselves wait for each other.
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.events', 0));
    v_months := ARRAY(
      SELECT month::date FROM generate_series(v_this, v_this + make_interval(months => least(p_ahead, 24)), '1 month') AS month
      UNION SELECT DISTINCT date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date FROM audit.events_default);
    FOREACH v_month IN ARRAY v_months LOOP
      PERFORM audit.make_partition(v_month);
    END LOOP;
  END $$;
  COMMENT ON FUNCTION audit.make_partitions IS
    'The partitions of this month, of those ahead, and of those of which there are lines without one. SECURITY DEFINER: the '
    'job that calls it owns no table; it names none either, only how far ahead';
`;

const archiving = `
  CREATE FUNCTION audit.months_before(p_kept integer) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT to_char(m.month, 'YYYY-MM-DD')
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relname ~ '^events_[0-9]{4}_[0-9]{2}$'
     CROSS JOIN LATERAL (SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month) m
     WHERE i.inhparent = 'audit.events'::regclass
       AND m.month < date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => p_kept)
     ORDER BY 1
  $$;
  COMMENT ON FUNCTION audit.months_before IS
    'The first days of the months that are older than this one and so many before it. SECURITY DEFINER as the others that '
    'put the log away: the job has no right on the log itself';

  CREATE FUNCTION audit.month_lines(p_month date, p_after timestamptz, p_after_id uuid, p_limit integer)
    RETURNS TABLE (id uuid, occurred_at text, line text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET timezone = 'UTC' AS $$
    SELECT e.id, e.occurred_at::text, to_jsonb(e)::text
      FROM audit.events e
     WHERE e.occurred_at >= p_month::timestamptz AND e.occurred_at < (p_month + interval '1 month')::timestamptz
       AND (e.occurred_at, e.id) > (coalesce(p_after, '-infinity'), coalesce(p_after_id, '00000000-0000-0000-0000-000000000000'))
     ORDER BY e.occurred_at, e.id LIMIT p_limit
  $$;
  COMMENT ON FUNCTION audit.month_lines IS 'A month as it is put away: lines of JSON, in the order of the log, times in UTC';

  CREATE FUNCTION audit.month_digest(p_month date, p_after timestamptz, p_after_id uuid, p_limit integer)
    RETURNS TABLE (line_count integer, digest bigint, last_at text, last_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT count(*)::integer,
           coalesce(bit_xor(('x' || left(encode(sha256(convert_to(l.line, 'UTF8')), 'hex'), 16))::bit(64)::bigint), 0),
           (array_agg(l.occurred_at ORDER BY l.n DESC))[1], (array_agg(l.id ORDER BY l.n DESC))[1]
      FROM audit.month_lines(p_month, p_after, p_after_id, p_limit) WITH ORDINALITY AS l (id, occurred_at, line, n)
  $$;
  COMMENT ON FUNCTION audit.month_digest IS
    'How many lines follow in the month, up to the limit, and the first 64 bits of their SHA-256 laid over each other: what '
    'a file must hold before the lines may go';

  CREATE FUNCTION audit.drop_month(p_month date, p_rows bigint, p_sha256 text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  DECLARE
    v_name text := 'events_' || to_char(p_month, 'YYYY_MM');
    v_rows bigint;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.events', 0));
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i
                    WHERE i.inhparent = 'audit.events'::regclass AND i.inhrelid = to_regclass('audit.' || v_name)) THEN
      RETURN false;
    END IF;
    IF p_month >= date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month' THEN
      RAISE EXCEPTION 'This month and the one before it stay in the log.';
    END IF;
    EXECUTE format('LOCK TABLE audit.%I IN SHARE MODE', v_name);
    EXECUTE format('SELECT count(*) FROM audit.%I', v_name) INTO v_rows;
    IF v_rows <> p_rows THEN
      RAISE EXCEPTION 'The month has other lines than were put away.';
    END IF;
    EXECUTE format('DROP TABLE audit.%I', v_name);
    PERFORM audit.write('delete', 'audit.events', v_name, NULL, NULL, jsonb_build_object(
      'rows', jsonb_build_array(p_rows, 0), 'archive_sha256', jsonb_build_array(NULL, p_sha256)));
    RETURN true;
  END $$;
  COMMENT ON FUNCTION audit.drop_month IS
    'Drops a month that has exactly as many lines as were put away, and says so in the log; false when it is gone already. '
    'SECURITY DEFINER: the one way in which lines ever leave the log, by whole months that lie behind us';
`;

const grants = `
  GRANT USAGE ON SCHEMA audit TO service_role;
  GRANT EXECUTE ON FUNCTION audit.make_partitions, audit.months_before, audit.month_lines, audit.month_digest, audit.drop_month
    TO service_role;
`;

const monthsOfPresentRows = `
  SELECT audit.make_partition(month::date)
    FROM generate_series(
           (SELECT date_trunc('month', least(min(occurred_at), now()) AT TIME ZONE 'UTC') FROM audit.events_whole),
           date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', '1 month') AS month`;

const indexes = `
  -- Listed newest first: one clinic's, what one person did, what happened to one row.
  CREATE INDEX events_clinic_id_idx ON audit.events (clinic_id, occurred_at DESC, id DESC);
  CREATE INDEX events_actor_id_idx ON audit.events (actor_id, occurred_at DESC);
  CREATE INDEX events_row_id_idx ON audit.events (table_name, row_id);
`;
