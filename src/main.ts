import 'reflect-metadata';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { describeDemo, seedDemo } from './demo/demo.js';
import { exitWith } from './fatal.js';
import { bringUpToDate, type Installation, openInstallation } from './installation.js';
import { createHttpApplication } from './kernel/http/server.js';
import { stopOnSignals } from './shutdown.js';

/** `--without-worker`: the API alone, for scale-out; jobs are then run by worker.ts. */
const withWorker = !process.argv.includes('--without-worker');

async function start(): Promise<void> {
  const installation = await openInstallation();
  let application: NestFastifyApplication | undefined;
  const stop = async (): Promise<void> => {
    await application?.close();
    await installation.embedded?.stop();
  };
  stopOnSignals(stop);
  try {
    application = await serve(installation);
    greet(installation, await application.getUrl());
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

async function serve(installation: Installation): Promise<NestFastifyApplication> {
  const { config, embedded } = installation;
  const applied = await bringUpToDate(installation);
  if (config.demo && (embedded?.isNew ?? applied.length > 0)) await seedDemo(config);
  const application = await createHttpApplication(AppModule.with(config, { withWorker }), config);
  await application.listen(config.port, config.host);
  return application;
}

function greet({ config, embedded }: Installation, url: string): void {
  const lines = [
    `Polyclinic answers at ${url}/api/v1`,
    `  documentation  ${url}/api/docs`,
    `  database       ${embedded ? `embedded, data in ${config.dataDir}` : 'DATABASE_URL'}`,
    `  mail           ${config.mail.smtpUrl ? 'SMTP_URL' : config.mail.outboxDir}`,
    ...(config.demo ? describeDemo() : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

start().catch(exitWith);
