import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { withCookie } from '../../src/kernel/http/answer.js';
import { Cookies } from '../../src/kernel/http/cookies.js';
import { NotFound } from '../../src/kernel/http/http.errors.js';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { Redirect } from '../../src/kernel/http/redirect.js';
import { anybody } from '../../src/kernel/tenancy/access.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { type Answer, type Service, startService } from '../support/service.js';

const Asked = z.strictObject({ ends: z.enum(['refused', 'nowhere']).optional(), state: z.string() });
const Begun = z.object({ url: z.string() });
const bound = { name: 'probe', value: 'this browser', path: '/api/v1/probe', maxAgeSeconds: 60, isSecure: false };
const Form = z.strictObject({ name: z.string(), kind: z.string().optional() });

@Controller('probe-redirects')
class RedirectsController {
  constructor(private readonly database: Database) {}

  @Get()
  @Operation({ id: 'probeRedirect', summary: 'Go elsewhere', access: anybody, redirects: true, refusals: [NotFound] })
  async go(
    @Query({ schema: Asked }) { ends, state }: z.infer<typeof Asked>,
    @Cookies() { probe = '' }: Record<string, string | undefined>,
  ): Promise<Redirect> {
    await this.database.query(`SELECT auth.begin_facebook_login($1, 'nowhere', NULL)`, [state]);
    if (ends === 'refused') throw new NotFound();
    if (ends === 'nowhere') return {} as Redirect;
    const cookie = { name: 'probe', value: `after ${probe}`, path: '/api', maxAgeSeconds: 60, isSecure: true };
    return new Redirect('https://elsewhere.example/page#part', cookie);
  }

  @Get('cookie')
  @Operation({ id: 'probeCookie', summary: 'Begin', access: anybody, answers: Begun, setsCookie: true })
  begin(): unknown {
    return withCookie({ url: 'https://elsewhere.example', secret: 'x' }, bound);
  }

  @Get('undeclared-cookie')
  @Operation({ id: 'probeUndeclaredCookie', summary: 'Begin', access: anybody, answers: Begun })
  beginUndeclared(): unknown {
    return withCookie({ url: 'https://elsewhere.example' }, bound);
  }

  @Post()
  @Operation({ id: 'probeForm', summary: 'Take a form', access: anybody, answers: Form, forms: true })
  take(@Body({ schema: Form }) form: z.infer<typeof Form>): z.infer<typeof Form> {
    return form;
  }
}

let service: Service;
beforeAll(async () => {
  service = await startService({ controllers: [RedirectsController] });
});
afterAll(() => service.stop());

const outcome = ({ status, body }: Answer) => [status, body?.code];

async function isKept(state: string): Promise<boolean> {
  const found = await service.database.sql('SELECT FROM auth.facebook_authorizations WHERE state_hash = $1', [state]);
  return found.length > 0;
}

describe('A route that redirects', () => {
  const go = (query: string, method = 'GET') =>
    service.call(method, `/probe-redirects?${query}`, { headers: { cookie: 'other=1; probe=before' } });

  it('sends the browser on with a cookie, once what it wrote is committed', async () => {
    const { status, headers, text } = await go('state=kept');
    expect([status, text, headers.get('location')]).toEqual([302, '', 'https://elsewhere.example/page#part']);
    const attributes = 'Max-Age=60; Path=/api; HttpOnly; Secure; SameSite=Lax';
    expect(headers.get('set-cookie')).toBe(`probe=after%20before; ${attributes}`);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(await isKept('kept')).toBe(true);
  });

  it('answers HEAD as it answers GET', async () => {
    expect((await go('state=head', 'HEAD')).headers.get('location')).toBe('https://elsewhere.example/page#part');
  });

  it('refuses with a problem document, without a cookie and with nothing written', async () => {
    const refused = await go('state=refused&ends=refused');
    expect(outcome(refused)).toEqual([404, 'not-found']);
    expect([refused.headers.get('location'), refused.headers.get('set-cookie')]).toEqual([null, null]);
    expect(await isKept('refused')).toBe(false);
  });

  it('that has nowhere to go is a fault of ours, and wrote nothing', async () => {
    expect(outcome(await go('state=nowhere&ends=nowhere'))).toEqual([500, 'internal-error']);
    expect(await isKept('nowhere')).toBe(false);
  });
});

describe('A route that sets a cookie beside its body', () => {
  it('answers what its schema names, with the cookie, and to be kept by nobody', async () => {
    const { status, body, headers } = await service.call('GET', '/probe-redirects/cookie');
    expect([status, body]).toEqual([200, { url: 'https://elsewhere.example' }]);
    const attributes = 'Max-Age=60; Path=/api/v1/probe; HttpOnly; SameSite=Lax';
    expect(headers.get('set-cookie')).toBe(`probe=this%20browser; ${attributes}`);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('has declared it', async () => {
    const undeclared = await service.call('GET', '/probe-redirects/undeclared-cookie');
    expect(outcome(undeclared)).toEqual([500, 'internal-error']);
    expect(undeclared.headers.get('set-cookie')).toBeNull();
  });
});

describe('A route that takes a form', () => {
  const type = 'application/x-www-form-urlencoded';
  const post = (body: string, contentType = type) =>
    service.call('POST', '/probe-redirects', { headers: { 'content-type': contentType }, body });

  it('reads its fields, whatever they hold', async () => {
    const fields = { name: 'a & b = ü %', kind: '' };
    expect((await post(String(new URLSearchParams(fields)), `${type}; charset=UTF-8`)).body).toEqual(fields);
  });

  it('checks them as any body, and takes each once', async () => {
    expect(outcome(await post('kind=1'))).toEqual([400, 'invalid-request']);
    expect(outcome(await post('name=1&other=1'))).toEqual([400, 'invalid-request']);
    expect(outcome(await post('name=1&name=2'))).toEqual([400, 'invalid-request']);
    expect(outcome(await post('name=1&__proto__=2'))).toEqual([400, 'invalid-request']);
  });

  it('takes nothing else, and no other route takes a form', async () => {
    expect(outcome(await post('{"name":"1"}', 'application/json'))).toEqual([415, 'unsupported-media-type']);
    expect(outcome(await service.call('POST', '/probe-redirects'))).toEqual([415, 'unsupported-media-type']);
    const login = { headers: { 'content-type': type }, body: 'email=a%40b.example&password=x' };
    expect(outcome(await service.call('POST', '/auth/login', login))).toEqual([415, 'unsupported-media-type']);
  });

  it.each([type, 'multipart/form-data; boundary=x'])(
    'that a client merely announces hides nothing: %s',
    async (sent) => {
      const headers = { 'content-type': sent };
      expect((await service.call('GET', `/probe-redirects?state=${sent.length}`, { headers })).status).toBe(302);
      expect((await fetch(`${service.url}/health/live`, { headers })).status).toBe(200);
      const unknown = await service.call('POST', '/nothing', { headers, body: 'name=1' });
      expect(outcome(unknown)).toEqual([404, 'not-found']);
    },
  );

  it('has the limit of every body', async () => {
    expect(outcome(await post(`name=${'x'.repeat(1_100_000)}`))).toEqual([413, 'payload-too-large']);
  });
});
