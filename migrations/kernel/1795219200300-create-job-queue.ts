import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Our doors to graphile-worker's queue. The schema `jobs` belongs to `polyclinic_jobs`, which owns the queue's tables:
 * its functions are SECURITY DEFINER because a request must add a job in its own transaction and do nothing else there.
 */
export class CreateJobQueue1795219200300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`SET LOCAL ROLE polyclinic_jobs`);
    await queryRunner.query(tables);
    await queryRunner.query(adding);
    await queryRunner.query(operating);
    await queryRunner.query(grants);
    await queryRunner.query(`SET LOCAL ROLE polyclinic_owner`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      SET LOCAL ROLE polyclinic_jobs;
      DROP FUNCTION jobs.heartbeat(text[]);
      DROP FUNCTION jobs.queue_health();
      DROP FUNCTION jobs.retry(bigint);
      DROP FUNCTION jobs.dead(bigint, integer);
      DROP FUNCTION jobs.tick(text, timestamptz, integer);
      DROP FUNCTION jobs.enqueue(text, json, text, timestamptz, integer);
      DROP TABLE jobs.workers;
      DROP TABLE jobs.ticks;
      DROP SCHEMA jobs;
      ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
      SET LOCAL ROLE polyclinic_owner;
    `);
  }
}

const tables = `
  ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
  CREATE SCHEMA jobs;
  COMMENT ON SCHEMA jobs IS 'The only doors to the queue';

  CREATE TABLE jobs.ticks (
    name text NOT NULL,
    period timestamptz NOT NULL,
    PRIMARY KEY (name, period)
  );
  COMMENT ON TABLE jobs.ticks IS 'Scheduled periods that some instance has enqueued: one run, however many tick';

  CREATE TABLE jobs.workers (
    id text PRIMARY KEY,
    seen_at timestamptz NOT NULL
  );
  COMMENT ON TABLE jobs.workers IS 'Workers that live; the jobs of one that was killed are given back after a minute';

  ALTER TABLE jobs.ticks ENABLE ROW LEVEL SECURITY;
  ALTER TABLE jobs.ticks FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner_all ON jobs.ticks TO polyclinic_jobs USING (true) WITH CHECK (true);
  ALTER TABLE jobs.workers ENABLE ROW LEVEL SECURITY;
  ALTER TABLE jobs.workers FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner_all ON jobs.workers TO polyclinic_jobs USING (true) WITH CHECK (true);
`;

const adding = `
  CREATE FUNCTION jobs.enqueue(p_name text, p_payload json, p_key text, p_run_at timestamptz, p_max_attempts integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    IF coalesce(current_setting('app.request_id', true), '') = '' THEN
      RAISE EXCEPTION USING ERRCODE = 'PC403', MESSAGE = 'forbidden';
    END IF;
    PERFORM graphile_worker.add_job(
      identifier => p_name, payload => p_payload, job_key => p_key, run_at => p_run_at, max_attempts => p_max_attempts);
  END $$;
  COMMENT ON FUNCTION jobs.enqueue IS
    'Adds a job in the caller''s transaction. SECURITY DEFINER: request roles may add, and nothing else';

  CREATE FUNCTION jobs.tick(p_name text, p_period timestamptz, p_max_attempts integer)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    INSERT INTO jobs.ticks (name, period) VALUES (p_name, p_period) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
    DELETE FROM jobs.ticks WHERE period < now() - interval '35 days';
    PERFORM graphile_worker.add_job(
      identifier => p_name, payload => '{}', job_key => p_name || ' ' || p_period, max_attempts => p_max_attempts);
    RETURN true;
  END $$;
  COMMENT ON FUNCTION jobs.tick IS 'Enqueues a scheduled job once per period; true when this call was the one';
`;

const operating = `
  CREATE FUNCTION jobs.dead(p_before bigint, p_limit integer)
    RETURNS TABLE (id bigint, name text, attempts integer, last_error text, created_at timestamptz, run_at timestamptz, key text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT j.id, j.task_identifier, j.attempts::integer, j.last_error, j.created_at, j.run_at, j.key
      FROM graphile_worker.jobs j
     WHERE j.attempts >= j.max_attempts AND j.locked_at IS NULL AND (p_before IS NULL OR j.id < p_before)
     ORDER BY j.id DESC LIMIT p_limit
  $$;
  COMMENT ON FUNCTION jobs.dead IS 'Jobs that were given up, newest first, without their payloads';

  CREATE FUNCTION jobs.retry(p_id bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN
    PERFORM FROM graphile_worker.jobs j WHERE j.id = p_id AND j.attempts >= j.max_attempts AND j.locked_at IS NULL;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
    PERFORM graphile_worker.reschedule_jobs(ARRAY[p_id], run_at => now(), attempts => 0);
    RETURN true;
  END $$;
  COMMENT ON FUNCTION jobs.retry IS 'Lets a job that was given up run again; false when there is none of that id';

  CREATE FUNCTION jobs.queue_health() RETURNS TABLE (ready bigint, oldest_seconds bigint, dead bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT count(*) FILTER (WHERE is_due),
           coalesce(extract(epoch FROM now() - min(run_at) FILTER (WHERE is_due))::bigint, 0),
           count(*) FILTER (WHERE attempts >= max_attempts)
      FROM (SELECT *, attempts < max_attempts AND locked_at IS NULL AND run_at <= now() AS is_due
              FROM graphile_worker.jobs) j
  $$;

  CREATE FUNCTION jobs.heartbeat(p_workers text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_latest timestamptz := (SELECT max(w.seen_at) FROM jobs.workers w);
    v_lost text[];
  BEGIN
    INSERT INTO jobs.workers (id, seen_at) SELECT unnest(p_workers), now()
      ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at;
    -- After an outage nobody has been heard of: the others get the time until the next beat to say that they live.
    IF v_latest IS NULL OR v_latest < now() - interval '60 seconds' THEN
      RETURN;
    END IF;
    DELETE FROM jobs.workers WHERE seen_at < now() - interval '60 seconds';
    SELECT array_agg(DISTINCT j.locked_by) INTO v_lost FROM graphile_worker.jobs j
     WHERE j.locked_at < now() - interval '60 seconds' AND NOT EXISTS (SELECT FROM jobs.workers w WHERE w.id = j.locked_by);
    IF v_lost IS NOT NULL THEN
      PERFORM graphile_worker.force_unlock_workers(v_lost);
    END IF;
  END $$;
  COMMENT ON FUNCTION jobs.heartbeat IS
    'Says which workers live, and gives back the jobs of those that do not: graphile-worker alone waits four hours';
`;

const grants = `
  GRANT USAGE ON SCHEMA jobs TO anon, authenticated, super_admin, service_role;
  GRANT EXECUTE ON FUNCTION jobs.enqueue TO anon, authenticated, super_admin, service_role;
  GRANT EXECUTE ON FUNCTION jobs.tick, jobs.queue_health TO service_role;
  GRANT EXECUTE ON FUNCTION jobs.dead, jobs.retry TO super_admin;
`;
