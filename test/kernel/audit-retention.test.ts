import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import pg from 'pg';
import { demoAdmin } from '../../src/demo/demo.js';
import { AuditMonths } from '../../src/kernel/audit/audit-months.js';
import { AuditRetention } from '../../src/kernel/audit/audit-retention.js';
import { migrateDown, migrateUp } from '../../src/kernel/database/migrations.js';
import { createTestDatabase } from '../support/database.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
beforeAll(async () => {
  service = await startService({ variables: { AUDIT_RETENTION_MONTHS: '12' } });
});
afterAll(() => service.stop());

/** The first day of a month so many before this one. */
function month(before: number): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - before, 1)).toISOString().slice(0, 10);
}
const fileOf = (of: string, number = '') => join(folder(), `audit-${of.slice(0, 7)}${number}.ndjson.gz`);
const folder = () => service.config.audit.archiveDir;
const linesOf = (file: string) => gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n');
const run = () => service.application.get(AuditRetention).run();

/** Lines of a month, which hold what a log may hold. */
async function write(of: string, count: number, on = service.database): Promise<void> {
  await on.sql(
    `INSERT INTO audit.events (occurred_at, database_role, address, table_name, action, row_id, changes)
     SELECT $1::date + n * interval '0.000001 seconds', 'authenticated', '10.1.2.3', 'public.things', 'update', n::text,
            jsonb_build_object('name', jsonb_build_array(E'zwei\\nZeilen\u2028\u2029, "Größe" \\\\ ', n))
       FROM generate_series(1, $2) AS n`,
    [of, count],
  );
}
async function rowsOf(of: string): Promise<number> {
  const [row] = await service.database.sql<{ count: number }>(
    `SELECT count(*)::int FROM audit.events
      WHERE occurred_at >= $1::date AND occurred_at < $1::date + interval '1 month'`,
    [of],
  );
  return row?.count ?? -1;
}
const partitions = async (on = service.database) =>
  (
    await on.sql<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.events'::regclass ORDER BY 1`,
    )
  ).map(({ name }) => name);
const nameOf = (of: string) => `audit.events_${of.slice(0, 7).replace('-', '_')}`;

describe('The months of the audit log', () => {
  it('are made ahead, each with what came before it was there, and made again they are the same', async () => {
    await write(month(-9), 3);
    await write(month(2), 4);
    expect(await service.database.sql('SELECT FROM audit.events_default')).toHaveLength(7);
    await Promise.all([run(), run()]);
    const made = await partitions();
    for (const each of [month(-9), month(2), month(0), month(-1), month(-2), month(-3)])
      expect(made).toContain(nameOf(each));
    expect(await service.database.sql('SELECT FROM audit.events_default')).toEqual([]);
    expect([await rowsOf(month(-9)), await rowsOf(month(2))]).toEqual([3, 4]);
    await run();
    expect(await partitions()).toEqual(made);
  });

  it('are as closed as the log itself, each of them', async () => {
    const client = new pg.Client(service.database.apiUrl);
    await client.connect();
    for (const role of ['polyclinic_api', 'anon', 'authenticated', 'super_admin', 'service_role', 'polyclinic_jobs']) {
      for (const text of ['SELECT FROM', 'DELETE FROM', 'TRUNCATE', 'DROP TABLE']) {
        await client.query('BEGIN');
        await client.query(`SET LOCAL ROLE ${role}`);
        const refusal = await client.query(`${text} ${nameOf(month(0))}`).catch(({ code }) => code);
        expect([role, text, refusal]).toEqual([role, text, '42501']);
        await client.query('ROLLBACK');
      }
    }
    await client.end();
    for (const each of [nameOf(month(0)), nameOf(month(2)), 'audit.events_default'])
      for (const text of [`DELETE FROM ${each}`, `UPDATE ${each} SET action = 'read'`, `TRUNCATE ${each}`])
        await expect(service.database.sql(text)).rejects.toThrow('append-only');
  });

  it('are no tables of their own in the pages about the schema', async () => {
    const { schemaPage, accessMatrixPage } = await import('../../src/kernel/database/schema-pages.js');
    for (const page of [
      await schemaPage(service.database.adminUrl),
      await accessMatrixPage(service.database.adminUrl),
    ]) {
      expect(page).toContain('## audit.events\n');
      expect(page).not.toContain('audit.events_');
    }
  });

  it('are read in their order, whichever of them a line lies in, from the newest only as far as asked', async () => {
    const admin = await service.tokenOf(demoAdmin);
    const all: { id: string; occurredAt: string }[] = [];
    let cursor = '';
    do {
      const { body } = await service.call('GET', `/audit?limit=7&table=public.things${cursor}`, { token: admin });
      all.push(...body.data);
      cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : '';
    } while (cursor);
    expect(all).toHaveLength(7);
    expect(all.map(({ occurredAt }) => occurredAt)).toEqual(
      all
        .map(({ occurredAt }) => occurredAt)
        .sort()
        .reverse(),
    );

    const [
      {
        'QUERY PLAN': [plan],
      } = { 'QUERY PLAN': [] },
    ] = await service.database.sql<{ 'QUERY PLAN': object[] }>(
      `EXPLAIN (FORMAT json, ANALYZE) SELECT * FROM audit.events ORDER BY occurred_at DESC, id DESC LIMIT 3`,
    );
    const text = JSON.stringify(plan);
    expect(text).toMatch(/"Node Type":"(Merge )?Append"/);
    expect(text).not.toContain('"Node Type":"Sort"');
    expect(text).not.toContain('"Node Type":"Seq Scan"');
  });
});

