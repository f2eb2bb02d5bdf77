import { Module } from '@nestjs/common';
import { MetaModule } from '../../../../integrations/meta/meta.module.js';
import { ConnectionHealth } from './connection-health.js';

/** Whether what is connected still works. */
@Module({
  imports: [MetaModule],
  providers: [ConnectionHealth],
  exports: [ConnectionHealth],
})
export class HealthModule {}
