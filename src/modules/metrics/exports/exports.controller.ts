import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { ExportQuery, exportFormats } from './exports.schemas.js';
import { ExportsService } from './exports.service.js';

@ApiTags('metrics')
@Controller('clinics/:clinicId/exports')
export class ExportsController {
  constructor(private readonly exports: ExportsService) {}

  @Get()
  @Operation({
    id: 'exportTable',
    summary: "Download a clinic's facts, definitions, roll-ups or goals as a file",
    description:
      'Streamed: rows that are entered while it runs may be in it or not. Text that a spreadsheet would take for a formula has an apostrophe in front, in CSV and XLSX.',
    access: clinicRole('viewer'),
    streams: { contentTypes: Object.values(exportFormats) },
  })
  export(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: ExportQuery }) query: ExportQuery,
  ): Promise<StreamedAnswer> {
    return this.exports.export(clinicId, query);
  }
}
