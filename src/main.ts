import 'reflect-metadata';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { describeDemo, seedDemo } from './demo/demo.js';
import { seedDemoMetrics } from './demo/demo-metrics.js';
import { seedDemoSocial } from './demo/demo-social.js';
import { bringUpToDate, type Installation, openInstallation } from './installation.js';
import { createHttpApplication } from './kernel/http/server.js';
import { listen, withPort } from './listen.js';
import { type Running, run } from './shutdown.js';

/** `--without-worker`: the API alone, for scale-out; jobs are then run by worker.ts. */
const withWorker = !process.argv.includes('--without-worker');

async function start(): Promise<Running> {
  const installation = await openInstallation();
  try {
    const application = await serve(installation);
    greet(installation, await application.getUrl());
    return {
      stop: async () => {
        await application.close();
        await installation.embedded?.stop();
      },
    };
  } catch (error) {
    await installation.embedded?.stop().catch(() => undefined);
    throw error;
  }
}

async function serve(installation: Installation): Promise<NestFastifyApplication> {
  // One that holds no migrating login waits for nobody: its readiness says what is missing.
  if (installation.config.database.migrationUrl !== undefined) await bringUpToDate(installation);
  const config = await withPort(installation.config);
  if (config.demo) {
    await seedDemo(config);
    await seedDemoMetrics(config);
    await seedDemoSocial(config);
  }
  const application = await createHttpApplication(AppModule.with(config, { withWorker }), config);
  try {
    await listen(application, config);
  } catch (error) {
    await application.close();
    throw error;
  }
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

run(start);
