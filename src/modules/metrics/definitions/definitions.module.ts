import { Module } from '@nestjs/common';
import { ClinicDefinitionsController } from './clinic-definitions.controller.js';
import { DefinitionsService } from './definitions.service.js';
import { FormulaKeeper } from './formula-keeper.js';
import { Formulas } from './formulas.js';
import { SystemDefinitionsController } from './system-definitions.controller.js';

/** What is measured: the metrics that the system brings, and the clinics' own formulas over them. */
@Module({
  controllers: [ClinicDefinitionsController, SystemDefinitionsController],
  providers: [DefinitionsService, FormulaKeeper, Formulas],
  exports: [DefinitionsService, Formulas],
})
export class DefinitionsModule {}
