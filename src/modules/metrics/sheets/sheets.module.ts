import { Module } from '@nestjs/common';

/** Google Sheets as a source of facts. */
@Module({})
export class SheetsModule {}
