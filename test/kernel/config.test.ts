import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/kernel/config/config.js';
import { ConfigError } from '../../src/kernel/config/config-error.js';
import { configurationPage } from '../../src/kernel/config/configuration-page.js';
import { variables } from '../../src/kernel/config/variables.js';

const dataDir = mkdtempSync(join(tmpdir(), 'polyclinic-config-'));
afterAll(() => rmSync(dataDir, { recursive: true }));

const random = () => randomBytes(32).toString('base64');

function signingKey(type: 'ed25519' | 'x25519' = 'ed25519'): string {
  const { privateKey } = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  return privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
}

const production = {
  NODE_ENV: 'production',
  DATA_DIR: dataDir,
  DATABASE_URL: 'postgres://polyclinic_api:secret@db.example/polyclinic',
  PUBLIC_URL: 'https://api.clinic.example/',
  SMTP_URL: 'smtp://mail.example',
  JWT_KEYS: `one:${signingKey()}`,
  VAULT_KEYS: `one:${random()}`,
  APP_KEY: random(),
};

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig({ DATA_DIR: dataDir, ...environment });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('Without any variable', () => {
  const config = loadConfig({ DATA_DIR: dataDir });

  test('the service runs on an embedded database, with the demo, on this machine only', () => {
    expect(config).toMatchObject({ environment: 'development', host: '127.0.0.1', port: 3000, demo: true });
    expect(config.database).toMatchObject({ embedded: true, url: '', poolSize: 10, namedStatements: true });
    expect(config.publicUrl).toBe('http://127.0.0.1:3000');
    expect(config.requireVerifiedEmail).toBe(false);
  });

  test('secrets are made once, readable by their owner only, and kept', () => {
    const again = loadConfig({ DATA_DIR: dataDir });
    expect(again.secrets).toEqual(config.secrets);
    expect(again.tokens.jwtKeys).toBe(config.tokens.jwtKeys);
    expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600);
  });

  test('generated secrets pass the checks that given ones must pass', () => {
    const { tokens, secrets } = config;
    expect(problemsOf({ JWT_KEYS: tokens.jwtKeys, VAULT_KEYS: secrets.vaultKeys, APP_KEY: secrets.appKey })).toEqual(
      [],
    );
  });

  test('nothing in it can be changed', () => {
    expect(() => Object.assign(config.database, { url: 'postgres://elsewhere' })).toThrow(TypeError);
  });
});

