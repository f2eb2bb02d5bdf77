import { Body, Controller, Post } from '@nestjs/common';
import { z } from 'zod';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { RawBody } from '../../src/kernel/http/raw-body.js';
import { anybody } from '../../src/kernel/tenancy/access.js';
import { type Answer, type Service, startService } from '../support/service.js';

const maxBytes = 4_000;

@Controller('test')
class SignedThings {
  @Post('raw')
  @Operation({
    ...{ id: 'takeRawTest', summary: 'Test', access: anybody, status: 200 },
    ...{ rawBody: { maxBytes }, answers: z.string(), text: true },
  })
  raw(@RawBody() body: Buffer): string {
    return `${body.length}:${body.toString('latin1').slice(0, 40)}`;
  }

  @Post('parsed')
  @Operation({ id: 'takeParsedTest', summary: 'Test', access: anybody, status: 200, answers: z.object({ n: z.int() }) })
  parsed(@Body({ schema: z.object({ n: z.int(), filler: z.string().optional() }) }) { n }: { n: number }) {
    return { n };
  }
}

let service: Service;
beforeAll(async () => {
  service = await startService({ controllers: [SignedThings], variables: { BODY_LIMIT_BYTES: '2000' } });
});
afterAll(() => service.stop());

const send = (path: string, body?: string, type = 'application/json'): Promise<Answer> =>
  service.call('POST', `/test/${path}`, { body, headers: { 'content-type': type } });
const outcome = ({ status, body }: Answer) => [status, body?.code];

describe('A route that takes its body as it came', () => {
  it('gets its very bytes, JSON or not', async () => {
    for (const body of ['{ "n" : 1 }\n', '{"n":', '{"__proto__":{}}', ' ', 'ü'])
      expect((await send('raw', body)).text).toBe(`${Buffer.byteLength(body)}:${Buffer.from(body).toString('latin1')}`);
  });

  it('answers text', async () => {
    const answer = await send('raw', '{}', 'application/json; charset=utf-8');
    expect([answer.status, answer.text]).toEqual([200, '2:{}']);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  it('gets no bytes where there is no body', async () => {
    expect((await send('raw')).text).toBe('0:');
    expect((await send('raw', '')).text).toBe('0:');
  });

  it('has a limit of its own, and leaves that of the installation to the others', async () => {
    expect((await send('raw', 'x'.repeat(maxBytes))).status).toBe(200);
    expect(outcome(await send('raw', 'x'.repeat(maxBytes + 1)))).toEqual([413, 'payload-too-large']);
    const large = JSON.stringify({ n: 1, filler: 'x'.repeat(2_000) });
    expect(outcome(await send('parsed', large))).toEqual([413, 'payload-too-large']);
  });

  it('is refused what is no JSON by its type, as everywhere', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
      expect(outcome(await send('raw', 'a=b', type))).toEqual([415, 'unsupported-media-type']);
  });

  it('leaves the others as they were', async () => {
    expect((await send('parsed', '{"n":1}')).body).toEqual({ n: 1 });
    expect(outcome(await send('parsed', '{"n":'))).toEqual([400, 'invalid-request']);
  });
});
