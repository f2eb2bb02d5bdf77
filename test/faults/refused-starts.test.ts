import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { loadConfig } from '../../src/kernel/config/config.js';
import { createTestDatabase, type TestDatabase, testServer } from '../support/database.js';
import { addressOf, launch, refusalOf } from '../support/process.js';

/** The built service where it cannot or must not start. */

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(testServer().folder, 'refused-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const dataDirOf = (name: string) => join(folder, name);

describe('A start that cannot be is one sentence and exit code 1', () => {
  const refused = (errors: string) => ({ code: 1, output: '', errors: `${errors}\n` });
  const refusal = (variables: Record<string, string>) =>
    refusalOf({ PORT: '0', LOG_LEVEL: 'silent', DATA_DIR: dataDirOf('refused'), ...variables });
  const apiUrl = (change: (url: URL) => void) => {
    const { adminUrl, apiPassword } = testServer();
    const url = new URL(adminUrl);
    url.username = 'polyclinic_api';
    url.password = apiPassword;
    change(url);
    return url.href;
  };

  it('when a variable is wrong: it is named, and what is secret is not shown', async () => {
    const heading = 'The configuration cannot be used:\n  - ';
    expect(await refusal({ PORT: 'http' })).toEqual(
      refused(`${heading}PORT: must be a whole number from 0 to 65535, not 'http'.`),
    );
    expect(await refusal({ DATABASE_URL: 'mysql://me:hunter2@db.example/x', APP_KEY: 'hunter2!' })).toEqual(
      refused(
        `${heading}DATABASE_URL: must be an address like postgres://login:password@host:5432/name.\n` +
          '  - APP_KEY: must be base64.',
      ),
    );
  });

  it('when HOST is no address of this machine', async () => {
    expect(await refusal({ HOST: '192.0.2.1' })).toEqual(
      refused('The API cannot listen on 192.0.2.1, port 0 (EADDRNOTAVAIL): look at HOST and PORT.'),
    );
    expect(await refusal({ HOST: 'nowhere.invalid', PORT: '3999' })).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^The API cannot listen on nowhere\.invalid, port 3999 \(E\w+\): look at HOST/),
    });
  });

  it('when the port is taken, also with a database elsewhere', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const database = await createTestDatabase();
    const refusalThere = await refusal({ PORT: String(port), DATABASE_URL: database.apiUrl, ...migratedBy(database) });
    expect(refusalThere).toEqual(refused(`Port ${port} is taken: set PORT to another one, or to 0 for any.`));
    squatter.close();
    await database.drop();
  });

  it('when the database is away, refuses the login, or is not there', async () => {
    const away = 'postgres://polyclinic_api:hunter2@127.0.0.1:1/polyclinic';
    const outcomes = await Promise.all([
      refusal({ DATABASE_URL: away }),
      refusal({ DATABASE_URL: apiUrl((url) => (url.password = 'hunter2')) }),
      refusal({ DATABASE_URL: apiUrl((url) => (url.pathname = '/nowhere')) }),
    ]);
    expect(outcomes).toEqual([
      refused('The database cannot be reached (ECONNREFUSED): look at DATABASE_URL.'),
      refused('The database refuses the login: look at DATABASE_URL.'),
      refused('The database named by DATABASE_URL does not exist.'),
    ]);
  });

  it('when the migrating login is the wrong one of the two', async () => {
    const database = await createTestDatabase({ empty: true });
    expect(await refusal({ DATABASE_URL: database.apiUrl })).toEqual(
      refused('The login may not migrate: give one that may as MIGRATION_DATABASE_URL (docs/operations.md).'),
    );
    await database.drop();
  });

  it('when the data folder cannot be written', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const kept = dataDirOf('kept');
    mkdirSync(join(kept, 'postgres.log'), { recursive: true });
    const outcomes = await Promise.all([file, join(file, 'data'), kept].map((DATA_DIR) => refusal({ DATA_DIR })));
    expect(outcomes).toEqual([
      refused(`The configuration cannot be used:\n  - DATA_DIR: ${file} cannot be written (EEXIST).`),
      refused(`The configuration cannot be used:\n  - DATA_DIR: ${file}/data cannot be written (ENOTDIR).`),
      refused(`${kept}/postgres.log cannot be used (EISDIR): look at DATA_DIR.`),
    ]);
  });
});

const migratedBy = ({ adminUrl }: TestDatabase) => ({ MIGRATION_DATABASE_URL: adminUrl });

describe('Production refuses', () => {
  const role = `polyclinic_test_${randomBytes(4).toString('hex')}`;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.sql(`CREATE ROLE ${role} LOGIN BYPASSRLS PASSWORD 'bypass'`);
  });
  afterAll(async () => {
    await database.sql(`DROP ROLE ${role}`);
    await database.drop();
  });

  async function complaints(variables: Record<string, string>): Promise<string[]> {
    const settings = { NODE_ENV: 'production', PORT: '0', LOG_LEVEL: 'silent', DATA_DIR: dataDirOf('production') };
    const { code, output, errors } = await refusalOf({ ...settings, ...variables });
    expect({ code, output }).toEqual({ code: 1, output: '' });
    return errors.trimEnd().split('\n');
  }

  /** What a production has, made as the first start of a development makes it. */
  function keys(): Record<string, string> {
    mkdirSync(dataDirOf('first'), { recursive: true });
    loadConfig({ DATA_DIR: dataDirOf('first') });
    const kept = JSON.parse(readFileSync(join(dataDirOf('first'), 'secrets.json'), 'utf8'));
    const addresses = { PUBLIC_URL: 'https://api.clinic.example', SMTP_URL: 'smtp://127.0.0.1:1' };
    return { ...addresses, JWT_KEYS: kept.jwtKeys, VAULT_KEYS: kept.vaultKeys, APP_KEY: kept.appKey };
  }

  it('the embedded database, the demo and secrets that it would have to make, one sentence each', async () => {
    const [heading, ...sentences] = await complaints({ DEMO: 'true' });
    expect(heading).toBe('The configuration cannot be used:');
    const subjects = sentences.map((sentence) => /^ {2}- ([A-Z_]+) is (missing|true): .+\.$/.exec(sentence)?.[1]);
    expect(subjects.sort()).toEqual([
      'APP_KEY',
      'DATABASE_URL',
      'DEMO',
      'JWT_KEYS',
      'PUBLIC_URL',
      'SMTP_URL',
      'VAULT_KEYS',
    ]);
    expect(existsSync(dataDirOf('production'))).toBe(false);
  });

  it('logins that row-level security would not hold', async () => {
    const bypass = Object.assign(new URL(database.adminUrl), { username: role, password: 'bypass' });
    const superuser = new URL(database.adminUrl).username;
    for (const [login, url] of [
      [role, bypass.href],
      [superuser, database.adminUrl],
    ] as const) {
      const sentences = await complaints({ ...keys(), DATABASE_URL: url, ...migratedBy(database) });
      expect(sentences).toHaveLength(1);
      expect(sentences.at(-1)).toMatch(
        `The database login '${login}' is a superuser, has BYPASSRLS or belongs to polyclinic_owner: row-level`,
      );
    }
  });

  it('nothing of all this when it has what it should', async () => {
    const service = launch({
      ...{ ...keys(), NODE_ENV: 'production', PORT: '0', LOG_LEVEL: 'silent', DATA_DIR: dataDirOf('production') },
      ...{ DATABASE_URL: database.apiUrl, ...migratedBy(database) },
    });
    const url = await addressOf(service);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(service.output).not.toContain('demo logins');
    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
  });
});
