import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { exitWith } from './fatal.js';
import { bringUpToDate, type Installation, migratingUrl, openInstallation } from './installation.js';
import { migrateDown, migrationStatus } from './kernel/database/migrations.js';
import { Rotation } from './kernel/secrets/rotation.js';
import { exitOnSignals } from './shutdown.js';

type Command = (installation: Installation, argument: string | undefined) => Promise<void>;

const commands: Record<string, { usage: string; run: Command }> = {
  migrate: { usage: 'migrate                bring the database up to date', run: migrate },
  'migrate:down': { usage: 'migrate:down [n]       undo the latest n migrations (1)', run: undo },
  'migrate:status': { usage: 'migrate:status         list migrations and which are applied', run: status },
  'secrets:rotate': {
    usage: 'secrets:rotate         seal everything under the current key of VAULT_KEYS',
    run: rotate,
  },
};

async function migrate(installation: Installation): Promise<void> {
  const applied = await bringUpToDate(installation);
  print(applied.length === 0 ? 'The database is up to date.' : `Applied:\n${indented(applied)}`);
}

async function undo(installation: Installation, count = '1'): Promise<void> {
  const steps = Number(count);
  if (!Number.isSafeInteger(steps) || steps < 1) {
    process.stderr.write(`migrate:down takes how many to undo, not '${count}'.\n`);
    process.exitCode = 1;
    return;
  }
  await migrateDown(migratingUrl(installation), steps);
  print(`Undone: ${steps}`);
}

async function status(installation: Installation): Promise<void> {
  const migrations = await migrationStatus(migratingUrl(installation));
  print(indented(migrations.map(({ name, isApplied }) => `${isApplied ? 'applied' : 'missing'}  ${name}`)));
}

async function rotate({ config }: Installation): Promise<void> {
  const application = await NestFactory.createApplicationContext(AppModule.with(config, { withWorker: false }), {
    logger: false,
    abortOnError: false,
  });
  const results = await application.get(Rotation).run();
  await application.close();
  print(
    results.length === 0
      ? 'No column is sealed.'
      : indented(results.map((each) => `${each.table}.${each.column}: ${each.resealed}`)),
  );
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main([name = '', argument]: string[]): Promise<void> {
  const command = commands[name];
  if (!command) {
    process.stderr.write(`Commands:\n${indented(Object.values(commands).map(({ usage }) => usage))}\n`);
    process.exit(1);
  }
  exitOnSignals();
  const installation = await openInstallation();
  try {
    await command.run(installation, argument);
  } finally {
    await installation.embedded?.stop();
  }
}

main(process.argv.slice(2)).catch(exitWith);
