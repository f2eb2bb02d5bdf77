import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { testServer } from './support/database.js';
import { programNamed } from './support/programs.js';
import { type Service, startService } from './support/service.js';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** What a browser makes of a page, and what it complains of meanwhile. */
async function browse(url: string): Promise<{ page: string; complaints: string[] }> {
  const profile = mkdtempSync(join(testServer().folder, 'chromium-'));
  // A window that shows all of the page: what lies outside of it is not drawn.
  const options = [
    '--headless=new',
    '--window-size=1200,30000',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
  ];
  const watching = ['--enable-logging=stderr', '--dump-dom', '--virtual-time-budget=20000'];
  const { stdout, stderr } = await promisify(execFile)(
    programNamed('chromium'),
    [...options, ...watching, `--user-data-dir=${profile}`, url],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  return { page: stdout, complaints: stderr.split('\n').filter((line) => line.includes('CONSOLE')) };
}

describe('The documentation page in a browser', () => {
  it('shows every route, under its content security policy, and loads nothing from elsewhere', async () => {
    const { page, complaints } = await browse(`${service.url}/api/docs`);
    const { body: document } = await service.call('GET', '//api/openapi.json');
    const operations = Object.values<object>(document.paths).flatMap((methods) => Object.keys(methods));
    expect(operations.length).toBeGreaterThan(50);
    expect(page.match(/class="opblock-summary-path"/g)).toHaveLength(operations.length);
    expect(complaints).toEqual([]);
  });
});
