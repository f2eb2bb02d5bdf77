import { Injectable } from '@nestjs/common';
import type { JobHelpers } from 'graphile-worker';
import { Database } from '../tenancy/database.js';
import type { RegisteredJob } from './job-registry.js';

export interface JobRun {
  name: string;
  startedAt: Date;
  /** Null while it runs, and for good where its worker was killed. */
  finishedAt: Date | null;
  outcome: 'running' | 'done' | 'failed' | 'lost';
  durationMs: number | null;
  failure: string | null;
}

/**
 * How the last runs of scheduled jobs have ended. Only theirs: a job that a request has added may come by the thousand, and
 * when it fails for good it is listed by itself.
 *
 * What cannot be noted, as while the database is away, keeps no job from running.
 */
@Injectable()
export class RunHistory {
  constructor(private readonly database: Database) {}

  /** Over the worker's own connection. @returns what to call at the end */
  async begin(
    { name, schedule }: RegisteredJob,
    { query, job }: JobHelpers,
  ): Promise<(durationMs: number, failure: string | null) => Promise<void>> {
    if (schedule === undefined) return async () => undefined;
    const begun = await query<{ run: string }>(beginRun, [name, job.id, job.locked_by ?? '']).catch(() => undefined);
    const run = begun?.rows[0]?.run;
    return async (durationMs, failure) => {
      if (run) await query(endRun, [run, Math.round(durationMs), failure]).catch(() => undefined);
    };
  }

  /** The last runs of each of the jobs, newest first. Needs the transaction of an admin. */
  async recent(names: readonly string[], each: number): Promise<JobRun[]> {
    return this.database.query<JobRun>('SELECT * FROM jobs.recent_runs($1, $2)', [names, each]);
  }
}

const beginRun = 'SELECT jobs.begin_run($1, $2, $3) AS run';
const endRun = 'SELECT jobs.end_run($1, $2, $3)';
