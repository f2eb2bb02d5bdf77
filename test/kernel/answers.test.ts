import { Body, Controller, Get, Post } from '@nestjs/common';
import { z } from 'zod';
import { demoAddress } from '../../src/demo/demo.js';
import { type AnswerWithStatus, withStatus } from '../../src/kernel/http/answer.js';
import { etagOf } from '../../src/kernel/http/etag.js';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { asRefusal } from '../../src/kernel/http/problem-mapping.js';
import { anybody, signedIn } from '../../src/kernel/tenancy/access.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { currentStore } from '../../src/kernel/tenancy/request-context.js';
import { type Service, startService } from '../support/service.js';

const Items = z.strictObject({ items: z.array(z.string()), mode: z.enum(['all', 'partial']) });
const Outcomes = z.object({ outcomes: z.array(z.string()) });
const Created = z.object({ count: z.int() });
const Version = z.object({ version: z.string(), hidden: z.string().optional() });

let version = 'first';
let followed: string[] = [];

@Controller('answers')
class AnswersController {
  constructor(private readonly database: Database) {}

  @Get('version')
  @Operation({
    id: 'probeVersion',
    summary: 'Read a version',
    access: anybody,
    answers: Version,
    etag: (body: z.output<typeof Version>) => body.version,
  })
  read(): z.input<typeof Version> {
    return { version };
  }

  @Post('version')
  @Operation({
    id: 'probeWriteVersion',
    summary: 'Answer a version',
    access: anybody,
    answers: Version,
    etag: (body: z.output<typeof Version>) => body.version,
  })
  write(): z.input<typeof Version> {
    return { version };
  }

  @Get('undeclared')
  @Operation({ id: 'probeUndeclared', summary: 'Answer what is not declared', access: anybody, answers: Version })
  undeclared(): AnswerWithStatus {
    return withStatus(207, { version });
  }

  @Post('batch')
  @Operation({
    id: 'probeBatch',
    summary: 'Write several',
    access: signedIn,
    answers: Created,
    status: 201,
    alsoAnswers: { 207: Outcomes },
    idempotent: true,
  })
  async batch(@Body({ schema: Items }) { items, mode }: z.infer<typeof Items>): Promise<object> {
    if (mode === 'all') {
      for (const item of items) await this.insert(item);
      return { count: items.length };
    }
    const outcomes: string[] = [];
    for (const item of items) outcomes.push(await this.outcomeOf(item));
    return withStatus(207, { outcomes, secret: 'must not leave' });
  }

  private async outcomeOf(item: string): Promise<string> {
    try {
      await this.database.attempt(() => this.insert(item));
      return 'done';
    } catch (error) {
      return asRefusal(error).definition.code;
    }
  }

  /** What an item does is said by its text. */
  private async insert(item: string): Promise<void> {
    const [what, ...rest] = item.split(' ');
    const { afterCommit } = currentStore().transaction;
    afterCommit.push(async () => followed.push(item));
    await this.database.query('INSERT INTO public.things (name) VALUES ($1)', [rest.join(' ') || item]);
    if (what === 'throw') throw new Error('a fault');
    if (what === 'swallow') await this.database.query('SELECT 1 / 0').catch(() => undefined);
    if (what === 'die') await this.database.query('SELECT pg_terminate_backend(pg_backend_pid())');
    if (what === 'nest') {
      await this.outcomeOf('kept inside');
      await this.outcomeOf('kept inside');
      if (item === 'nest and fail') await this.database.query('INSERT INTO public.things (name) VALUES (NULL)');
    }
    if (what === 'at-once') await Promise.all([this.outcomeOf('one'), this.outcomeOf('other')]);
  }
}

let service: Service;
let token: string;
beforeAll(async () => {
  service = await startService({ controllers: [AnswersController] });
  token = await service.tokenOf(demoAddress('owner', 'northside'));
  await service.database.sql(`
    CREATE TABLE public.things (name text NOT NULL CONSTRAINT things_name_key UNIQUE
      CONSTRAINT things_name_check CHECK (length(name) < 20));
    GRANT SELECT, INSERT ON public.things TO authenticated;
    GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint) TO authenticated;
    GRANT pg_signal_backend TO authenticated`);
});
afterAll(() => service.stop());
beforeEach(async () => {
  followed = [];
  await service.database.sql('TRUNCATE public.things');
});

const batch = (items: string[], mode = 'partial', key?: string) =>
  service.call('POST', '/answers/batch', {
    token,
    body: { items, mode },
    headers: key ? { 'idempotency-key': key } : {},
  });
const written = async () =>
  (await service.database.sql<{ name: string }>('SELECT name FROM public.things ORDER BY name')).map(
    ({ name }) => name,
  );

