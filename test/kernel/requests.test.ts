import type { Server } from 'node:http';
import { demoAddress, demoPassword } from '../../src/demo/demo.js';
import type { Problem } from '../../src/kernel/http/problem.schema.js';
import { openSocket, type RawAnswer, readAnswer, sendRaw } from '../support/raw-http.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let token: string;
beforeAll(async () => {
  service = await startService();
  token = await service.tokenOf(demoAddress('owner', 'northside'));
});
afterAll(() => service.stop());

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const json = 'application/json';
const mebibyte = 1_048_576;

/** Whatever went wrong and wherever: one form of answer, with the id that the log knows it by. */
function expectProblem(answer: Answer | RawAnswer, status: number, code: string): Problem {
  const problem = (typeof answer.body === 'string' ? JSON.parse(answer.body) : answer.body) as Problem;
  expect([answer.status, answer.headers.get('content-type'), problem.code]).toEqual([
    status,
    'application/problem+json; charset=utf-8',
    code,
  ]);
  expect(problem).toMatchObject({ status, type: `/api/errors#${code}`, requestId: answer.headers.get('x-request-id') });
  expect(problem.requestId).toMatch(uuidPattern);
  return problem;
}

function post(body: string, contentType = json, path = '/organisations'): Promise<Answer> {
  return service.call('POST', path, { token, body, headers: { 'content-type': contentType } });
}

describe('A body', () => {
  const bodyOf = (length: number) => `{"name":"${'x'.repeat(length - '{"name":""}'.length)}"}`;

  it('of 1 MiB is read, and one byte more is refused', async () => {
    expectProblem(await post(bodyOf(mebibyte)), 400, 'invalid-request');
    expectProblem(await post(bodyOf(mebibyte + 1)), 413, 'payload-too-large');
  });

  it('that does not say how long it is meets the same limit', async () => {
    const chunk = `${mebibyte.toString(16)}\r\n${' '.repeat(mebibyte)}\r\n`;
    const head = `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: ${json}\r\nTransfer-Encoding: chunked\r\n`;
    const answer = await sendRaw(service.url, `${head}Connection: close\r\n\r\n${chunk}1\r\n \r\n0\r\n\r\n`);
    expectProblem(answer, 413, 'payload-too-large');
  });

  it('has the limit that the installation sets', async () => {
    const narrow = await startService({ database: service.database, variables: { BODY_LIMIT_BYTES: '100' } });
    const answer = await narrow.call('POST', '/auth/login', { body: bodyOf(101) });
    await narrow.stop();
    expectProblem(answer, 413, 'payload-too-large');
  });

  it.each([
    ['text', 'text/plain', '{"name":"Text"}'],
    ['a form', 'application/x-www-form-urlencoded', 'name=Form'],
    ['a form with parts', 'multipart/form-data; boundary=x', '--x--'],
    ['XML', 'application/xml', '<name/>'],
    ['of no type', '', '{"name":"None"}'],
  ])('that is %s is refused as no JSON', async (_name, contentType, body) => {
    expectProblem(await post(body, contentType), 415, 'unsupported-media-type');
  });

  it.each([
    ['cut off', '{"name": "Cut'],
    ['no JSON', 'name: x'],
    ['with __proto__', '{"name": "P", "__proto__": {"userType": "admin"}}'],
    ['with __proto__ deep within', '{"name": "P", "slug": [{"a": {"__proto__": {}}}]}'],
    ['with constructor.prototype', '{"name": "P", "constructor": {"prototype": {"userType": "admin"}}}'],
  ])('that is %s is malformed, and its text is not repeated', async (_name, body) => {
    const answer = await post(body);
    // No fields are named: it did not come as far as a schema.
    expect(expectProblem(answer, 400, 'invalid-request').errors).toBeUndefined();
    expect(answer.text).not.toMatch(/admin|Cut|name: x/);
  });

  it('of nothing is none, though it is called JSON', async () => {
    const other = (await service.call('POST', '/auth/login', { body: { email, password: demoPassword } })).body;
    const answer = await service.call('POST', '/auth/logout', {
      token: other.accessToken,
      headers: { 'content-type': json },
    });
    expect(answer.status).toBe(204);
    const { errors } = expectProblem(await post(''), 400, 'invalid-request');
    expect(errors).toMatchObject([{ path: '', code: 'invalid-type' }]);
  });

  it('of JSON may name its charset', async () => {
    const answer = await post(JSON.stringify({ name: 'Zahnärzte' }), 'application/json; charset=utf-8');
    expect([answer.status, answer.body.name]).toEqual([201, 'Zahnärzte']);
  });
});

const email = demoAddress('viewer', 'northside');

