import { Global, Module } from '@nestjs/common';
import { Audit } from './audit.js';
import { AuditMonths } from './audit-months.js';
import { AuditRetention } from './audit-retention.js';

@Global()
@Module({ providers: [Audit, AuditMonths, AuditRetention], exports: [Audit] })
export class AuditModule {}
