import { Module } from '@nestjs/common';
import { ImportErrorsService } from './import-errors.service.js';
import { ImportFiles } from './import-files.js';
import { ImportIntake } from './import-intake.js';
import { ImportRecords } from './import-records.js';
import { ImportRuns } from './import-runs.js';
import { ImportsController } from './imports.controller.js';
import { ImportJobs } from './imports.jobs.js';
import { ImportsService } from './imports.service.js';
import { MappingAdvice } from './mappings/mapping-advice.js';
import { MappingChoice } from './mappings/mapping-choice.js';
import { SavedMappingsController } from './mappings/saved-mappings.controller.js';
import { SavedMappingsService } from './mappings/saved-mappings.service.js';
import { Merge } from './merging/merge.js';
import { TakingBack } from './merging/taking-back.js';
import { PushedRowsService } from './pushed-rows.service.js';
import { UndoService } from './undo.service.js';
import { UndoRuns } from './undo-runs.js';

/** Files and rows as a source of facts; each can be followed and undone. */
@Module({
  controllers: [ImportsController, SavedMappingsController],
  providers: [
    ImportErrorsService,
    ImportFiles,
    ImportIntake,
    ImportJobs,
    ImportRecords,
    ImportRuns,
    ImportsService,
    MappingAdvice,
    MappingChoice,
    Merge,
    PushedRowsService,
    SavedMappingsService,
    TakingBack,
    UndoRuns,
    UndoService,
  ],
  exports: [ImportIntake, MappingAdvice, SavedMappingsService],
})
export class ImportsModule {}
