import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { runStates } from './sync-states.js';

const RefusedRow = z.object({
  sheet: z.string(),
  line: z.int(),
  column: z.string().nullable(),
  field: z.string().nullable(),
  code: z.string(),
  message: z.string(),
});
export type RefusedRow = z.infer<typeof RefusedRow>;

const SheetImport = z.object({
  importId: Uuid.meta({ description: 'The import that holds all refused rows, and that can be undone.' }),
  sheet: z.string(),
  table: z.string(),
  mappingId: Uuid,
  mappingVersion: z.int(),
});
export type SheetImport = z.infer<typeof SheetImport>;

const Problem = z.object({ code: z.string(), detail: z.string() });
export type RunProblem = z.infer<typeof Problem>;

export const SyncRun = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    connectionId: Uuid,
    cause: z.enum(['person', 'schedule']),
    requestedBy: Uuid.nullable(),
    status: z.enum(runStates),
    attempts: z.int(),
    startedAt: Timestamp.nullable(),
    finishedAt: Timestamp.nullable(),
    rowsRead: z.int(),
    rowsInserted: z.int(),
    rowsUpdated: z.int(),
    rowsUnchanged: z.int(),
    rowsRejected: z.int(),
    imports: z.array(SheetImport),
    problem: Problem.nullable().meta({ description: 'What ended it, or what it waits for.' }),
    errors: z.array(RefusedRow).meta({ description: 'The first refused rows, for 90 days.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'SyncRun' });
export type SyncRun = z.input<typeof SyncRun>;

export const SyncRuns = pageOf(SyncRun, 'SyncRuns');
export type SyncRuns = z.input<typeof SyncRuns>;
export const SyncRunsQuery = pageQuery;
export type SyncRunsQuery = z.infer<typeof SyncRunsQuery>;