describe('A variable that cannot be used', () => {
  test('stops the start together with all the others', () => {
    expect(
      problemsOf({ PORT: 'http', HOST: '', DEMO: 'yes', CORS_ORIGINS: 'https://a.example,b.example/path' }),
    ).toEqual([
      "PORT: must be a whole number from 0 to 65535, not 'http'.",
      "DEMO: must be true or false, not 'yes'.",
      "CORS_ORIGINS: must be origins like https://app.example, without a path, not 'https://a.example,b.example/path'.",
    ]);
  });

  test.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['DATABASE_POOL_SIZE', '0'],
    ['NODE_ENV', 'prod'],
    ['LOG_LEVEL', 'verbose'],
    ['PUBLIC_URL', 'clinic.example'],
    ['TRUST_PROXY', 'yes'],
    ['DATABASE_URL', 'mysql://host/db'],
    ['REDIS_URL', 'localhost:6379'],
    ['SMTP_URL', 'mail.example'],
    ['JWT_KEYS', random()],
    ['JWT_KEYS', `one:${random()}`],
    ['JWT_KEYS', `one:${signingKey('x25519')}`],
    ['VAULT_KEYS', `one:${Buffer.alloc(31).toString('base64')}`],
    ['VAULT_KEYS', `one:${random()},one:${random()}`],
    ['VAULT_KEYS', ','],
    ['APP_KEY', 'c2hvcnQ='],
  ])('%s is named (case %#)', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^${name}: `)]);
  });

  test('is never printed when it is a secret', () => {
    const value = 'hunter2-and-more';
    const names = ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'WORKER_DATABASE_URL', 'REDIS_URL', 'SMTP_URL'];
    for (const name of [...names, 'JWT_KEYS', 'VAULT_KEYS', 'APP_KEY']) {
      const problems = problemsOf({ [name]: `${value}!` });
      expect(problems).toHaveLength(1);
      expect(problems.join()).not.toContain(value);
    }
  });

  test('is the secrets file, when it was cut off', () => {
    const cut = mkdtempSync(join(dataDir, 'cut-'));
    writeFileSync(join(cut, 'secrets.json'), '{');
    expect(problemsOf({ DATA_DIR: cut })).toEqual([expect.stringContaining(join(cut, 'secrets.json'))]);
  });
});

describe('In production', () => {
  test('a complete environment is accepted, and no secret is made', () => {
    const fresh = join(dataDir, 'never-made');
    const config = loadConfig({ ...production, DATA_DIR: fresh });
    expect(config).toMatchObject({ demo: false, requireVerifiedEmail: true, publicUrl: 'https://api.clinic.example' });
    expect(() => statSync(fresh)).toThrow();
  });

  test.each(['DATABASE_URL', 'PUBLIC_URL', 'SMTP_URL', 'JWT_KEYS', 'VAULT_KEYS', 'APP_KEY'])(
    '%s must be given',
    (name) => {
      expect(problemsOf({ ...production, [name]: '' })).toEqual([expect.stringMatching(`^${name} is missing: `)]);
    },
  );

  test('the demo is refused', () => {
    expect(problemsOf({ ...production, DEMO: 'true' })).toEqual([expect.stringMatching('^DEMO is true: ')]);
  });
});

describe('The settings that follow from others', () => {
  test.each([
    ['127.0.0.1', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['192.0.2.1', false],
  ])('on %s the demo is there by itself: %s', (HOST, demo) => {
    expect(loadConfig({ DATA_DIR: dataDir, HOST }).demo).toBe(demo);
    expect(loadConfig({ DATA_DIR: dataDir, HOST, DEMO: 'true' }).demo).toBe(true);
  });

  test('in production the login of the API does not migrate', () => {
    expect(
      loadConfig({ ...production, DATA_DIR: dataDir, MIGRATION_DATABASE_URL: '' }).database.migrationUrl,
    ).toBeUndefined();
  });

  test('a database of your own serves migrations and worker too, and is not filled with the demo', () => {
    const { database, demo } = loadConfig({ DATA_DIR: dataDir, DATABASE_URL: production.DATABASE_URL });
    const { url, migrationUrl, workerUrl, embedded } = database;
    expect([url, migrationUrl, workerUrl]).toEqual(Array(3).fill(production.DATABASE_URL));
    expect({ embedded, demo }).toEqual({ embedded: false, demo: false });
  });

  test.each([
    ['0.0.0.0', 'http://localhost:3000'],
    ['::1', 'http://[::1]:3000'],
  ])('listening on %s is reached at %s', (HOST, url) => {
    expect(loadConfig({ DATA_DIR: dataDir, HOST }).publicUrl).toBe(url);
  });

  test.each([
    ['false', false],
    ['true', 1],
    ['2', 2],
    ['10.0.0.0/8, ::1', '10.0.0.0/8, ::1'],
  ])('TRUST_PROXY=%s believes the nearest proxies only', (TRUST_PROXY, expected) => {
    expect(loadConfig({ DATA_DIR: dataDir, TRUST_PROXY }).http.trustProxy).toBe(expected);
  });
});

test('docs/configuration.md names every variable', () => {
  const page = configurationPage();
  for (const name of Object.keys(variables.shape)) expect(page).toMatch(new RegExp(`\\| \`${name}\`.* \\| \\S.* \\|`));
  expect(page).not.toContain('undefined');
  expect(readFileSync('docs/configuration.md', 'utf8')).toBe(page);
});
