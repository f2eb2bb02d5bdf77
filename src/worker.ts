import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { openInstallation } from './installation.js';
import { LOGGER } from './kernel/observability/logger.js';
import { NestLogger } from './kernel/observability/nest-logger.js';
import { type Running, run } from './shutdown.js';

/** Jobs and schedules without the API. */
async function start(): Promise<Running> {
  const installation = await openInstallation();
  const module = AppModule.with(installation.config, { withWorker: true });
  const application = await NestFactory.createApplicationContext(module, {
    bufferLogs: true,
    // Of a start that fails, the sentence is enough.
    autoFlushLogs: false,
    abortOnError: false,
  });
  application.useLogger(new NestLogger(application.get(LOGGER)));
  application.flushLogs();
  process.stdout.write('Polyclinic works on its jobs.\n');
  return {
    stop: async () => {
      await application.close();
      await installation.embedded?.stop();
    },
  };
}

run(start);
