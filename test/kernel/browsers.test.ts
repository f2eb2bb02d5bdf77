import { demoAddress } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';

const [app, otherApp] = ['https://app.example', 'http://localhost:5173'];
const stranger = 'https://app.example.evil.example';

let service: Service;
let closed: Service;
let token: string;
beforeAll(async () => {
  service = await startService({ variables: { CORS_ORIGINS: `${app},${otherApp}` } });
  closed = await startService({ database: service.database });
  token = await service.tokenOf(demoAddress('owner', 'northside'));
});
afterAll(async () => {
  await closed.stop();
  await service.stop();
});

/** Asks first, as a browser does before it sends what a form could not. */
function preflight(origin: string, method: string, from = service): Promise<Answer> {
  const headers = {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type,if-match,idempotency-key',
  };
  return from.call('OPTIONS', '/clinics', { headers });
}
const allowedOrigin = ({ headers }: Answer) => headers.get('access-control-allow-origin');
const listOf = (value: string | null) => (value ?? '').toLowerCase().split(/, ?/);

describe('A browser app of a configured origin', () => {
  it.each([app, otherApp])('may read answers: %s', async (origin) => {
    const answer = await service.call('GET', '/clinics', { token, headers: { origin } });
    expect([answer.status, allowedOrigin(answer)]).toEqual([200, origin]);
    expect(listOf(answer.headers.get('vary'))).toContain('origin');
    const exposed = listOf(answer.headers.get('access-control-expose-headers'));
    for (const name of [
      'etag',
      'location',
      'retry-after',
      'ratelimit',
      'x-request-id',
      'idempotent-replayed',
      'link',
    ]) {
      expect(exposed).toContain(name);
    }
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('may send %s with our headers', async (method) => {
    const answer = await preflight(app, method);
    expect([answer.status, allowedOrigin(answer)]).toEqual([204, app]);
    expect(listOf(answer.headers.get('access-control-allow-methods'))).toContain(method.toLowerCase());
    const allowed = listOf(answer.headers.get('access-control-allow-headers'));
    expect(allowed).toEqual(expect.arrayContaining(['authorization', 'content-type', 'if-match', 'idempotency-key']));
    expect(Number(answer.headers.get('access-control-max-age'))).toBeGreaterThan(0);
  });

  it('reads refusals as well, those before any route included', async () => {
    const headers = { origin: app };
    const refusals = [
      await service.call('GET', '/clinics', { headers }),
      await service.call('GET', '/nowhere', { headers }),
      await service.call('POST', '/auth/login', { headers, body: '{' }),
    ];
    expect(refusals.map((answer) => [answer.status, allowedOrigin(answer)])).toEqual([
      [401, app],
      [404, app],
      [400, app],
    ]);
  });

  it('may let the browser keep the cookie of a consent that it begins', async () => {
    expect((await preflight(app, 'GET')).headers.get('access-control-allow-credentials')).toBe('true');
    const answer = await service.call('GET', '/clinics', { token, headers: { origin: app } });
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
  });

  it('is nobody without its token, whatever cookies come along', async () => {
    const headers = { origin: app, cookie: `token=${token}; session=${token}` };
    expect((await service.call('GET', '/clinics', { headers })).status).toBe(401);
  });
});

describe('A browser app of another origin', () => {
  it.each([stranger, 'http://app.example', 'https://app.example:8443', 'null'])('is not let in: %s', async (origin) => {
    const answers = [
      await preflight(origin, 'PATCH'),
      await service.call('GET', '/clinics', { token, headers: { origin } }),
    ];
    expect(answers.map(allowedOrigin)).toEqual([null, null]);
  });

  it('is not let in either where no origin is configured', async () => {
    const answers = [
      await preflight(app, 'GET', closed),
      await closed.call('GET', '//health/live', { headers: { origin: app } }),
    ];
    expect(answers.map(allowedOrigin)).toEqual([null, null]);
  });
});

describe('A browser that opens an answer', () => {
  const dataPolicy = "default-src 'none';frame-ancestors 'none'";

  it.each([
    ['data', 'GET', '/clinics', 200],
    ['a refusal', 'GET', '/nowhere', 404],
    ['the description of the API', 'GET', '//api/openapi.json', 200],
    ['a redirect', 'GET', '//api/clinics', 308],
  ])('runs nothing of %s, guesses no type and sends no referrer', async (_name, method, path, status) => {
    const { headers, ...answer } = await service.call(method, path, { token });
    expect(answer.status).toBe(status);
    expect(headers.get('content-security-policy')).toBe(dataPolicy);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d{7,}/);
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('shows the documentation page, with scripts of our own only', async () => {
    const page = await service.call('GET', '//api/docs');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    const policy = page.headers.get('content-security-policy') ?? '';
    const scripts = policy.split(';').find((part) => part.startsWith('script-src'));
    expect(scripts).toBe("script-src 'self'");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
  });

  it('gets all that the page asks for from here, and nothing of it inline', async () => {
    const { text } = await service.call('GET', '//api/docs');
    const inline = [...text.matchAll(/<script(?![^>]*\bsrc=)[^>]*>\s*\S/g)];
    expect(inline).toEqual([]);
    const parts = [...text.matchAll(/<(?:script|link)[^>]*?(?:src|href)=["']([^"']+)["']/g)].map(
      ([, address]) => address ?? '',
    );
    expect(parts.length).toBeGreaterThan(2);
    for (const part of parts) {
      const { origin, pathname } = new URL(part, `${service.url}/api/docs`);
      expect(origin).toBe(service.url);
      expect([part, (await service.call('GET', `/${pathname}`)).status]).toEqual([part, 200]);
    }
  });
});
