import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../kernel/http/http.errors.js';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { Uuid } from '../../kernel/http/primitives.js';
import { adminOnly, clinicRole } from '../../kernel/tenancy/access.js';
import { AuditEvents, AuditQuery } from './audit.schemas.js';
import { AuditService } from './audit.service.js';

@ApiTags('instance')
@Controller()
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  @Get('audit')
  @Operation({
    id: 'listAuditEvents',
    summary: 'Read the audit log of the whole installation',
    access: adminOnly,
    answers: AuditEvents,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: AuditQuery }) query: AuditQuery): Promise<AuditEvents> {
    return this.audit.list(query);
  }

  @Get('clinics/:clinicId/audit')
  @Operation({
    id: 'listClinicAuditEvents',
    summary: "Read one clinic's audit log",
    access: clinicRole('clinic_admin'),
    answers: AuditEvents,
    refusals: [InvalidCursor],
  })
  listOfClinic(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: AuditQuery }) query: AuditQuery,
  ): Promise<AuditEvents> {
    return this.audit.list(query, clinicId);
  }
}
