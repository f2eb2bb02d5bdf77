import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { MappingRefused } from '../imports/imports.errors.js';
import { HeaderQuery, SheetHeader, SheetPreview, SheetPreviewRequest } from './sheet-preview.schemas.js';
import { SheetPreviewService } from './sheet-preview.service.js';
import {
  GoogleNotConfigured,
  GoogleRateLimited,
  GoogleReauthorize,
  GoogleUnavailable,
  SheetHeaderChanged,
  SheetMissing,
  SpreadsheetNotReadable,
  SyncUnderWay,
} from './sheets.errors.js';
import { SyncRun, SyncRuns, SyncRunsQuery } from './sync-runs.schemas.js';
import { SyncRunsService } from './sync-runs.service.js';

const fromGoogle = [GoogleNotConfigured, GoogleUnavailable, GoogleRateLimited, GoogleReauthorize];

@ApiTags('metrics')
@Controller('clinics/:clinicId/spreadsheet-connections/:connectionId')
export class SynchronisationController {
  constructor(
    private readonly previews: SheetPreviewService,
    private readonly runs: SyncRunsService,
  ) {}

  @Get('header')
  @Operation({
    id: 'getSheetHeader',
    summary: 'Find the header of a sheet, and propose a mapping for it',
    access: clinicRole('clinic_admin'),
    answers: SheetHeader,
    refusals: [SheetMissing, SpreadsheetNotReadable, ...fromGoogle],
  })
  header(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
    @Query({ schema: HeaderQuery }) query: HeaderQuery,
  ): Promise<SheetHeader> {
    return this.previews.header(clinicId, connectionId, query);
  }

  @Post('preview')
  @Operation({
    id: 'previewSheet',
    summary: 'Show what the first 20 rows of a sheet would become; nothing is written',
    access: clinicRole('clinic_admin'),
    answers: SheetPreview,
    refusals: [MappingRefused, SheetMissing, SheetHeaderChanged, SpreadsheetNotReadable, ...fromGoogle],
  })
  preview(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
    @Body({ schema: SheetPreviewRequest }) body: SheetPreviewRequest,
  ): Promise<SheetPreview> {
    return this.previews.preview(clinicId, connectionId, body);
  }

  @Post('sync')
  @Operation({
    id: 'syncSpreadsheet',
    summary: 'Synchronise now: a run to follow',
    access: clinicRole('clinic_admin'),
    status: 202,
    answers: SyncRun,
    location: '/clinics/{clinicId}/spreadsheet-connections/{connectionId}/runs/{id}',
    refusals: [SyncUnderWay, GoogleNotConfigured, GoogleReauthorize],
  })
  sync(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
    @CurrentCaller() caller: Caller | null,
  ): Promise<SyncRun> {
    return this.runs.request(clinicId, connectionId, caller);
  }

  @Get('runs')
  @Operation({
    id: 'listSyncRuns',
    summary: 'List the runs of a connected spreadsheet, newest first',
    access: clinicRole('viewer'),
    answers: SyncRuns,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
    @Query({ schema: SyncRunsQuery }) query: SyncRunsQuery,
  ): Promise<SyncRuns> {
    return this.runs.list(clinicId, connectionId, query);
  }

  @Get('runs/:runId')
  @Operation({
    id: 'getSyncRun',
    summary: 'Follow a run: how it stands, what it changed, which rows it refused',
    access: clinicRole('viewer'),
    answers: SyncRun,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
    @Param('runId', { schema: Uuid }) runId: string,
  ): Promise<SyncRun> {
    return this.runs.get(clinicId, connectionId, runId);
  }
}
