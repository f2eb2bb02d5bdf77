import { BadRequestException, HttpException, NotFoundException } from '@nestjs/common';
import { camelName } from '../../src/kernel/database/column-names.js';
import { problems } from '../../src/kernel/errors/domain-error.js';
import type { Problem } from '../../src/kernel/http/problem.schema.js';
import { type Probe, startProbe } from '../support/probe.js';

let probe: Probe;
beforeAll(async () => {
  probe = await startProbe({ STATEMENT_TIMEOUT_MS: '200' });
});
afterAll(() => probe.stop());

const secret = 'her-secret-value';

async function post(path: string, body?: unknown): Promise<{ problem: Problem; headers: Headers; text: string }> {
  const response = await fetch(`${probe.url}${path}`, {
    method: 'POST',
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const problem = JSON.parse(text) as Problem;
  expect(problem.status).toBe(response.status);
  expect(problem.requestId).toBe(response.headers.get('x-request-id'));
  return { problem, headers: response.headers, text };
}

/** Lets the database raise exactly this, as a constraint or one of our functions would. */
async function raise(sqlState: string, options: Record<string, string> = {}) {
  const given = Object.entries({ message: `${secret} of a row`, ...options });
  const using = given.map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`).join(', ');
  return post('/sql', { text: `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${sqlState}', ${using}; END $$` });
}

describe('What the database refuses', () => {
  it.each([
    ['23505', { detail: `Key (slug)=(${secret}) already exists.` }, 409, 'already-exists', ['slug']],
    [
      '23505',
      { detail: `Key (clinic_id, npi_number)=(${secret}, 1) already exists.` },
      409,
      'already-exists',
      ['npiNumber'],
    ],
    [
      '23505',
      { table: 'invitations', constraint: 'invitations_clinic_id_email_key' },
      409,
      'already-exists',
      ['email'],
    ],
    ['23P01', { table: 'visits', constraint: 'visits_period_excl' }, 409, 'already-exists', ['period']],
    [
      '23503',
      { detail: `Key (clinic_id, user_id)=(${secret}, 1) is not present in table "x".` },
      422,
      'unknown-reference',
      ['userId'],
    ],
    [
      '23503',
      { detail: `Key (clinic_id)=(${secret}) is not present in table "clinics".` },
      422,
      'unknown-reference',
      ['clinicId'],
    ],
    [
      '23503',
      { detail: `Key (id)=(${secret}) is still referenced from table "x".` },
      409,
      'still-referenced',
      undefined,
    ],
    ['23514', { table: 'clinics', constraint: 'clinics_currency_check' }, 422, 'rule-violated', ['currency']],
    ['23502', { table: 'clinics', column: 'time_zone' }, 422, 'rule-violated', ['timeZone']],
    ['22001', {}, 422, 'rule-violated', undefined],
    ['22008', {}, 422, 'rule-violated', undefined],
    ['22021', {}, 422, 'rule-violated', undefined],
    ['22P05', {}, 422, 'rule-violated', undefined],
    ['42501', {}, 403, 'forbidden', undefined],
  ] as const)(
    'with %s %j is a %i %s that names %j, and shows neither value nor SQL',
    async (state, options, status, code, paths) => {
      const { problem, text } = await raise(state, options);
      expect(problem).toMatchObject({ status, code });
      expect(problem.errors?.map(({ path }) => path)).toEqual(paths);
      expect(text).not.toContain(secret);
    },
  );

  it('by a constraint is named after a column, whichever of our constraints it is', async () => {
    const constraints = await probe.database.sql<{ schema: string; table: string; name: string; columns: string[] }>(
      `SELECT n.nspname AS schema, c.relname AS table, x.name,
              (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns
         FROM (SELECT conrelid AS id, conname AS name FROM pg_constraint WHERE contype IN ('u', 'c', 'f', 'x')
               UNION
               SELECT indrelid, indexrelid::regclass::text FROM pg_index WHERE indisunique AND NOT indisprimary
                  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)) x
         JOIN pg_class c ON c.oid = x.id
         JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('app', 'auth', 'public', 'audit', 'jobs')`,
    );
    expect(constraints.length).toBeGreaterThan(20);
    // The server names the partition; the constraint of a column has its name from the table, a key from the partition.
    expect(constraints.map(({ table }) => table)).toContain('financial_metrics_2026');
    for (const { schema, table, name, columns } of constraints) {
      const { problem } = await raise('23514', { schema, table, constraint: name });
      const fields = columns.map(camelName);
      expect({ name, known: problem.errors?.every(({ path }) => fields.includes(path)) }).toEqual({
        name,
        known: true,
      });
    }
  });

  it('by our own functions has the code that they raise, and their words for humans', async () => {
    const { problem } = await raise('PC409', { message: 'last-admin', detail: 'Name another one first.' });
    expect(problem).toMatchObject({ status: 409, code: 'last-admin', detail: 'Name another one first.' });
    const { problem: unknown } = await raise('PC409', { message: 'no-such-code' });
    expect(unknown).toMatchObject({ status: 500, code: 'internal-error' });
  });

  it('is declared, with the status that the function means, for every code that the schema raises', async () => {
    const raised = await probe.database.sql<{ name: string; found: string[] }>(
      `SELECT p.proname AS name, m AS found
         FROM pg_proc p, regexp_matches(p.prosrc, 'ERRCODE = ''PC(\\d{3})'', MESSAGE = ''([^'']+)''', 'g') m`,
    );
    expect(raised.length).toBeGreaterThan(10);
    for (const { found } of raised) {
      const [status, code = ''] = found;
      expect({ code, status: problems.get(code)?.definition.status }).toEqual({ code, status: Number(status) });
    }
  });
});

describe('A database that cannot go on', () => {
  it('because a statement takes too long is a 503 that says when to come back', async () => {
    const { problem, headers } = await post('/sql', { text: 'SELECT pg_sleep(5)' });
    expect(problem).toMatchObject({ status: 503, code: 'took-too-long' });
    expect(headers.get('retry-after')).toBe('2');
  });

  it.each([
    ['55P03', 'took-too-long', '2'],
    ['25P03', 'took-too-long', '2'],
    ['57P01', 'database-unavailable', '1'],
    ['08006', 'database-unavailable', '1'],
    ['53300', 'database-unavailable', '1'],
    ['40001', 'database-unavailable', '1'],
    ['40P01', 'database-unavailable', '1'],
  ])('with %s is a 503 %s', async (state, code, retryAfter) => {
    const { problem, headers } = await raise(state);
    expect(problem).toMatchObject({ status: 503, code });
    expect(headers.get('retry-after')).toBe(retryAfter);
  });
});

describe('A fault of the service', () => {
  it('is logged with where it happened, and not answered', async () => {
    probe.log.length = 0;
    probe.arm(new Error(`${secret} in a message`));
    const { problem, text } = await post('/throw');
    expect(problem).toMatchObject({ status: 500, code: 'internal-error', detail: problem.title });
    expect(text).not.toMatch(/her-secret|\.ts|node_modules/);
    const line = probe.log.find(({ code, cause }) => code === 'internal-error' && cause !== undefined);
    expect(line).toMatchObject({ level: 'error', requestId: problem.requestId, cause: { name: 'Error' } });
    expect(JSON.stringify(line)).toContain('problems.test.ts');
    expect(JSON.stringify(probe.log)).not.toContain(secret);
  });

  it('that writes in a read is one, and writes nothing', async () => {
    probe.log.length = 0;
    const response = await fetch(`${probe.url}/sql`);
    expect([response.status, ((await response.json()) as Problem).code]).toEqual([500, 'internal-error']);
    expect(probe.log).toContainEqual(
      expect.objectContaining({ cause: expect.objectContaining({ sqlState: '25006' }) }),
    );
  });

  it.each([
    ['text', 'a text'],
    ['nothing', undefined],
    ['an object', { secret }],
  ])('is also %s that was thrown', async (_name, thrown) => {
    probe.arm(thrown);
    const { problem, text } = await post('/throw');
    expect(problem.code).toBe('internal-error');
    expect(text).not.toContain(secret);
  });
});

describe('An exception of the framework', () => {
  it.each([
    [new NotFoundException(secret), 404, 'not-found'],
    [new BadRequestException(secret), 400, 'invalid-request'],
    [new HttpException(secret, 406), 400, 'invalid-request'],
    [new HttpException(secret, 502), 500, 'internal-error'],
    [Object.assign(new Error('aborted'), { code: 'ECONNRESET', statusCode: 400 }), 400, 'invalid-request'],
  ])('%s is a %i %s', async (thrown, status, code) => {
    probe.arm(thrown);
    const { problem, text } = await post('/throw');
    expect(problem).toMatchObject({ status, code });
    expect(text).not.toContain(secret);
  });
});

describe('A request that does not fit its schema', () => {
  const good = { people: [{ age: 1 }] };
  it.each([
    ['a parameter of the path', '/nested/x?from=2026-01-01', good, ['number invalid-type']],
    ['a parameter of the query', '/nested/1?from=yesterday', good, ['from invalid-format']],
    ['an unknown parameter of the query', '/nested/1?from=2026-01-01&to=x', good, ['to unknown-field']],
    [
      'a field within a list',
      '/nested/1?from=2026-01-01',
      { people: [{ age: 1 }, { age: secret }] },
      ['people.1.age invalid-type'],
    ],
    [
      'an unknown field within',
      '/nested/1?from=2026-01-01',
      { people: [{ age: 1, x: secret }] },
      ['people.0.x unknown-field'],
    ],
    ['a missing body', '/nested/1?from=2026-01-01', undefined, [' invalid-type']],
  ])('is told of %s by name, and never of its value', async (_name, path, body, errors) => {
    const { problem, text } = await post(path, body);
    expect(problem).toMatchObject({ status: 400, code: 'invalid-request' });
    expect(problem.errors?.map((error) => `${error.path} ${error.code}`)).toEqual(errors);
    expect(text).not.toContain(secret);
  });
});
