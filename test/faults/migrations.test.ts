import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { knownMigrations, migrateDown, migrateUp } from '../../src/kernel/database/migrations.js';
import { createTestDatabase, type TestDatabase, testServer } from '../support/database.js';

const run = promisify(execFile);

function cli(database: TestDatabase, ...args: string[]): Promise<{ stdout: string }> {
  const env = {
    PATH: process.env.PATH,
    DATA_DIR: testServer().folder,
    DATABASE_URL: database.apiUrl,
    MIGRATION_DATABASE_URL: database.adminUrl,
  };
  return run(process.execPath, ['dist/src/cli.js', ...args], { env });
}

describe('Migrations', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ empty: true });
  });
  afterAll(() => database.drop());

  it('are run by one of two instances that start at once; the other waits and finds nothing to do', async () => {
    const outputs = await Promise.all([cli(database, 'migrate'), cli(database, 'migrate')]);
    const texts = outputs.map(({ stdout }) => stdout);
    expect(texts.filter((text) => text.startsWith('Applied:'))).toHaveLength(1);
    expect(texts.filter((text) => text.startsWith('The database is up to date.'))).toHaveLength(1);
  });

  it('go up, all the way down, and up again to the very same schema', async () => {
    const { stdout } = await cli(database, 'migrate:status');
    const count = stdout.trim().split('\n').length;
    expect(stdout).not.toContain('missing');
    const before = await fingerprint(database);
    const dumpBefore = await dump(database);
    await cli(database, 'migrate:down', String(count));
    expect(await tablesOf(database)).toEqual([]);
    await cli(database, 'migrate');
    expect(await fingerprint(database)).toEqual(before);
    expect(await dump(database)).toEqual(dumpBefore);
  });

  it('leave exactly what was there before when the latest is undone, one by one', async () => {
    const schemas = await undoOneByOne();
    await migrateUp(database.adminUrl);
    expect(await undoOneByOne()).toEqual(schemas);
    await migrateUp(database.adminUrl);
  }, 120_000);

  /** The schema before each step down and after the last: what is left differs unless each step leaves nothing behind. */
  async function undoOneByOne(): Promise<string[][]> {
    const schemas = [await fingerprint(database)];
    for (const _migration of await knownMigrations()) {
      await migrateDown(database.adminUrl);
      schemas.push(await fingerprint(database));
    }
    return schemas;
  }
});

async function tablesOf(database: TestDatabase): Promise<string[]> {
  const rows = await database.sql<{ name: string }>(`SELECT c.oid::regclass::text AS name FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'S') AND n.nspname IN ('app', 'auth', 'public', 'audit', 'jobs')`);
  return rows.map(({ name }) => name);
}

/** The whole schema in lines, for servers that no pg_dump on this machine is new enough for. */
async function fingerprint(database: TestDatabase): Promise<string[]> {
  const rows = await database.sql<{ line: string }>(`
    SELECT line FROM (
      SELECT format('column %s.%s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
             pg_get_expr(d.adbin, d.adrelid)) AS line, n.nspname
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v')
      UNION ALL SELECT format('index %s', pg_get_indexdef(i.indexrelid)), n.nspname FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      UNION ALL SELECT format('constraint %s %s %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)), n.nspname
        FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
      UNION ALL SELECT format('trigger %s', pg_get_triggerdef(t.oid)), n.nspname FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
      UNION ALL SELECT format('function %s %s', pg_get_functiondef(f.oid), f.proacl), n.nspname FROM pg_proc f
        JOIN pg_namespace n ON n.oid = f.pronamespace WHERE f.prokind = 'f' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = f.oid AND d.deptype = 'e')
      UNION ALL SELECT format('policy %s %s %s %s %s %s', schemaname, tablename, policyname, roles, qual, with_check), schemaname FROM pg_policies
      UNION ALL SELECT format('grant %s %s', c.oid::regclass, c.relacl), n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      UNION ALL SELECT format('schema %s %s', n.nspname, n.nspacl), 'app' FROM pg_namespace n WHERE n.nspname !~ '^pg_'
      UNION ALL SELECT format('type %s %s', t.oid::regtype, (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)), n.nspname
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e'
      UNION ALL SELECT format('defaults %s %s', d.defaclrole::regrole, d.defaclacl), 'app' FROM pg_default_acl d
      UNION ALL SELECT format('extension %s', extname), 'app' FROM pg_extension
    ) everything WHERE nspname IN ('app', 'auth', 'public', 'audit', 'jobs') ORDER BY line COLLATE "C"`);
  return rows.map(({ line }) => line);
}

/** `pg_dump -s`, where there is one of the server's version; undefined elsewhere: the fingerprint then speaks alone. */
async function dump(database: TestDatabase): Promise<string | undefined> {
  const [version] = await database.sql<{ major: string }>(
    `SELECT split_part(current_setting('server_version'), '.', 1) AS major`,
  );
  const program = `/usr/lib/postgresql/${version?.major}/bin/pg_dump`;
  if (!existsSync(program)) return undefined;
  const { stdout } = await run(program, ['-s', '--no-comments', database.adminUrl], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.replace(/^\\(un)?restrict .*$/gm, '');
}
