import 'reflect-metadata';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppModule } from './app.module.js';
import { exitWith } from './fatal.js';
import { bringUpToDate, migratingUrl, openInstallation } from './installation.js';
import { loadConfig } from './kernel/config/config.js';
import { configurationPage } from './kernel/config/configuration-page.js';
import { accessMatrixPage, schemaPage } from './kernel/database/schema-pages.js';
import { errorsPage } from './kernel/errors/errors-page.js';
import { describeApi } from './kernel/http/openapi.js';
import { createHttpApplication } from './kernel/http/server.js';

const folder = join(import.meta.dirname, '../../docs');

/** Writes the pages of docs/ that are made from the code, or with `--check` says which of them are out of date. */
async function main(isCheck: boolean): Promise<void> {
  const pages = await makePages();
  const stale: string[] = [];
  for (const [name, text] of Object.entries(pages)) {
    const file = join(folder, name);
    const present = await readFile(file, 'utf8').catch(() => '');
    if (present === text) continue;
    stale.push(name);
    if (!isCheck) await writeFile(file, text);
  }
  process.stdout.write(
    `${stale.length === 0 ? 'The pages are up to date.' : `${isCheck ? 'Out of date' : 'Written'}: ${stale.join(', ')}`}\n`,
  );
  if (isCheck && stale.length > 0) process.exitCode = 1;
}

/** From a database of its own, made anew: neither what an earlier version left nor the environment shows in the pages. */
async function makePages(): Promise<Record<string, string>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'polyclinic-docs-'));
  const installation = await openInstallation(
    loadConfig({ DATA_DIR: dataDir, LOG_LEVEL: 'silent', PUBLIC_URL: 'http://127.0.0.1:3000' }),
  );
  try {
    await bringUpToDate(installation);
    const application = await createHttpApplication(
      AppModule.with(installation.config, { withWorker: false }),
      installation.config,
    );
    await application.init();
    const description = `${JSON.stringify(describeApi(application), null, 2)}\n`;
    await application.close();
    const migrationUrl = migratingUrl(installation);
    return {
      'openapi.json': description,
      'errors.md': errorsPage(),
      'configuration.md': configurationPage(),
      'schema.md': await schemaPage(migrationUrl),
      'access-matrix.md': await accessMatrixPage(migrationUrl),
    };
  } finally {
    await installation.embedded?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

main(process.argv.includes('--check')).catch(exitWith);
