import 'reflect-metadata';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { describeDemo, seedDemo } from './demo/demo.js';
import { seedDemoMessenger } from './demo/demo-messenger.js';
import { type DemoMeta, startDemoMeta } from './demo/demo-meta.js';
import { seedDemoMetrics } from './demo/demo-metrics.js';
import { serveDemoPage } from './demo/demo-page.js';
import { seedDemoSocial } from './demo/demo-social.js';
import { bringUpToDate, type Installation, openInstallation } from './installation.js';
import type { Config } from './kernel/config/config.js';
import { createHttpApplication } from './kernel/http/server.js';
import { listen, withPort } from './listen.js';
import { type Running, run } from './shutdown.js';

/** `--without-worker`: the API alone, for scale-out; jobs are then run by worker.ts. */
const withWorker = !process.argv.includes('--without-worker');

interface Served {
  application: NestFastifyApplication;
  meta: DemoMeta | undefined;
}

async function start(): Promise<Running> {
  const installation = await openInstallation();
  try {
    const { application, meta } = await serve(installation);
    greet(installation, await application.getUrl(), meta);
    return {
      stop: async () => {
        await application.close();
        await meta?.stop();
        await installation.embedded?.stop();
      },
    };
  } catch (error) {
    await installation.embedded?.stop().catch(() => undefined);
    throw error;
  }
}

async function serve(installation: Installation): Promise<Served> {
  // One that holds no migrating login waits for nobody: its readiness says what is missing.
  if (installation.config.database.migrationUrl !== undefined) await bringUpToDate(installation);
  const config = await withPort(installation.config);
  const [meta] = config.demo ? await Promise.all([startDemoMeta(config), seedEverything(config)]) : [];
  try {
    return { meta, application: await open(meta?.config ?? config, meta) };
  } catch (error) {
    await meta?.stop();
    throw error;
  }
}

async function seedEverything(config: Config): Promise<void> {
  await seedDemo(config);
  await seedDemoMetrics(config);
  await seedDemoSocial(config);
  await seedDemoMessenger(config);
}

async function open(config: Config, meta: DemoMeta | undefined): Promise<NestFastifyApplication> {
  const application = await createHttpApplication(AppModule.with(config, { withWorker }), config);
  try {
    if (meta) await serveDemoPage(application, meta.url);
    await listen(application, config);
    await meta?.tellService(await application.getUrl());
  } catch (error) {
    await application.close();
    throw error;
  }
  return application;
}

function greet({ config, embedded }: Installation, url: string, meta: DemoMeta | undefined): void {
  const lines = [
    `Polyclinic answers at ${url}/api/v1`,
    `  documentation  ${url}/api/docs`,
    `  database       ${embedded ? `embedded, data in ${config.dataDir}` : 'DATABASE_URL'}`,
    `  mail           ${config.mail.smtpUrl ? 'SMTP_URL' : config.mail.outboxDir}`,
    ...(config.demo ? describeDemo() : []),
    ...(meta ? [`  demo page      ${url}/demo, with an emulator of Facebook and Instagram at ${meta.url}`] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

run(start);
