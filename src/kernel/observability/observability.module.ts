import { Global, Module } from '@nestjs/common';
import { CONFIG } from '../config/config.js';
import { HealthController } from './health.controller.js';
import { createLogger, LOGGER } from './logger.js';
import { Metrics } from './metrics.js';
import { Readiness } from './readiness.js';

@Global()
@Module({
  controllers: [HealthController],
  providers: [Metrics, Readiness, { provide: LOGGER, inject: [CONFIG], useFactory: createLogger }],
  exports: [Metrics, LOGGER],
})
export class ObservabilityModule {}
