import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import {
  ClinicInactive,
  Forbidden,
  InvalidCursor,
  NotFound,
  PayloadTooLarge,
  RuleViolated,
  UnsupportedMediaType,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { Upload } from '../../../kernel/http/upload.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { ImportErrorsService } from './import-errors.service.js';
import {
  ChangedSince,
  ColumnsMissing,
  ImportNotPossible,
  MappingRefused,
  TooManyRows,
  UnreadableFile,
} from './imports.errors.js';
import { Import, ImportForm, Imports, ImportsQuery, PushedOutcome, PushedRows } from './imports.schemas.js';
import { ImportsService } from './imports.service.js';
import { PushedRowsService } from './pushed-rows.service.js';
import { UndoService } from './undo.service.js';

@ApiTags('metrics')
@Controller('clinics/:clinicId/imports')
export class ImportsController {
  constructor(
    private readonly imports: ImportsService,
    private readonly pushedRows: PushedRowsService,
    private readonly errors: ImportErrorsService,
    private readonly undoing: UndoService,
  ) {}

  @Get()
  @Operation({
    id: 'listImports',
    summary: 'List the imports of a clinic, the newest first',
    access: clinicRole('viewer'),
    answers: Imports,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: ImportsQuery }) query: ImportsQuery,
  ): Promise<Imports> {
    return this.imports.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createImport',
    summary: 'Bring a file of facts into a clinic',
    description:
      'A CSV, XLSX or NDJSON file, taken in by a job as the caller: follow it where `Location` points. Rows that are refused are listed and the others brought in, unless `strict` is set; a file that cannot be read to its end brings nothing. The same file twice changes nothing.',
    access: clinicRole('staff'),
    status: 202,
    answers: Import,
    location: '/clinics/{clinicId}/imports/{id}',
    uploads: { fields: ImportForm },
    refusals: [
      ClinicInactive,
      Forbidden,
      MappingRefused,
      NotFound,
      PayloadTooLarge,
      UnreadableFile,
      UnsupportedMediaType,
    ],
  })
  create(@Param('clinicId', { schema: Uuid }) clinicId: string, @Upload() upload: Upload<ImportForm>): Promise<Import> {
    return this.imports.receive(clinicId, upload);
  }

  @Post('rows')
  @Operation({
    id: 'pushRows',
    summary: 'Bring up to 5,000 rows of facts into a clinic at once',
    description: 'For a script beside a spreadsheet: each row is answered. Sent twice, nothing changes.',
    access: clinicRole('staff'),
    answers: PushedOutcome,
    refusals: [ClinicInactive, ColumnsMissing, Forbidden, MappingRefused, PayloadTooLarge, RuleViolated, TooManyRows],
  })
  push(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: PushedRows }) body: PushedRows,
    @CurrentCaller() caller: Caller,
  ): Promise<PushedOutcome> {
    return this.pushedRows.push(clinicId, caller.userId, body);
  }

  @Get(':importId')
  @Operation({
    id: 'getImport',
    summary: 'Follow an import: progress in rows, counts, first errors',
    access: clinicRole('viewer'),
    answers: Import,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('importId', { schema: Uuid }) importId: string,
  ): Promise<Import> {
    return this.imports.get(clinicId, importId);
  }

  @Get(':importId/errors.csv')
  @Operation({
    id: 'listImportErrors',
    summary: 'Every refused row of an import, with line, column and reason',
    access: clinicRole('viewer'),
    streams: { contentTypes: ['text/csv; charset=utf-8'] },
  })
  errorsFile(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('importId', { schema: Uuid }) importId: string,
  ): Promise<StreamedAnswer> {
    return this.errors.file(clinicId, importId);
  }

  @Post(':importId/cancel')
  @Operation({
    id: 'cancelImport',
    summary: 'Cancel an import that still waits',
    access: clinicRole('staff'),
    status: 200,
    answers: Import,
    refusals: [ClinicInactive, Forbidden, ImportNotPossible],
  })
  cancel(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('importId', { schema: Uuid }) importId: string,
  ): Promise<Import> {
    return this.imports.cancel(clinicId, importId);
  }

  @Post(':importId/undo')
  @Operation({
    id: 'undoImport',
    summary: 'Undo an import within 30 days',
    description:
      'What it added goes, what it changed is as before, by a job: follow the import until it is `undone`. Refused when somebody changed its rows since; when that happens while it waits, the import is `done` again, and `problem` says why.',
    access: clinicRole('clinic_admin'),
    status: 202,
    answers: Import,
    location: '/clinics/{clinicId}/imports/{id}',
    refusals: [ChangedSince, ClinicInactive, ImportNotPossible],
  })
  async undo(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('importId', { schema: Uuid }) importId: string,
  ): Promise<Import> {
    await this.undoing.ask(clinicId, importId);
    return this.imports.get(clinicId, importId);
  }
}
