import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { GoogleFailure } from '../../../integrations/google/google-failure.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { ImportIntake } from '../imports/import-intake.js';
import { asSheetsProblem } from './google-problems.js';
import { isPassing, SheetSync } from './sheet-sync.js';
import { GoogleReauthorize, SyncLost } from './sheets.errors.js';
import { SyncQueue, syncJob } from './sync-queue.js';
import { type LostRun, type RunEnd, SyncRunStore, type SyncTask } from './sync-run-store.js';
import type { RunProblem } from './sync-runs.schemas.js';

const SyncJob = z.object({ runId: z.uuid() });

/** Eight attempts: with waits that double from half a minute that is over an hour in which Google is away. */
const mostAttempts = 8;
const firstWaitSeconds = 30;
const longestWaitSeconds = 3_600;

/** Runs synchronisations, and lets those begin that are due. */
@Injectable()
export class SheetsJobs {
  constructor(
    private readonly queue: SyncQueue,
    private readonly runs: SyncRunStore,
    private readonly sync: SheetSync,
    private readonly intake: ImportIntake,
  ) {}

  @JobHandler(syncJob, { payload: SyncJob })
  async synchronise({ runId }: z.infer<typeof SyncJob>): Promise<void> {
    const task = await this.runs.claim(runId);
    if (!task) return;
    try {
      await this.end(task, await this.sync.synchronise(task));
    } catch (error) {
      await this.stop(task, error);
    }
  }

  @Scheduled('* * * * *')
  @JobHandler('metrics.begin-due-syncs', { payload: z.object({}) })
  async beginDue(): Promise<void> {
    await this.queue.beginDue();
    for (const lost of await this.runs.closeLost(problemOf(new SyncLost()))) await this.discardImports(lost);
  }

  @Scheduled('23 3 1 * *')
  @JobHandler('metrics.clean-syncs', { payload: z.object({}) })
  clean(): Promise<void> {
    return this.runs.clean();
  }

  /** What passes is waited for, what a person must mend ends the run; the rest is the queue's to try again. */
  private async stop(task: SyncTask, error: unknown): Promise<void> {
    const problem = asProblem(error);
    if (!problem) throw error;
    if (isPassing(error) && task.attempts < mostAttempts)
      return this.runs.wait(task, problemOf(problem), new Date(Date.now() + waitSeconds(task, error) * 1000));
    await this.end(task, endFor(problem, error));
  }

  /** Rows of a run that has failed for good are brought in by nobody any more. */
  private async end(task: SyncTask, end: RunEnd): Promise<void> {
    const imports = await this.runs.finish(task, end);
    if (end.status === 'failed') await this.discardImports({ clinicId: task.clinicId, imports });
  }

  private async discardImports({ clinicId, imports }: LostRun): Promise<void> {
    for (const { importId } of imports) await this.intake.discard(clinicId, importId);
  }
}

/** Undefined for what is no one's fault but ours or the database's. */
function asProblem(error: unknown): DomainError | undefined {
  const problem = asSheetsProblem(error);
  if (error instanceof GoogleFailure && problem instanceof DomainError) return problem;
  const known = asDomainError(error);
  return known.definition.status < 500 ? known : undefined;
}

/** A 403 needs another consent as a 401 does: with scopes, or of an account with which the spreadsheet is shared. */
function endFor(problem: DomainError, error: unknown): RunEnd {
  const isForbidden = error instanceof GoogleFailure && error.kind === 'forbidden';
  const isConsent = isForbidden || problem.definition.code === GoogleReauthorize.definition.code;
  return { status: 'failed', connection: isConsent ? 'reauthorize' : 'failed', problem: problemOf(problem) };
}

function waitSeconds({ attempts }: SyncTask, { retryAfter = 0 }: GoogleFailure): number {
  const doubling = firstWaitSeconds * 2 ** (attempts - 1);
  return Math.min(retryAfter > 0 ? retryAfter : doubling, longestWaitSeconds);
}

const problemOf = ({ definition, message }: DomainError): RunProblem => ({ code: definition.code, detail: message });
