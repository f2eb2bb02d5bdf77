import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { exitWith } from './fatal.js';
import { openInstallation } from './installation.js';
import { LOGGER } from './kernel/observability/logger.js';
import { NestLogger } from './kernel/observability/nest-logger.js';
import { stopOnSignals } from './shutdown.js';

/** Jobs and schedules without the API. */
async function start(): Promise<void> {
  const installation = await openInstallation();
  const module = AppModule.with(installation.config, { withWorker: true });
  const application = await NestFactory.createApplicationContext(module, { bufferLogs: true, abortOnError: false });
  application.useLogger(new NestLogger(application.get(LOGGER)));
  stopOnSignals(async () => {
    await application.close();
    await installation.embedded?.stop();
  });
  process.stdout.write('Polyclinic works on its jobs.\n');
}

start().catch(exitWith);
