import { once } from 'node:events';
import { request as open } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Query } from '@nestjs/common';
import { z } from 'zod';
import { demoAddress } from '../../src/demo/demo.js';
import type { StreamedAnswer } from '../../src/kernel/http/answer.js';
import { NotFound } from '../../src/kernel/http/http.errors.js';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { signedIn } from '../../src/kernel/tenancy/access.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { captureLog } from '../support/probe.js';
import { type Service, startService } from '../support/service.js';

const Options = z.strictObject({
  parts: z.coerce.number().int(),
  failAt: z.coerce.number().int().optional(),
  name: z.string().optional(),
  type: z.string().default('text/csv'),
});
type Options = z.infer<typeof Options>;

/** What the route of this file did: parts that were made, streams that were let go of. */
const made: number[] = [];
let ended = 0;
const filler = 'x'.repeat(50_000);

@Controller('streams')
class StreamsController {
  constructor(private readonly database: Database) {}

  @Get()
  @Operation({
    id: 'streamParts',
    summary: 'Stream parts',
    access: signedIn,
    streams: { contentTypes: ['text/csv; charset=utf-8', 'application/x-ndjson'] },
    refusals: [NotFound],
  })
  async stream(@Query({ schema: Options }) options: Options): Promise<StreamedAnswer> {
    const { type, name } = options;
    await this.database.query('SELECT 1');
    return {
      stream: this.database.stream(this.parts(options), { objectMode: false }),
      contentType: type,
      ...(name && { fileName: name }),
    };
  }

  private async *parts({ parts, failAt }: Options): AsyncGenerator<string> {
    try {
      for (let part = 0; part < parts; part += 1) {
        if (part === failAt) throw part === 0 ? new NotFound() : new Error('a fault');
        made.push(part);
        yield await this.database.separately(async () => {
          const row = await this.database.first<{ line: string }>(
            `SELECT $1 || ',' || app.user_id() || ',' || current_setting('transaction_read_only') || $2 || E'\n' AS line`,
            [part, parts > 100 ? filler : ''],
          );
          return row?.line ?? '';
        });
      }
    } finally {
      ended += 1;
    }
  }
}

let service: Service;
let token: string;
let userId: string;
let log: Record<string, unknown>[];
beforeAll(async () => {
  service = await startService({
    controllers: [StreamsController],
    variables: { DATABASE_POOL_SIZE: '2', LOG_LEVEL: 'info' },
    beforeListening: (application) => {
      log = captureLog(application);
    },
  });
  token = await service.tokenOf(demoAddress('owner', 'northside'));
  userId = (await service.call('GET', '/auth/me', { token })).body.id;
});
afterAll(() => service.stop());
beforeEach(() => {
  made.length = 0;
  ended = 0;
  log.length = 0;
});

const get = (query: string, method = 'GET') => service.call(method, `/streams?${query}`, { token });

async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`It did not come to that: ${what}`);
    await delay(20);
  }
}

/** A client that reads nothing until it is told to. */
async function begin(query: string) {
  const request = open(`${service.url}/api/v1/streams?${query}`, { headers: { authorization: `Bearer ${token}` } });
  request.on('error', () => undefined).end();
  const [response] = (await once(request, 'response')) as [Readable];
  response.on('error', () => undefined);
  return { request, response };
}