describe('A path', () => {
  it.each([
    ['GET', '/nowhere'],
    ['PUT', '/clinics'],
    ['DELETE', '//health/live'],
    ['GET', '//nowhere'],
    ['GET', '//'],
  ])('that leads nowhere is not found: %s %s', async (method, path) => {
    const problem = expectProblem(await service.call(method, path, { token }), 404, 'not-found');
    expect(problem.instance).not.toMatch(/^\/\//);
  });

  it.each(['/%zz', '/api/v1/clinics/%E0%A4%A', '/api/v1/clinics/%ff'])(
    'that cannot be decoded is malformed: %s',
    async (path) => {
      const answer = await sendRaw(service.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expectProblem(answer, 400, 'invalid-request');
    },
  );

  it('of a read may be asked for its head alone', async () => {
    const [head, whole] = [
      await service.call('HEAD', '/clinics', { token }),
      await service.call('GET', '/clinics', { token }),
    ];
    expect([head.status, head.text]).toEqual([200, '']);
    for (const name of ['content-type', 'content-length', 'ratelimit-policy']) {
      expect(head.headers.get(name)).toBe(whole.headers.get(name));
    }
  });
});

describe('What is no HTTP', () => {
  it.each([
    [
      'headers above 16 KiB',
      `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(17_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
    ['an address above 16 KiB', `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'headers-too-large'],
    ['a method that nobody knows', 'FETCH / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'invalid-request'],
    ['a greeting', 'EHLO clinic.example\r\n\r\n', 400, 'invalid-request'],
    [
      'two lengths of one body',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      400,
      'invalid-request',
    ],
    [
      'a length and chunks at once',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'invalid-request',
    ],
  ])('is answered as a problem, and the connection closed: %s', async (_name, bytes, status, code) => {
    const answer = await sendRaw(service.url, bytes);
    expectProblem(answer, status, code);
    expect(answer.headers.get('connection')).toBe('close');
  });
});

describe('A client that is slow', () => {
  let impatient: Service;
  beforeAll(async () => {
    impatient = await startService({ database: service.database, beforeListening: shortenPatience });
  });
  afterAll(() => impatient.stop());

  /** The same limits as ever, only shorter: how often Node looks cannot be changed later. */
  function shortenPatience(application: Service['application']): void {
    const server: Server & { connectionsCheckingInterval?: number } = application.getHttpServer();
    expect(server.headersTimeout).toBe(60_000);
    expect(server.requestTimeout).toBe(120_000);
    Object.assign(server, { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 50 });
  }

  it.each([
    ['its head', 'GET /health/live HTTP/1.1\r\nHost: x\r\n'],
    ['its body', `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: ${json}\r\nContent-Length: 9\r\n\r\n{`],
  ])('to send %s is not waited for without end', async (_name, bytes) => {
    const socket = await openSocket(impatient.url);
    socket.write(bytes);
    expectProblem(await readAnswer(socket), 408, 'request-timed-out');
  });
});

describe('The id of a request', () => {
  const idFor = async (given: string) =>
    (await service.call('GET', '//health/live', { headers: { 'x-request-id': given } })).headers.get('x-request-id');

  it('is that of the caller when it is sane', async () => {
    for (const given of ['from-the-gateway.1', 'a'.repeat(64), '0193a1c2-4b5d-7e6f-8a9b-0c1d2e3f4a5b']) {
      expect(await idFor(given)).toBe(given);
    }
    const refused = await service.call('GET', '/clinics', { headers: { 'x-request-id': 'from-the-gateway.2' } });
    expect([refused.status, refused.body.requestId]).toEqual([401, 'from-the-gateway.2']);
  });

  it.each([
    'short',
    'a'.repeat(65),
    'with a space in it',
    'viewer@northside.example',
    '{"json":"of somebody"}',
    'first-one, second-one',
  ])('is a new one in the place of %s', async (given) => {
    expect(await idFor(given)).toMatch(uuidPattern);
  });

  it('is new for each request', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => service.call('GET', '//health/live')));
    expect(new Set(ids.map(({ headers }) => headers.get('x-request-id'))).size).toBe(5);
  });
});

describe('A trace', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const parentOf = async (traceparent: string) =>
    (await service.call('GET', '//health/live', { headers: { traceparent } })).headers.get('traceparent');

  it('goes on in the answer under a span of our own', async () => {
    const child = await parentOf(`00-${traceId}-00f067aa0ba902b7-01`);
    expect(child).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(child).not.toContain('00f067aa0ba902b7');
  });

  it.each([
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `ff-${traceId}-00f067aa0ba902b7-01`,
    `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`,
    'of another kind',
  ])('that is none is not taken up: %s', async (traceparent) => {
    expect(await parentOf(traceparent)).toBeNull();
  });
});

describe('A path without a version', () => {
  it('is sent on to the present one, and told until when', async () => {
    const answer = await service.call('GET', '//api/clinics?limit=1&sort=a%26b');
    expect([answer.status, answer.headers.get('location')]).toEqual([308, '/api/v1/clinics?limit=1&sort=a%26b']);
    expect(answer.headers.get('link')).toBe('</api/v1/clinics?limit=1&sort=a%26b>; rel="successor-version"');
    expect(answer.headers.get('x-request-id')).toMatch(uuidPattern);
    const deprecated = new Date(Number(answer.headers.get('deprecation')?.slice(1)) * 1000);
    const sunset = new Date(answer.headers.get('sunset') ?? '');
    expect(sunset.toUTCString()).toBe(answer.headers.get('sunset'));
    expect(sunset.getTime() - deprecated.getTime()).toBeGreaterThanOrEqual(365 * 24 * 3600 * 1000);
  });

  it('keeps method and body for a client that follows', async () => {
    const response = await fetch(`${service.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': json },
      body: JSON.stringify({ email, password: demoPassword }),
    });
    expect([response.redirected, response.status]).toEqual([true, 200]);
    expect(await response.json()).toMatchObject({ tokenType: 'Bearer', user: { userType: 'provider' } });
  });

  it('stays on this server, whatever it is', async () => {
    for (const path of ['//evil.example', '/https://evil.example', '/\\evil.example']) {
      const answer = await sendRaw(service.url, `GET /api${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer.headers.get('location')).toMatch(/^\/api\/v1\//);
    }
  });

  it.each(['//api/docs', '//api/openapi.json', '//api/errors', '//api/v1/clinics', '//health/live'])(
    'is not meant by %s',
    async (path) => {
      const answer = await service.call('GET', path, { token });
      expect([answer.status, answer.headers.get('deprecation')]).toEqual([200, null]);
    },
  );
});
