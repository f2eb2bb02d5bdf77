import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase, testServer } from '../support/database.js';
import { addressOf, launch, type ServiceProcess, until } from '../support/process.js';

/** The emulator that the demo starts in Meta's place, however the demo ends. */

let database: TestDatabase;
let service: ServiceProcess;
beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  service = launch({
    ...{ PORT: '0', DEMO: 'true', LOG_LEVEL: 'silent', DATA_DIR: mkdtempSync(join(testServer().folder, 'demo-')) },
    ...{ DATABASE_URL: database.apiUrl, MIGRATION_DATABASE_URL: database.adminUrl },
  });
  await addressOf(service);
});
afterEach(() => service.child.kill('SIGKILL'));
afterAll(() => database.drop());

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/_control/pages`).then(
    ({ ok }) => ok,
    () => false,
  );

describe('The emulator of Meta does not outlive a demo', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('that ends by %s', async (signal) => {
    await until(() => service.output.includes('emulator of Facebook'));
    const [, url = ''] = /emulator of Facebook and Instagram at (\S+)/.exec(service.output) ?? [];
    expect(await answers(url)).toBe(true);
    service.child.kill(signal);
    await service.ended;
    for (let looks = 0; looks < 100 && (await answers(url)); looks += 1) await pause(50);
    expect(await answers(url)).toBe(false);
  });
});
