import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { ImportRuns } from './import-runs.js';
import { UndoRuns } from './undo-runs.js';

const OneImport = z.object({ clinicId: z.uuid(), importId: z.uuid() });

@Injectable()
export class ImportJobs {
  constructor(
    private readonly runs: ImportRuns,
    private readonly undoing: UndoRuns,
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  @JobHandler('metrics.import', { payload: OneImport, maxAttempts: 8 })
  async run({ clinicId, importId }: z.infer<typeof OneImport>): Promise<void> {
    await this.runs.run(clinicId, importId);
    await this.rollUp();
  }

  @JobHandler('metrics.undo-import', { payload: OneImport, maxAttempts: 8 })
  async undo({ clinicId, importId }: z.infer<typeof OneImport>): Promise<void> {
    await this.undoing.run(clinicId, importId);
    await this.rollUp();
  }

  /** What a crash or a cut line has left: uploads that never ended, and files whose import is over. */
  @Scheduled('23 * * * *')
  @JobHandler('metrics.sweep-imports', { payload: z.object({}) })
  async sweep(): Promise<void> {
    await this.asService(async () => {
      await this.database.query(failAbandoned);
      await this.database.query(endAbandonedUndoing);
      await this.database.query(deleteLeftFiles);
    });
  }

  /** Details go after 90 days; the imports themselves and what they brought stay. */
  @Scheduled('41 3 1 * *')
  @JobHandler('metrics.clean-imports', { payload: z.object({}) })
  async clean(): Promise<void> {
    await this.asService(async () => {
      await this.database.query(deleteOldErrors);
      await this.database.query(deleteOldChanges);
      await this.database.query(noteRemoval);
    });
  }

  /** Whoever follows an import looks at the figures next: not only with the next minute. */
  private rollUp(): Promise<void> {
    return this.transactions.runAs({ service: 'roll up facts' }, () =>
      this.jobs.enqueue('metrics.roll-up', {}, { key: 'metrics.roll-up after an import' }),
    );
  }

  /** A month's errors may be millions of rows. */
  private asService(work: () => Promise<void>): Promise<void> {
    return this.transactions.runAs({ service: 'clean up imports' }, work, { statementTimeoutMs: 600_000 });
  }
}

/** A sheet's rows have no job of their own once they are queued: the synchronisation that fetched them merges them. */
const failAbandoned = `
  UPDATE public.imports
     SET status = 'failed', finished_at = clock_timestamp(),
         problem = '{"code": "interrupted", "detail": "It was given up before its end.", "line": null, "column": null}'
   WHERE (status = 'receiving' AND updated_at < now() - interval '6 hours')
      OR (status = 'queued' AND source = 'sheet' AND updated_at < now() - interval '6 hours')
      OR (status = 'running' AND updated_at < now() - interval '24 hours')`;

const endAbandonedUndoing = `
  UPDATE public.imports
     SET status = 'done', undone_by = NULL, undo_attempts = 0,
         problem = '{"code": "interrupted", "detail": "Undoing was given up. Nothing was undone.", "line": null, "column": null}'
   WHERE status = 'undoing' AND updated_at < now() - interval '24 hours'`;

const deleteLeftFiles = `
  DELETE FROM public.import_files f USING public.imports i
   WHERE i.clinic_id = f.clinic_id AND i.id = f.import_id AND i.status NOT IN ('receiving', 'queued', 'running')`;

const old = `i.finished_at < now() - interval '90 days' AND i.details_removed_at IS NULL`;

const deleteOldErrors = `
  DELETE FROM public.import_errors e USING public.imports i
   WHERE i.clinic_id = e.clinic_id AND i.id = e.import_id AND ${old}`;

const deleteOldChanges = `
  DELETE FROM public.import_changes c USING public.imports i
   WHERE i.clinic_id = c.clinic_id AND i.id = c.import_id AND ${old}`;

const noteRemoval = `UPDATE public.imports i SET details_removed_at = now() WHERE ${old}`;