describe('A batch', () => {
  it('answers 207 with an outcome for each, and keeps exactly those that are done', async () => {
    const answer = await batch(['a', 'b', 'a', 'x'.repeat(30), 'c', 'b', 'd']);
    expect([answer.status, answer.body]).toEqual([
      207,
      { outcomes: ['done', 'done', 'already-exists', 'rule-violated', 'done', 'already-exists', 'done'] },
    ]);
    expect(await written()).toEqual(['a', 'b', 'c', 'd']);
    expect(followed).toEqual(['a', 'b', 'c', 'd']);
  });

  it('answers its own status where nothing is partial, all or nothing', async () => {
    expect((await batch(['a', 'b'], 'all')).status).toBe(201);
    expect((await batch(['c', 'a'], 'all')).status).toBe(409);
    expect(await written()).toEqual(['a', 'b']);
  });

  it('is replayed with the status that it had', async () => {
    const [first, again] = [await batch(['a', 'a'], 'partial', 'key'), await batch(['a', 'a'], 'partial', 'key')];
    expect([first.status, again.status, again.headers.get('idempotent-replayed')]).toEqual([207, 207, 'true']);
    expect(again.body).toEqual(first.body);
  });

  it('is another request when its query is another, and not replayed for it', async () => {
    const request = { token, body: { items: ['q'], mode: 'all' }, headers: { 'idempotency-key': 'of one query' } };
    expect((await service.call('POST', '/answers/batch', request)).status).toBe(201);
    const other = await service.call('POST', '/answers/batch?mode=partial', request);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
  });

  it('may hold attempts within attempts: the outer one takes the inner ones with it', async () => {
    expect((await batch(['nest', 'nest and fail', 'last'])).body.outcomes).toEqual(['done', 'rule-violated', 'done']);
    expect(await written()).toEqual(['kept inside'.replace('kept ', ''), 'last', 'nest'].sort());
  });

  it('in which a failure was swallowed is not half done: the attempt counts as failed', async () => {
    expect((await batch(['before', 'swallow it', 'after'])).status).toBe(500);
    expect(await written()).toEqual([]);
  });

  it('whose attempts are made at once is refused as a fault, for they would undo each other', async () => {
    expect((await batch(['before', 'at-once'])).body.code).toBe('internal-error');
    expect(await written()).toEqual([]);
  });

  it('ends at a fault of ours, with nothing written', async () => {
    expect((await batch(['before', 'throw it', 'after'])).body.code).toBe('internal-error');
    expect(await written()).toEqual([]);
  });

  it('ends when the connection is lost, with nothing written, and the next one works', async () => {
    const answer = await batch(['before', 'die now', 'after']);
    expect([answer.status, answer.body.code]).toEqual([503, 'database-unavailable']);
    expect(await written()).toEqual([]);
    expect((await batch(['again'])).body.outcomes).toEqual(['done']);
  });

  it('whose caller may not come in is refused at its first attempt', async () => {
    const { body } = await service.call('POST', '/auth/login', {
      body: { email: demoAddress('viewer', 'southbank'), password: 'open-the-clinic' },
    });
    await service.database.sql(`UPDATE auth.sessions SET revoked_at = now() WHERE user_id = $1`, [body.user.id]);
    const answer = await service.call('POST', '/answers/batch', {
      token: body.accessToken,
      body: { items: ['a'], mode: 'partial' },
    });
    expect(answer.status).toBe(401);
  });
});

describe('A status that a route does not declare', () => {
  it('is a fault of ours', async () => {
    expect((await service.call('GET', '/answers/undeclared')).body.code).toBe('internal-error');
  });
});

describe('A version that the client has', () => {
  const read = (ifNoneMatch?: string, method = 'GET') =>
    service.call(method, '/answers/version', { headers: ifNoneMatch ? { 'if-none-match': ifNoneMatch } : {} });

  it.each([
    ['named alone', etagOf('first')],
    ['named weakly', `W/${etagOf('first')}`],
    ['among others', `"other", W/"x",${etagOf('first')}`],
    ['as a star', '*'],
  ])('%s is answered 304 without a body', async (_what, header) => {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await read(header, method);
      expect([status, text, headers.get('etag')]).toEqual([304, '', etagOf('first')]);
      expect(headers.get('content-type')).toBeNull();
    }
  });

  it.each([['"other"'], ['"*"'], [`x${etagOf('first')}`], [etagOf('first').slice(1, -1)]])(
    'is not that of %s',
    async (header) => {
      const { status, body, headers } = await read(header);
      expect([status, body, headers.get('etag')]).toEqual([200, { version: 'first' }, etagOf('first')]);
    },
  );

  it('is another one once it has changed', async () => {
    const { headers } = await read();
    version = 'second';
    expect((await read(headers.get('etag') ?? '')).body).toEqual({ version: 'second' });
    version = 'first';
  });

  it('is answered in full to what is no GET', async () => {
    const answer = await service.call('POST', '/answers/version', { headers: { 'if-none-match': etagOf('first') } });
    expect([answer.status, answer.body]).toEqual([200, { version: 'first' }]);
  });

  it('is told of in the description of reads, and 207 in that of batches', async () => {
    const { body } = await service.call('GET', '//api/openapi.json');
    const answers = (path: string, method: string) =>
      Object.keys(body.paths[`/api/v1/answers/${path}`][method].responses);
    expect(answers('version', 'get')).toContain('304');
    expect(answers('version', 'post')).not.toContain('304');
    expect(answers('batch', 'post')).toContain('207');
  });
});

describe('An inactive clinic', () => {
  it('is told of in the description of every route that writes there, and of no other', async () => {
    const { body } = await service.call('GET', '//api/openapi.json');
    const tells = (path: string, method: string) =>
      body.paths[`/api/v1${path}`][method].responses['409']?.description.includes('clinic-inactive') ?? false;
    expect(tells('/clinics/{clinicId}/providers', 'post')).toBe(true);
    expect(tells('/clinics/{clinicId}/providers', 'get')).toBe(false);
    expect(tells('/organisations', 'post')).toBe(false);
  });
});
