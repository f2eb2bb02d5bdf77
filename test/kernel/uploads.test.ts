import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Controller, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { demoAddress } from '../../src/demo/demo.js';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { Upload } from '../../src/kernel/http/upload.js';
import { clinicRole } from '../../src/kernel/tenancy/access.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { openSocket, readAnswer } from '../support/raw-http.js';
import { type Answer, type Service, startService } from '../support/service.js';

const Fields = z.strictObject({ target: z.enum(['calls', 'patients']), dryRun: z.stringbool().default(false) });
const Received = z.object({
  fields: z.object({ target: z.string(), dryRun: z.boolean() }),
  fileName: z.string(),
  contentType: z.string(),
  hash: z.string(),
});
const Options = z.strictObject({ opens: z.string().optional() });

/** What the handler met: how it began, and how reading ended. */
const seen: string[] = [];

@Controller('clinics/:clinicId/probe-uploads')
class UploadsController {
  constructor(private readonly database: Database) {}

  @Post()
  @Operation({
    id: 'probeUpload',
    summary: 'Take a file',
    access: clinicRole('staff'),
    answers: Received,
    uploads: { fields: Fields, maxBytes: 3_000_000 },
  })
  async take(
    @Upload() upload: Upload<z.infer<typeof Fields>>,
    @Query({ schema: Options }) { opens }: z.infer<typeof Options>,
  ): Promise<z.input<typeof Received>> {
    seen.push('begun');
    if (opens) await this.database.query('SELECT 1');
    const hash = createHash('sha256');
    try {
      for await (const chunk of upload.file) hash.update(chunk);
    } catch (error) {
      seen.push((error as Error).name);
      throw error;
    }
    const [row] = await this.database.separately(() =>
      this.database.query<{ id: string }>('SELECT app.user_id() AS id'),
    );
    seen.push(row ? 'read' : 'nobody');
    const { fields, fileName, contentType } = upload;
    return { fields, fileName, contentType, hash: hash.digest('hex') };
  }
}

let service: Service;
let clinicId: string;
beforeAll(async () => {
  service = await startService({ controllers: [UploadsController] });
  const { body } = await service.call('GET', '/clinics', { token: await as('staff') });
  clinicId = body.data[0].id;
});
afterAll(() => service.stop());
beforeEach(() => {
  seen.length = 0;
});

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code, body?.errors?.[0]?.code];

/** A form as a browser sends it: fields in their order, and the file among them. */
async function sendForm(
  parts: [string, string | Blob][],
  { role = 'staff', slug = 'northside', query = '', clinic = clinicId } = {},
): Promise<Answer> {
  const form = new FormData();
  for (const [name, value] of parts) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, value, 'Umsätze.csv');
  }
  const response = await fetch(`${service.url}/api/v1/clinics/${clinic}/probe-uploads${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await as(role, slug)}` },
    body: form,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text), text };
}

const bytes = (size: number) => new Blob([Buffer.alloc(size, 'row\n')], { type: 'text/csv' });

