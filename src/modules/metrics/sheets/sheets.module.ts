import { Module } from '@nestjs/common';
import { GoogleModule } from '../../../integrations/google/google.module.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { AuthorizationStates } from '../../../kernel/secrets/authorization-states.js';
import { deriveKey } from '../../../kernel/secrets/key-ring.js';
import { ImportsModule } from '../imports/imports.module.js';
import { GoogleController } from './google.controller.js';
import { GoogleConnectionService } from './google-connection.service.js';
import { GoogleTokens } from './google-tokens.js';
import { SheetPreviewService } from './sheet-preview.service.js';
import { SheetReader } from './sheet-reader.js';
import { SheetSync } from './sheet-sync.js';
import { SheetsJobs } from './sheets.jobs.js';
import { SpreadsheetConnectionsController } from './spreadsheet-connections.controller.js';
import { SpreadsheetConnectionsService } from './spreadsheet-connections.service.js';
import { SpreadsheetsService } from './spreadsheets.service.js';
import { SyncQueue } from './sync-queue.js';
import { SyncRunStore } from './sync-run-store.js';
import { SyncRunsService } from './sync-runs.service.js';
import { SynchronisationController } from './synchronisation.controller.js';

/** Rows from Google Sheets: consent, connected spreadsheets, and their synchronisation. */
@Module({
  imports: [GoogleModule, ImportsModule],
  controllers: [GoogleController, SpreadsheetConnectionsController, SynchronisationController],
  providers: [
    GoogleConnectionService,
    GoogleTokens,
    SheetPreviewService,
    SheetReader,
    SheetSync,
    SheetsJobs,
    SpreadsheetConnectionsService,
    SpreadsheetsService,
    SyncQueue,
    SyncRunStore,
    SyncRunsService,
    {
      provide: AuthorizationStates,
      inject: [CONFIG],
      useFactory: ({ secrets }: Config) => new AuthorizationStates(deriveKey(secrets.appKey, 'google consent')),
    },
  ],
})
export class SheetsModule {}
