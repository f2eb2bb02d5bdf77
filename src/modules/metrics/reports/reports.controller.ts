import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { pagePolicy } from './html-page.js';
import type { ReportKind } from './period.js';
import { contentTypes, streamed } from './rendering.js';
import { PeriodAhead } from './reports.errors.js';
import { Month, Report, ReportQuery, Week } from './reports.schemas.js';
import { ReportsService } from './reports.service.js';

const description = 'JSON, a self-contained HTML page, or a PDF. A period that is not over is marked `partial`.';
const streams = { contentTypes: Object.values(contentTypes) };

@ApiTags('reports')
@Controller('clinics/:clinicId/reports')
export class ReportsController {
  constructor(private readonly reports: ReportsService) {}

  @Get('weekly/:week')
  @Operation({
    id: 'getWeeklyReport',
    summary: 'The report of a week against the week before and the week of the year before, 52 weeks earlier',
    description,
    access: clinicRole('viewer'),
    answers: Report,
    streams,
    refusals: [PeriodAhead],
  })
  weekly(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('week', { schema: Week }) week: string,
    @Query({ schema: ReportQuery }) query: ReportQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamedAnswer> {
    return this.answer({ clinicId, kind: 'weekly', name: week }, query, reply);
  }

  @Get('monthly/:month')
  @Operation({
    id: 'getMonthlyReport',
    summary: 'The report of a month against the month before and the same month of last year',
    description,
    access: clinicRole('viewer'),
    answers: Report,
    streams,
    refusals: [PeriodAhead],
  })
  monthly(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('month', { schema: Month }) month: string,
    @Query({ schema: ReportQuery }) query: ReportQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamedAnswer> {
    return this.answer({ clinicId, kind: 'monthly', name: month }, query, reply);
  }

  private async answer(
    { clinicId, kind, name }: { clinicId: string; kind: ReportKind; name: string },
    { format }: ReportQuery,
    reply: FastifyReply,
  ): Promise<StreamedAnswer> {
    const report = await this.reports.make(clinicId, kind, name);
    if (format === 'html') reply.header('content-security-policy', pagePolicy);
    return streamed(report, format);
  }
}
