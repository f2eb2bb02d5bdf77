import { Module } from '@nestjs/common';
import { MetaModule } from '../../../../integrations/meta/meta.module.js';
import { ConnectionHealth } from './connection-health.js';
import { HealthJobs } from './health.jobs.js';
import { HealthMails } from './health-mails.js';
import { HealthRecords } from './health-records.js';

/** Whether what is connected still works. */
@Module({
  imports: [MetaModule],
  providers: [ConnectionHealth, HealthJobs, HealthMails, HealthRecords],
  exports: [ConnectionHealth],
})
export class HealthModule {}