/** The same as raw bytes, for what no client would send. */
async function sendBytes(head: string[], body: string, { end = true } = {}) {
  const socket = await openSocket(service.url);
  const lines = [
    `POST /api/v1/clinics/${clinicId}/probe-uploads HTTP/1.1`,
    'Host: x',
    `Authorization: Bearer ${await as('staff')}`,
    'Content-Type: multipart/form-data; boundary=edge',
    'Connection: close',
    ...head,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  if (end) return readAnswer(socket);
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.destroy();
  await once(socket, 'close');
  return undefined;
}

const target = `--edge\r\nContent-Disposition: form-data; name="target"\r\n\r\ncalls\r\n`;
const fileHead = `--edge\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\nContent-Type: text/csv\r\n\r\n`;

describe('An upload', () => {
  it('gives its fields as the schema makes them, and its file as it came', async () => {
    const file = bytes(2_900_000);
    const answer = await sendForm([
      ['target', 'calls'],
      ['dryRun', 'true'],
      ['file', file],
    ]);
    const hash = createHash('sha256').update(Buffer.alloc(2_900_000, 'row\n')).digest('hex');
    expect(answer.body).toEqual({
      fields: { target: 'calls', dryRun: true },
      fileName: 'Umsätze.csv',
      contentType: 'text/csv',
      hash,
    });
    expect(seen).toEqual(['begun', 'read']);
  });

  it.each<[string, [string, string | Blob][], unknown[]]>([
    ['without a file', [['target', 'calls']], [400, 'invalid-request', 'missing']],
    [
      'with a field of another value',
      [
        ['target', 'notes'],
        ['file', bytes(10)],
      ],
      [400, 'invalid-request', 'invalid-value'],
    ],
    [
      'with an unknown field',
      [
        ['target', 'calls'],
        ['clinicId', 'x'],
        ['file', bytes(10)],
      ],
      [400, 'invalid-request', 'unknown-field'],
    ],
    [
      'with a field twice',
      [
        ['target', 'calls'],
        ['target', 'calls'],
        ['file', bytes(10)],
      ],
      [400, 'invalid-request', 'repeated'],
    ],
    [
      'with a field of a megabyte',
      [
        ['target', 'x'.repeat(1_000_000)],
        ['file', bytes(10)],
      ],
      [400, 'invalid-request', 'too-long'],
    ],
    [
      'with a field after the file',
      [
        ['file', bytes(10)],
        ['target', 'calls'],
      ],
      [400, 'invalid-request', 'invalid-value'],
    ],
    [
      'with a hundred fields',
      Array.from({ length: 100 }, (_, index): [string, string] => [`f${index}`, 'x']),
      [413, 'payload-too-large', undefined],
    ],
  ])('%s is refused before its file is looked at', async (_what, parts, expected) => {
    expect(outcome(await sendForm(parts))).toEqual(expected);
    expect(seen).toEqual([]);
  });

  it.each<[string, [string, string | Blob]]>([
    ['a field', ['dryRun', 'true']],
    ['a field named like a part of every object', ['toString', 'x']],
    ['a second file', ['file', bytes(10)]],
  ])('with %s after its file is refused', async (_what, last) => {
    const answer = await sendForm([['target', 'calls'], ['file', bytes(200_000)], last]);
    expect([400, 413]).toContain(answer.status);
    expect(seen).not.toContain('read');
  });

  it('above the limit of its route is refused by what it announces', async () => {
    const answer = await sendForm([
      ['target', 'calls'],
      ['file', bytes(3_100_000)],
    ]);
    expect(outcome(answer)).toEqual([413, 'payload-too-large', undefined]);
    expect(seen).toEqual([]);
  });

  it('that announces nothing is refused when it has become too long, in its file or before it', async () => {
    const chunk = 'x'.repeat(3_200_000);
    for (const body of [`${target}${fileHead}${chunk}`, chunk]) {
      const chunked = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
      const answer = await sendBytes(['Transfer-Encoding: chunked'], chunked);
      expect([answer?.status, JSON.parse(answer?.body ?? '').code]).toEqual([413, 'payload-too-large']);
    }
    expect(seen).toEqual(['begun', 'payload-too-large']);
  });

  it('of a client that hangs up in the middle ends in an error for whoever reads it', async () => {
    await sendBytes(['Content-Length: 1000000'], `${target}${fileHead}${'row\n'.repeat(1_000)}`, { end: false });
    for (let wait = 0; wait < 100 && seen.length < 2; wait += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toEqual(['begun', 'invalid-request']);
    expect(seen).not.toContain('read');
  });

  it.each([
    ['no boundary', 'multipart/form-data', `${target}`],
    ['an end that does not come', 'multipart/form-data; boundary=edge', `${target}${fileHead}rows`],
    ['nothing at all', 'multipart/form-data; boundary=edge', ''],
  ])('with %s is refused', async (_what, type, body) => {
    const answer = await service.call('POST', `/clinics/${clinicId}/probe-uploads`, {
      token: await as('staff'),
      headers: { 'content-type': type },
      body: body || undefined,
    });
    expect(outcome(answer).slice(0, 2)).toEqual([400, 'invalid-request']);
    expect(seen).not.toContain('read');
  });

  it.each([
    ['viewer', 'northside', 403, 'role-too-low'],
    ['clinic_admin', 'southbank', 404, 'not-found'],
  ])('by the %s of %s is refused before a byte of it is read', async (role, slug, status, code) => {
    const answer = await sendForm(
      [
        ['target', 'nonsense'],
        ['file', bytes(1_000_000)],
      ],
      { role, slug },
    );
    expect(outcome(answer)).toEqual([status, code, undefined]);
  });

  it('may not meet an open transaction: that is a fault of the route', async () => {
    const answer = await sendForm(
      [
        ['target', 'calls'],
        ['file', bytes(2_000_000)],
      ],
      { query: '?opens=yes' },
    );
    expect(outcome(answer)).toEqual([500, 'internal-error', undefined]);
    expect(seen).not.toContain('read');
  });

  it('is the only body that its route takes, and other routes take none', async () => {
    const token = await as('staff');
    const json = await service.call('POST', `/clinics/${clinicId}/probe-uploads`, { token, body: { target: 'calls' } });
    expect(outcome(json)).toEqual([415, 'unsupported-media-type', undefined]);
    const headers = { 'content-type': 'multipart/form-data; boundary=edge' };
    const body = `${target}--edge--\r\n`;
    for (const path of ['/auth/login', `/clinics/${clinicId}/providers`]) {
      expect(outcome(await service.call('POST', path, { token, headers, body }))).toEqual([
        415,
        'unsupported-media-type',
        undefined,
      ]);
    }
  });

  it('stands in the description with its fields and its file', async () => {
    const { body } = await service.call('GET', '//api/openapi.json');
    const { requestBody, responses } = body.paths['/api/v1/clinics/{clinicId}/probe-uploads'].post;
    expect(requestBody.content['multipart/form-data'].schema).toMatchObject({
      properties: { target: { enum: ['calls', 'patients'] }, file: { type: 'string', format: 'binary' } },
      required: ['target', 'file'],
    });
    expect(responses['413'].description).toBe('`payload-too-large`');
    expect(responses['409'].description).toBe('`clinic-inactive`');
  });
});
