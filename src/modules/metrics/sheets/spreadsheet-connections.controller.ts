import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  AlreadyExists,
  InvalidCursor,
  PreconditionFailed,
  UnknownReference,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import {
  GoogleNotConfigured,
  GoogleNotConnected,
  GoogleRateLimited,
  GoogleReauthorize,
  GoogleUnavailable,
  SheetMissing,
  SpreadsheetNotReadable,
} from './sheets.errors.js';
import {
  ConnectionsQuery,
  NewSpreadsheetConnection,
  SpreadsheetConnection,
  SpreadsheetConnectionChanges,
  SpreadsheetConnections,
} from './spreadsheet-connections.schemas.js';
import { SpreadsheetConnectionsService } from './spreadsheet-connections.service.js';

@ApiTags('metrics')
@Controller('clinics/:clinicId/spreadsheet-connections')
export class SpreadsheetConnectionsController {
  constructor(private readonly connections: SpreadsheetConnectionsService) {}

  @Get()
  @Operation({
    id: 'listSpreadsheetConnections',
    summary: 'List the connected spreadsheets of a clinic, by name',
    access: clinicRole('viewer'),
    answers: SpreadsheetConnections,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: ConnectionsQuery }) query: ConnectionsQuery,
  ): Promise<SpreadsheetConnections> {
    return this.connections.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createSpreadsheetConnection',
    summary: "Connect a spreadsheet that the caller's Google account can read",
    description: 'Its rows are imported once each of its sheets has an active mapping.',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: SpreadsheetConnection,
    location: '/clinics/{clinicId}/spreadsheet-connections/{id}',
    etag: true,
    refusals: [
      ...[AlreadyExists, SheetMissing, SpreadsheetNotReadable, GoogleNotConnected, GoogleReauthorize],
      ...[GoogleNotConfigured, GoogleUnavailable, GoogleRateLimited],
    ],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @CurrentCaller() caller: Caller | null,
    @Body({ schema: NewSpreadsheetConnection }) body: NewSpreadsheetConnection,
  ): Promise<SpreadsheetConnection> {
    return this.connections.create(clinicId, caller, body);
  }

  @Get(':connectionId')
  @Operation({
    id: 'getSpreadsheetConnection',
    summary: 'Read a connected spreadsheet and how its synchronisation stands',
    access: clinicRole('viewer'),
    answers: SpreadsheetConnection,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
  ): Promise<SpreadsheetConnection> {
    return this.connections.get(clinicId, connectionId);
  }

  @Patch(':connectionId')
  @Operation({
    id: 'updateSpreadsheetConnection',
    summary: 'Change a connected spreadsheet: its sheets, how often, and whose account reads it',
    access: clinicRole('clinic_admin'),
    answers: SpreadsheetConnection,
    etag: true,
    refusals: [PreconditionFailed, UnknownReference],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
    @Body({ schema: SpreadsheetConnectionChanges }) body: SpreadsheetConnectionChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<SpreadsheetConnection> {
    return this.connections.change(clinicId, connectionId, body, ifMatch);
  }

  @Delete(':connectionId')
  @Operation({
    id: 'deleteSpreadsheetConnection',
    summary: 'Disconnect a spreadsheet; what was imported from it stays',
    access: clinicRole('clinic_admin'),
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('connectionId', { schema: Uuid }) connectionId: string,
  ): Promise<void> {
    return this.connections.remove(clinicId, connectionId);
  }
}