describe('A streamed answer', () => {
  it('is made of parts that are fetched as the caller, each in a transaction of its own that may only read', async () => {
    const { status, headers, text } = await get('parts=3&name=Umsätze "2026".csv');
    expect([status, headers.get('content-type')]).toEqual([200, 'text/csv']);
    expect(text).toBe([0, 1, 2].map((part) => `${part},${userId},on\n`).join(''));
    expect(headers.get('content-disposition')).toBe(
      `attachment; filename="Ums_tze _2026_.csv"; filename*=UTF-8''Ums%C3%A4tze%20%222026%22.csv`,
    );
    expect(headers.get('content-length')).toBeNull();
    await until(() => log.some(({ msg, route }) => msg === 'request' && route === '/api/v1/streams'));
    expect(log.find(({ msg }) => msg === 'request')).toMatchObject({ status: 200 });
  });

  it('may be empty', async () => {
    const { status, text } = await get('parts=0');
    expect([status, text]).toEqual([200, '']);
  });

  it('has for HEAD the same headers, and no part is fetched', async () => {
    const { status, headers, text } = await get('parts=3&name=x.csv', 'HEAD');
    expect([status, headers.get('content-type'), text]).toEqual([200, 'text/csv', '']);
    expect(headers.get('content-disposition')).toContain('x.csv');
    expect(made).toEqual([]);
  });

  it('whose first part is refused is a problem document', async () => {
    const { status, headers, body } = await get('parts=3&failAt=0&name=x.csv');
    expect([status, body.code]).toEqual([404, 'not-found']);
    expect(headers.get('content-disposition')).toBeNull();
  });

  it('that fails in the middle ends the connection and not the answer, and the log says so', async () => {
    await expect(get('parts=3&failAt=2')).rejects.toThrow();
    await until(() => log.some(({ msg }) => msg === 'request'));
    expect(log.find(({ msg }) => msg === 'request')).toMatchObject({ code: 'internal-error', interrupted: true });
    expect(log).toContainEqual(expect.objectContaining({ code: 'internal-error', msg: 'A fault of the service' }));
    expect(JSON.stringify(log)).not.toContain('a fault"');
    expect((await get('parts=1')).status).toBe(200);
  });

  it('of a type that is not declared is a fault of ours', async () => {
    expect((await get('parts=3&type=text/html')).body.code).toBe('internal-error');
    expect(made).toEqual([]);
  });

  it('is fetched no faster than it is read, and holds no connection to the database meanwhile', async () => {
    const readers = await Promise.all(Array.from({ length: 5 }, () => begin('parts=2000')));
    // Until what lies between the two ends is full, and nothing more is fetched.
    let soFar = -1;
    while (soFar < made.length) {
      soFar = made.length;
      await delay(400);
    }
    expect(soFar).toBeLessThan(5 * 500);
    expect((await service.call('GET', '/auth/me', { token })).status).toBe(200);
    for (const { request } of readers) request.destroy();
    await until(() => ended === 5);
  });

  it('is let go of when the client hangs up', async () => {
    const { request, response } = await begin('parts=2000');
    await once(response, 'readable');
    request.destroy();
    await until(() => ended === 1);
    expect(made.length).toBeLessThan(1_000);
    await until(() => log.some(({ msg }) => msg === 'request'));
    expect(log.find(({ msg }) => msg === 'request')).toMatchObject({ status: 200, interrupted: true });
    expect(log.find(({ msg }) => msg === 'request')).not.toHaveProperty('code');
  });

  it('stands in the description with its types', async () => {
    const { body } = await service.call('GET', '//api/openapi.json');
    const binary = { schema: { type: 'string', format: 'binary' } };
    expect(body.paths['/api/v1/streams'].get.responses['200'].content).toEqual({
      'text/csv; charset=utf-8': binary,
      'application/x-ndjson': binary,
    });
  });

  it('that may be JSON as well is described by its schema there', async () => {
    const { body } = await service.call('GET', '//api/openapi.json');
    const { responses } = body.paths['/api/v1/clinics/{clinicId}/reports/weekly/{week}'].get;
    expect(responses['200']).toEqual({
      description: 'Done.',
      content: {
        'application/json': { schema: { $ref: '#/components/schemas/Report' } },
        'text/html; charset=utf-8': { schema: { type: 'string', format: 'binary' } },
        'application/pdf': { schema: { type: 'string', format: 'binary' } },
      },
    });
    expect(body.components.schemas.Report.properties.totals.items).toEqual({
      $ref: expect.stringMatching(/ReportTotal$/),
    });
  });
});

describe('A stop', () => {
  it('lets a stream that is being read come to its end', async () => {
    const short = await startService({ controllers: [StreamsController], database: service.database });
    const theirs = await short.tokenOf(demoAddress('owner', 'northside'));
    const request = open(`${short.url}/api/v1/streams?parts=400`, { headers: { authorization: `Bearer ${theirs}` } });
    request.end();
    const [response] = (await once(request, 'response')) as [Readable];
    const stopped = short.application.close();
    await delay(100);
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    await stopped;
    expect(bytes).toBeGreaterThan(400 * filler.length);
  });
});
