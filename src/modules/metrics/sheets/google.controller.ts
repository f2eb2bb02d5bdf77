import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import {
  ConnectGoogle,
  GoogleAnswer,
  GoogleAuthorization,
  GoogleCredential,
  GoogleCredentials,
  SpreadsheetId,
  SpreadsheetSheets,
  Spreadsheets,
  SpreadsheetsQuery,
} from './google.schemas.js';
import { GoogleConnectionService } from './google-connection.service.js';
import {
  GoogleCodeRefused,
  GoogleConsentRefused,
  GoogleNotConfigured,
  GoogleNotConnected,
  GoogleRateLimited,
  GoogleReauthorize,
  GoogleScopesMissing,
  GoogleStateInvalid,
  GoogleUnavailable,
  SpreadsheetNotReadable,
} from './sheets.errors.js';
import { SpreadsheetsService } from './spreadsheets.service.js';

const fromGoogle = [GoogleNotConfigured, GoogleUnavailable, GoogleRateLimited, GoogleNotConnected, GoogleReauthorize];

@ApiTags('metrics')
@Controller('clinics/:clinicId/google')
export class GoogleController {
  constructor(
    private readonly connection: GoogleConnectionService,
    private readonly spreadsheets: SpreadsheetsService,
  ) {}

  @Post('connect')
  @Operation({
    id: 'connectGoogle',
    summary: 'Begin to connect a Google account: the address of the consent page',
    description: 'Google sends the browser back to `GOOGLE_REDIRECT_URL`; hand what it comes with to `finishGoogle`.',
    access: clinicRole('clinic_admin'),
    answers: GoogleAuthorization,
    refusals: [GoogleNotConfigured],
  })
  connect(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @CurrentCaller() caller: Caller | null,
    @Body({ schema: ConnectGoogle }) { loginHint }: ConnectGoogle,
  ): Promise<GoogleAuthorization> {
    return this.connection.begin(clinicId, caller, loginHint);
  }

  @Post('callback')
  @Operation({
    id: 'finishGoogle',
    summary: 'Finish to connect a Google account: by the same person, in the same session, once',
    access: clinicRole('clinic_admin'),
    answers: GoogleCredential,
    refusals: [
      ...[GoogleStateInvalid, GoogleConsentRefused, GoogleCodeRefused, GoogleScopesMissing],
      ...[GoogleNotConfigured, GoogleUnavailable, GoogleRateLimited],
    ],
  })
  finish(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @CurrentCaller() caller: Caller | null,
    @Body({ schema: GoogleAnswer }) answer: GoogleAnswer,
  ): Promise<GoogleCredential> {
    return this.connection.finish(clinicId, caller, answer);
  }

  @Get('credentials')
  @Operation({
    id: 'listGoogleCredentials',
    summary: 'List the connected Google accounts: the own, and for a clinic_admin all',
    access: clinicRole('viewer'),
    answers: GoogleCredentials,
  })
  async credentials(@Param('clinicId', { schema: Uuid }) clinicId: string): Promise<GoogleCredentials> {
    return { data: await this.connection.list(clinicId) };
  }

  @Delete('credentials/:credentialId')
  @Operation({
    id: 'disconnectGoogle',
    summary: 'Disconnect a Google account: revoked at Google, forgotten here',
    description: 'Its owner or a clinic_admin. Spreadsheets that were read through it wait for another consent.',
    access: clinicRole('viewer'),
  })
  disconnect(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('credentialId', { schema: Uuid }) credentialId: string,
  ): Promise<void> {
    return this.connection.disconnect(clinicId, credentialId);
  }

  @Get('spreadsheets')
  @Operation({
    id: 'listGoogleSpreadsheets',
    summary: "List the spreadsheets of the caller's Google account, last changed first",
    access: clinicRole('clinic_admin'),
    answers: Spreadsheets,
    refusals: [InvalidCursor, ...fromGoogle],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @CurrentCaller() caller: Caller | null,
    @Query({ schema: SpreadsheetsQuery }) query: SpreadsheetsQuery,
  ): Promise<Spreadsheets> {
    return this.spreadsheets.list(clinicId, caller, query);
  }

  @Get('spreadsheets/:spreadsheetId/sheets')
  @Operation({
    id: 'listGoogleSheets',
    summary: 'List the sheets of a spreadsheet',
    access: clinicRole('clinic_admin'),
    answers: SpreadsheetSheets,
    refusals: [SpreadsheetNotReadable, ...fromGoogle],
  })
  sheets(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('spreadsheetId', { schema: SpreadsheetId }) spreadsheetId: string,
    @CurrentCaller() caller: Caller | null,
  ): Promise<SpreadsheetSheets> {
    return this.spreadsheets.sheets(clinicId, caller, spreadsheetId);
  }
}