describe('A month beyond the retention', () => {
  it('is put away whole and then dropped, and nothing else is', async () => {
    await write(month(13), 12_345);
    await write(month(12), 5);
    await run();
    expect([await rowsOf(month(13)), await rowsOf(month(12))]).toEqual([0, 5]);
    expect(await partitions()).not.toContain(nameOf(month(13)));
    const lines = linesOf(fileOf(month(13))).map((line) => JSON.parse(line));
    expect(lines.map(({ row_id }) => row_id)).toEqual(Array.from({ length: 12_345 }, (_, index) => String(index + 1)));
    expect(lines[0]).toMatchObject({
      occurred_at: `${month(13)}T00:00:00.000001+00:00`,
      address: '10.1.2.3',
      changes: { name: ['zwei\nZeilen\u2028\u2029, "Größe" \\ ', 1] },
    });
    const sum = createHash('sha256')
      .update(readFileSync(fileOf(month(13))))
      .digest('hex');
    expect(readFileSync(`${fileOf(month(13))}.sha256`, 'utf8')).toBe(
      `${sum}  audit-${month(13).slice(0, 7)}.ndjson.gz\n`,
    );
    const [trace] = await service.database.sql<{ changes: object }>(
      `SELECT changes FROM audit.events WHERE table_name = 'audit.events' AND row_id = $1`,
      [nameOf(month(13)).replace('audit.', '')],
    );
    expect(trace?.changes).toEqual({ rows: [12_345, 0], archive_sha256: [null, sum] });
    expect(readdirSync(folder()).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('that comes once more has a file of its own: what was put away is never written over', async () => {
    const before = readFileSync(fileOf(month(13)));
    await write(month(13), 2);
    await run();
    expect(readFileSync(fileOf(month(13)))).toEqual(before);
    expect(linesOf(fileOf(month(13), '.2'))).toHaveLength(2);
    expect(await rowsOf(month(13))).toBe(0);
  });

  it('of which the file was finished and the table not yet dropped is dropped, and not put away twice', async () => {
    await write(month(14), 10);
    await service.application.get(AuditMonths).make(0);
    const copy = await service.database.sql<{ line: string }>(
      `SELECT line FROM audit.month_lines($1, NULL, NULL, 100)`,
      [month(14)],
    );
    const text = copy.map(({ line }) => `${line}\n`).join('');
    writeFileSync(fileOf(month(14)), gzipSync(text));
    await run();
    expect(await rowsOf(month(14))).toBe(0);
    expect(existsSync(fileOf(month(14), '.2'))).toBe(false);
  });

  it('of which the file was cut off in the middle is written anew', async () => {
    await write(month(15), 6_000);
    writeFileSync(`${fileOf(month(15))}.partial`, gzipSync('half a line').subarray(0, 15));
    await run();
    expect(linesOf(fileOf(month(15)))).toHaveLength(6_000);
    expect(await rowsOf(month(15))).toBe(0);
    expect(existsSync(`${fileOf(month(15))}.partial`)).toBe(false);
  });

  it('stays where it is while the file cannot be written, and goes when it can', async () => {
    await write(month(16), 50);
    mkdirSync(`${fileOf(month(16))}.partial`);
    await expect(run()).rejects.toThrow(/EISDIR/);
    rmdirSync(`${fileOf(month(16))}.partial`);
    expect(await rowsOf(month(16))).toBe(50);
    expect(existsSync(fileOf(month(16)))).toBe(false);
  });

  it('stays when the file does not hold what the table holds', async () => {
    const [present] = await service.database.sql<{ text: string }>(
      `SELECT pg_get_functiondef('audit.month_digest'::regproc) AS text`,
    );
    await service.database.sql(
      (present?.text ?? '').replace(
        /AS \$function\$.*\$function\$/s,
        () => 'AS $$ SELECT 50, 7::bigint, now()::text, app.uuid_v7() WHERE p_after IS NULL $$',
      ),
    );
    await expect(run()).rejects.toThrow('does not hold');
    await service.database.sql(present?.text ?? '');
    expect(await rowsOf(month(16))).toBe(50);
    expect(existsSync(fileOf(month(16)))).toBe(false);
  });

  it('stays when a line came after it was put away', async () => {
    const months = service.application.get(AuditMonths);
    const { rows } = await months.digest(month(16));
    await write(month(16), 1);
    await expect(months.drop(month(16), rows, 'x')).rejects.toThrow('other lines');
    expect(await rowsOf(month(16))).toBe(51);
  });

  it('is never this one or the one before, whoever asks for it', async () => {
    const months = service.application.get(AuditMonths);
    for (const each of [month(0), month(1), month(-1)]) {
      await months.make(2);
      await write(each, 1);
      await months.make(2);
      await expect(months.drop(each, await rowsOf(each), 'x')).rejects.toThrow('stay in the log');
    }
  });

  it('stays for ever where no retention is set', async () => {
    const keeping = await startService({ database: service.database });
    const before = await rowsOf(month(16));
    await keeping.application.get(AuditRetention).run();
    expect(await rowsOf(month(16))).toBe(before);
    await keeping.stop();
  });
});

describe('The migration', () => {
  it('takes every line along, there and back, and what refuses a change', async () => {
    const database = await createTestDatabase({ empty: true });
    await migrateUp(database.adminUrl);
    await write(month(40), 3, database);
    await write(month(0), 2, database);
    const lines = () => database.sql('SELECT * FROM audit.events ORDER BY occurred_at, id');
    const before = await lines();
    expect(before).toHaveLength(5);
    const isPartitioned = async () => (await partitions(database)).length > 0;
    for (let step = 0; step < 30 && (await isPartitioned()); step += 1) await migrateDown(database.adminUrl);
    expect(await isPartitioned()).toBe(false);
    expect(await lines()).toEqual(before);
    await expect(database.sql('DELETE FROM audit.events')).rejects.toThrow('append-only');
    await migrateUp(database.adminUrl);
    expect(await lines()).toEqual(before);
    expect(await partitions(database)).toContain(nameOf(month(40)));
    await database.drop();
  });
});
