import { Module } from '@nestjs/common';
import { Formulas } from './formulas.js';

/** What is measured: the metrics that the system brings, and the clinics' own formulas over them. */
@Module({ providers: [Formulas], exports: [Formulas] })
export class DefinitionsModule {}
