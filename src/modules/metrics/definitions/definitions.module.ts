import { Module } from '@nestjs/common';

/** What is measured: the metrics that the system brings, and the clinics' own formulas over them. */
@Module({})
export class DefinitionsModule {}
