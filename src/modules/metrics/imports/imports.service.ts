import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { Forbidden, NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import type { Upload } from '../../../kernel/http/upload.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { ImportFiles } from './import-files.js';
import { firstErrors, ImportRecords } from './import-records.js';
import { ImportNotPossible } from './imports.errors.js';
import type { Import, ImportForm, ImportSummary, Imports, ImportsQuery } from './imports.schemas.js';
import { MappingChoice } from './mappings/mapping-choice.js';
import { fileFormats } from './reading/open-rows.js';
import { unreadable } from './reading/unreadable.js';

const purpose = 'imports';

/** Files that come in: received, followed, cancelled. */
@Injectable()
export class ImportsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly jobs: Jobs,
    private readonly records: ImportRecords,
    private readonly files: ImportFiles,
    private readonly choice: MappingChoice,
  ) {}

  async list(clinicId: string, { cursor, limit, status, table }: ImportsQuery): Promise<Imports> {
    const [before] = cursor ? this.cursors.decode(cursor, purpose) : [null];
    const values = [clinicId, before, status ?? null, table ?? null, limit + 1];
    const rows = await this.database.query<ImportSummary>(listImports, values);
    return toPage(rows, limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(clinicId: string, importId: string): Promise<Import> {
    const row = await this.database.first<Import>(getImport, [clinicId, importId]);
    if (!row) throw new NotFound();
    return row;
  }

  /**
   * Stores an upload while it arrives, and leaves the rest to a job. Between two pieces no connection is held.
   *
   * @throws MappingRefused, and what the upload itself throws; then nothing of the file is kept
   */
  async receive(clinicId: string, { fields, fileName, file }: Upload<ImportForm>): Promise<Import> {
    const id = uuidv7();
    await this.database.separately(() => this.begin(clinicId, id, fields, fileName));
    try {
      await this.files.store(clinicId, id, file);
      await this.database.separately(() => this.enqueue(clinicId, id));
    } catch (error) {
      await this.abandon(clinicId, id, asDomainError(error));
      throw error;
    }
    return this.database.separately(() => this.get(clinicId, id));
  }

  /** Only one that waits: an import that runs is a single transaction, and soon over. */
  async cancel(clinicId: string, importId: string): Promise<Import> {
    const [cancelled] = await this.database.query(cancelImport, [clinicId, importId]);
    const present = await this.get(clinicId, importId);
    if (cancelled) return present;
    if (present.status === 'queued')
      throw new Forbidden('Whoever asked for the import can cancel it, or a clinic_admin.');
    throw new ImportNotPossible(`The import is ${present.status}: only one that is queued can be cancelled.`);
  }

  private async begin(clinicId: string, id: string, form: ImportForm, fileName: string): Promise<void> {
    const { table, mode, encoding, sheet, delimiter, dryRun: isDryRun, strict: isStrict } = form;
    const mapping = await this.choice.of(clinicId, table, form);
    const options = { encoding, sheet, delimiter: delimiter === 'tab' ? ('\t' as const) : delimiter };
    const format = form.format ?? formatOf(fileName);
    const name = fileName || 'unnamed';
    await this.records.create({
      id,
      clinicId,
      source: 'file',
      name,
      format,
      table,
      mode,
      isDryRun,
      isStrict,
      mapping,
      options,
    });
  }

  private async enqueue(clinicId: string, importId: string): Promise<void> {
    await this.records.move(clinicId, importId, 'queued');
    await this.jobs.enqueue('metrics.import', { clinicId, importId });
  }

  private async abandon(clinicId: string, id: string, { definition, message }: DomainError): Promise<void> {
    await this.files.remove(clinicId, id);
    await this.records.fail({ clinicId, id }, { code: definition.code, detail: message, line: null, column: null });
  }
}

function formatOf(fileName: string): (typeof fileFormats)[number] {
  const ending = fileName.toLowerCase().split('.').at(-1) ?? '';
  const format = ending === 'jsonl' ? 'ndjson' : ending === 'txt' || ending === 'tsv' ? 'csv' : ending;
  const known = fileFormats.find((each) => each === format);
  if (!known) throw unreadable('The name of the file does not tell its format: say csv, xlsx or ndjson in `format`.');
  return known;
}

const columns = `i.id, i.clinic_id, i.source, i.name, i.format, i.target_table AS table, i.mode, i.is_dry_run AS dry_run,
  i.is_strict AS strict, i.status, i.rows_read, i.inserted, i.updated, i.unchanged, i.rejected, i.problem, i.created_by,
  i.created_at, i.started_at, i.finished_at, i.undone_at, i.undone_by`;

const listImports = `
  SELECT ${columns} FROM public.imports i
   WHERE i.clinic_id = $1 AND ($2::uuid IS NULL OR i.id < $2) AND ($3::text IS NULL OR i.status = $3)
     AND ($4::text IS NULL OR i.target_table = $4)
   ORDER BY i.id DESC LIMIT $5`;

const getImport = `
  SELECT ${columns}, i.mapping, ${firstErrors} FROM public.imports i WHERE i.clinic_id = $1 AND i.id = $2`;

const cancelImport = `
  UPDATE public.imports SET status = 'cancelled', finished_at = clock_timestamp()
   WHERE clinic_id = $1 AND id = $2 AND status = 'queued' RETURNING id`;
