import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { AuditService } from './audit.service.js';
import { JobsController } from './jobs.controller.js';
import { JobsService } from './jobs.service.js';

/** How one installation is run and proven: its audit log and its queue. */
@Module({ controllers: [AuditController, JobsController], providers: [AuditService, JobsService] })
export class InstanceModule {}
