import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { GoogleFailure } from '../../../integrations/google/google-failure.js';
import { ImportIntake } from '../imports/import-intake.js';
import type { ImportOutcome } from '../imports/import-records.js';
import { MappingAdvice } from '../imports/mappings/mapping-advice.js';
import { type HeadedSheet, SheetReader, type SheetSource } from './sheet-reader.js';
import { GoogleReauthorize, SheetHeaderChanged, SheetNotMapped, SyncOver } from './sheets.errors.js';
import { type RunEnd, type SheetMapping, SyncRunStore, type SyncTask } from './sync-run-store.js';
import type { SheetImport } from './sync-runs.schemas.js';

/** A mapping with the sheet that it reads and the import that takes its rows. */
interface Part {
  mapping: SheetMapping;
  headed: HeadedSheet;
  importId: string;
}

const mostErrors = 100;

/**
 * One reading of a connected spreadsheet. First everything is looked at (sheets, mappings, headers), then all rows are
 * taken in, and only then is any brought into the facts: what stops it before leaves nothing behind.
 */
@Injectable()
export class SheetSync {
  constructor(
    private readonly reader: SheetReader,
    private readonly advice: MappingAdvice,
    private readonly intake: ImportIntake,
    private readonly runs: SyncRunStore,
  ) {}

  /** @throws whatever stopped it: GoogleFailure, or a problem of the domain */
  async synchronise(task: SyncTask): Promise<RunEnd> {
    if (!task.credentialId || !task.userId) throw new GoogleReauthorize();
    const source = { credentialId: task.credentialId, spreadsheetId: task.spreadsheetId };
    const parts = await this.lookAt(task, source);
    await this.runs.noteImports(task.runId, parts.map(importOf));
    for (const part of parts) await this.takeIn(task, task.userId, source, part);
    if (!(await this.runs.isUnderWay(task.runId))) {
      // Nobody knows these imports any more: the run that named them went with its connection.
      for (const { importId } of parts) await this.intake.discard(task.clinicId, importId);
      throw new SyncOver();
    }
    const outcomes: { part: Part; outcome: ImportOutcome }[] = [];
    for (const part of parts) outcomes.push({ part, outcome: await this.intake.run(task.clinicId, part.importId) });
    return endOf(outcomes);
  }

  /** Everything that can be wrong before the first row is read, the headers of all sheets included. */
  private async lookAt(task: SyncTask, source: SheetSource): Promise<Part[]> {
    const unmapped = task.sheetNames.filter((name) => !task.mappings.some(({ sheet }) => sheet === name));
    if (unmapped.length > 0) throw new SheetNotMapped(`No active mapping names ${quoted(unmapped, 'sheet')}.`);
    const file = await this.reader.describe(source);
    const headed = new Map<string, HeadedSheet>();
    for (const name of task.sheetNames) headed.set(name, await this.reader.headed(source, file, name));
    return task.mappings.flatMap((mapping) => {
      const sheet = headed.get(mapping.sheet);
      if (!sheet) return [];
      this.assertHeader(mapping, sheet);
      return [{ mapping, headed: sheet, importId: importIdFor(task, mapping) }];
    });
  }

  private assertHeader({ sheet, mapping }: SheetMapping, { columns }: HeadedSheet): void {
    const missing = this.advice.missingColumns(mapping, columns);
    const mapped = new Set(mapping.columns.map(({ column }) => normalised(column)));
    const names = columns.map(normalised);
    const twice = columns.filter((_, at) => mapped.has(names[at] ?? '') && names.indexOf(names[at] ?? '') !== at);
    if (missing.length === 0 && twice.length === 0) return;
    const unknown = columns.filter((column) => column !== '' && !mapped.has(normalised(column)));
    const sentences = [
      missing.length > 0 && `The mapping reads ${quoted(missing, 'column')}, which sheet '${sheet}' does not have.`,
      twice.length > 0 && `Sheet '${sheet}' has ${quoted(twice, 'column')} twice.`,
      missing.length > 0 && unknown.length > 0 && `Not in the mapping: ${quoted(unknown)}.`,
      'Nothing was imported.',
    ];
    throw new SheetHeaderChanged(sentences.filter(Boolean).join(' '));
  }

  private takeIn(
    task: SyncTask,
    userId: string,
    source: SheetSource,
    { mapping, headed, importId }: Part,
  ): Promise<void> {
    return this.intake.receive(
      {
        ...{ id: importId, clinicId: task.clinicId, userId, table: mapping.table, mapping: mapping.mapping },
        ...{ mode: 'upsert', source: 'sheet', name: `${task.name} / ${mapping.sheet}`, columns: headed.columns },
      },
      this.reader.rows(source, headed),
    );
  }
}

/** The import of an earlier attempt of this run, as long as it is of the same mapping. */
function importIdFor({ imports }: SyncTask, { id, version }: SheetMapping): string {
  return imports.find((each) => each.mappingId === id && each.mappingVersion === version)?.importId ?? uuidv7();
}

const importOf = ({ mapping, importId }: Part): SheetImport => ({
  ...{ importId, sheet: mapping.sheet, table: mapping.table },
  ...{ mappingId: mapping.id, mappingVersion: mapping.version },
});

/** A run is a success only if each of its imports is. That of a sheet without rows is one; one that was cut off is none. */
function endOf(outcomes: { part: Part; outcome: ImportOutcome }[]): RunEnd {
  const total = (count: (outcome: ImportOutcome) => number) =>
    outcomes.reduce((sum, { outcome }) => sum + count(outcome), 0);
  const failed = outcomes.find(({ outcome }) => outcome.status !== 'done');
  const errors = outcomes.flatMap(({ part, outcome }) =>
    outcome.firstErrors.map((error) => ({ ...error, sheet: part.mapping.sheet })),
  );
  const { code = 'nothing-imported', detail = 'No row of the sheet was imported.' } = failed?.outcome.problem ?? {};
  return {
    status: failed ? 'failed' : 'done',
    connection: failed ? 'failed' : 'ok',
    counts: {
      rowsRead: total(({ rowsRead }) => rowsRead),
      inserted: total(({ inserted }) => inserted),
      updated: total(({ updated }) => updated),
      unchanged: total(({ unchanged }) => unchanged),
      rejected: total(({ rejected }) => rejected),
    },
    problem: failed ? { code, detail: `Sheet '${failed.part.mapping.sheet}': ${detail}` } : null,
    errors: errors.slice(0, mostErrors),
  };
}

const normalised = (column: string): string => column.trim().toLowerCase();

const quoted = (names: readonly string[], noun = ''): string =>
  `${noun && `${noun}${names.length > 1 ? 's' : ''} `}${names.map((name) => `'${name}'`).join(', ')}`;

/** Whether the same run may succeed later, by itself. */
export function isPassing(error: unknown): error is GoogleFailure {
  return error instanceof GoogleFailure && (error.kind === 'rate-limited' || error.kind === 'unavailable');
}
