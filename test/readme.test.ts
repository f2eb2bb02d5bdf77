import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { seedDemoMessenger } from '../src/demo/demo-messenger.js';
import { seedDemoMetrics } from '../src/demo/demo-metrics.js';
import { seedDemoSocial } from '../src/demo/demo-social.js';
import { type Meta, startMeta } from './support/meta.js';
import { startService } from './support/service.js';

const run = promisify(execFile);
const pages = [
  'README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** The blocks of a page that are marked to be walked through: ```sh walk */
function walkOf(page: string): string {
  const text = readFileSync(page, 'utf8');
  return [...text.matchAll(/^```sh walk\n(.*?)^```$/gms)].map(([, block]) => block).join('\n');
}

let meta: Meta;
beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());

/** Each page is walked as somebody does who has just started the service for the first time. */
async function walk(page: string): Promise<string> {
  const service = await startService({ withWorker: true, variables: meta.variables });
  try {
    await seedDemoMetrics(service.config);
    await seedDemoSocial(service.config);
    await seedDemoMessenger(service.config);
    const script = `set -euo pipefail\n${walkOf(page)}`;
    const addresses = { API: `${service.url}/api/v1`, META: meta.url };
    const env = { PATH: process.env.PATH, OUTBOX: service.config.mail.outboxDir, ...addresses };
    const { stdout } = await run('bash', ['-c', script], { env });
    return stdout;
  } finally {
    await service.stop();
  }
}

describe('The walk through of README.md', () => {
  it('does what it says, to the refusal of the other clinic', async () => {
    const output = await walk('README.md');
    expect(output).toContain('"name":"Riverside Dental"');
    expect(output).toContain('"role":"staff"');
    expect(output.match(/^not-found$/gm)).toHaveLength(2);
    expect(output.match(/^role-too-low$/gm)).toHaveLength(1);
    expect(output).toContain('"tableName":"public.invitations"');
  });
});

describe('The walk through of', () => {
  it.each(pages.filter((page) => page !== 'README.md' && walkOf(page) !== ''))(
    '%s ends without an error',
    async (page) => {
      const output = await walk(page);
      expect(output).not.toContain('"code":"internal-error"');
      // What a block asks an answer for is in it.
      expect(output).not.toMatch(/^undefined$/m);
      expect(output.length).toBeGreaterThan(100);
    },
    // Roll-ups are made by the minute.
    100_000,
  );
});

describe('The pages', () => {
  it.each(pages)('%s link to what is there', (page) => {
    const text = readFileSync(page, 'utf8');
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, target]) =>
      join(dirname(page), target ?? ''),
    );
    for (const target of targets) expect(() => readFileSync(target)).not.toThrow(/ENOENT/);
  });
});
