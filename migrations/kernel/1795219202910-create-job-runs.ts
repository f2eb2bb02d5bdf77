import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What became of the last runs of each scheduled job. The queue itself forgets a job that is done.
 *
 * The worker writes here with its own login as `polyclinic_jobs`; an admin reads through one door. A run whose worker was
 * killed says 'lost' once the job runs again, or with the heartbeat that gives its lock back.
 */
export class CreateJobRuns1795219202910 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`SET LOCAL ROLE polyclinic_jobs`);
    await queryRunner.query(table);
    await queryRunner.query(recording);
    await queryRunner.query(reading);
    await queryRunner.query(heartbeat(`PERFORM jobs.lose_runs();`));
    await queryRunner.query(`SET LOCAL ROLE polyclinic_owner`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`SET LOCAL ROLE polyclinic_jobs`);
    await queryRunner.query(heartbeat(''));
    await queryRunner.query(`
      DROP FUNCTION jobs.recent_runs(text[], integer);
      DROP FUNCTION jobs.lose_runs();
      DROP FUNCTION jobs.end_run(bigint, integer, text);
      DROP FUNCTION jobs.begin_run(text, bigint, text);
      DROP TABLE jobs.runs;
    `);
    await queryRunner.query(`SET LOCAL ROLE polyclinic_owner`);
  }
}

const table = `
  CREATE TABLE jobs.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    job_id bigint NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    outcome text NOT NULL DEFAULT 'running',
    duration_ms integer,
    failure text,
    CONSTRAINT runs_outcome_check CHECK (outcome IN ('running', 'done', 'failed', 'lost'))
  );
  COMMENT ON TABLE jobs.runs IS 'The last 50 runs of each scheduled job; never a payload';
  COMMENT ON COLUMN jobs.runs.worker IS 'The worker that has it, as jobs.workers names it';
  COMMENT ON COLUMN jobs.runs.failure IS 'Classes and codes, never a message of a driver or a provider';

  -- The newest of a name, also for what is removed beyond them; and the few that run.
  CREATE INDEX runs_name_idx ON jobs.runs (name, id DESC);
  CREATE INDEX runs_job_id_idx ON jobs.runs (job_id) WHERE outcome = 'running';

  ALTER TABLE jobs.runs ENABLE ROW LEVEL SECURITY;
  ALTER TABLE jobs.runs FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner_all ON jobs.runs TO polyclinic_jobs USING (true) WITH CHECK (true);
`;

const recording = `
  CREATE FUNCTION jobs.begin_run(p_name text, p_job bigint, p_worker text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = '' AS $$
  DECLARE
    v_run bigint;
  BEGIN
    -- The queue gives a job to one worker at a time: what still says that it runs was cut off.
    UPDATE jobs.runs SET outcome = 'lost' WHERE job_id = p_job AND outcome = 'running';
    INSERT INTO jobs.runs (name, job_id, worker) VALUES (p_name, p_job, p_worker) RETURNING id INTO v_run;
    DELETE FROM jobs.runs r
     WHERE r.name = p_name
       AND r.id <= (SELECT k.id FROM jobs.runs k WHERE k.name = p_name ORDER BY k.id DESC OFFSET 50 LIMIT 1);
    RETURN v_run;
  END $$;
  COMMENT ON FUNCTION jobs.begin_run IS 'Notes that a worker has begun a job, and forgets all but the last 50 runs of that name';

  CREATE FUNCTION jobs.end_run(p_run bigint, p_duration_ms integer, p_failure text) RETURNS void
    LANGUAGE sql SET search_path = '' AS $$
    UPDATE jobs.runs
       SET finished_at = clock_timestamp(), duration_ms = p_duration_ms, failure = p_failure,
           outcome = CASE WHEN p_failure IS NULL THEN 'done' ELSE 'failed' END
     WHERE id = p_run
  $$;
  COMMENT ON FUNCTION jobs.end_run IS 'Notes how a run has ended, also of one that was taken for lost';

  CREATE FUNCTION jobs.lose_runs() RETURNS void LANGUAGE sql SET search_path = '' AS $$
    UPDATE jobs.runs r SET outcome = 'lost'
     WHERE r.outcome = 'running' AND r.started_at < now() - interval '60 seconds'
       AND NOT EXISTS (SELECT FROM jobs.workers w WHERE w.id = r.worker)
  $$;
  COMMENT ON FUNCTION jobs.lose_runs IS 'Marks the runs of workers that are gone, as the heartbeat has found';
`;

const reading = `
  CREATE FUNCTION jobs.recent_runs(p_names text[], p_each integer)
    RETURNS TABLE (name text, started_at timestamptz, finished_at timestamptz, outcome text, duration_ms integer, failure text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT n.name, r.started_at, r.finished_at, r.outcome, r.duration_ms, r.failure
      FROM unnest(p_names) AS n (name)
     CROSS JOIN LATERAL (SELECT * FROM jobs.runs k WHERE k.name = n.name ORDER BY k.id DESC LIMIT p_each) r
     ORDER BY n.name, r.id DESC
  $$;
  COMMENT ON FUNCTION jobs.recent_runs IS
    'The last runs of each job, newest first. SECURITY DEFINER: an admin sees how jobs ended, and nothing else of the queue';
  GRANT EXECUTE ON FUNCTION jobs.recent_runs TO super_admin;
`;

/** The same as in the migration that made the queue, but for what follows when workers are found to be gone. */
const heartbeat = (afterwards: string): string => `
  CREATE OR REPLACE FUNCTION jobs.heartbeat(p_workers text[]) RETURNS void
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
    ${afterwards}
  END $$;
`;
