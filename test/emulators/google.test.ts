import { createHash } from 'node:crypto';
import { type Google, startGoogle } from '../support/google.js';

/** The emulator as Google documents itself; what our client makes of it is tested elsewhere. */

let google: Google;
beforeAll(async () => {
  google = await startGoogle();
});
afterAll(() => google.stop());
beforeEach(async () => {
  await google.control('reset');
  await google.person('ada@practice.example');
});

const redirectUri = 'http://127.0.0.1:9/back';
const scopes = 'openid email https://www.googleapis.com/auth/spreadsheets.readonly';
const verifier = 'v'.repeat(43);
const client = { client_id: 'emulator-client', client_secret: 'emulator-secret' };

function pageUrl(more: Record<string, string> = {}): string {
  const query = {
    ...{ client_id: client.client_id, redirect_uri: redirectUri, response_type: 'code', scope: scopes, state: 'a&b=c' },
    ...{ access_type: 'offline', code_challenge_method: 'S256' },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    ...more,
  };
  return `${google.url}/o/oauth2/v2/auth?${new URLSearchParams(query)}`;
}
async function post(path: string, form: Record<string, string>) {
  const response = await fetch(`${google.url}/${path}`, { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}
async function codeOf(more: Record<string, string> = {}): Promise<string> {
  return (await google.consent(pageUrl(more), { email: 'ada@practice.example' })).get('code') ?? '';
}
const exchange = (code: string, more: Record<string, string> = {}) =>
  post('token', {
    ...{ ...client, grant_type: 'authorization_code', redirect_uri: redirectUri, code_verifier: verifier, code },
    ...more,
  });
async function read(path: string, token: string) {
  const response = await fetch(`${google.url}/v4/spreadsheets/${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer is looked into freely, as a client would
  return { status: response.status, body: (await response.json()) as any };
}

describe('The consent page', () => {
  it('gives the state back as it was, and a refusal in place of a code', async () => {
    const given = await google.consent(pageUrl(), { email: 'ada@practice.example' });
    expect([given.get('state'), given.has('code')]).toEqual(['a&b=c', true]);
    const denied = await google.consent(pageUrl(), { email: 'ada@practice.example', denies: true });
    expect(Object.fromEntries(denied)).toEqual({ state: 'a&b=c', error: 'access_denied' });
  });

  it('is not shown for an unknown client or address', async () => {
    await google.control('clients', {
      clientId: 'strict',
      clientSecret: 's',
      redirectUris: ['https://app.example/back'],
    });
    expect((await fetch(pageUrl({ client_id: 'nobody' }))).status).toBe(401);
    const mismatch = await fetch(pageUrl({ client_id: 'strict' }));
    expect([mismatch.status, await mismatch.text()]).toEqual([400, expect.stringContaining('redirect_uri_mismatch')]);
  });
});

describe('The token endpoint', () => {
  it('takes a code once, with the verifier of its challenge and from its own client', async () => {
    const code = await codeOf();
    expect((await exchange(code, { code_verifier: 'w'.repeat(43) })).body.error).toBe('invalid_grant');
    expect((await exchange(code, { client_secret: 'wrong' })).status).toBe(401);
    expect((await exchange(code, { redirect_uri: 'http://127.0.0.1:9/other' })).body.error).toBe(
      'redirect_uri_mismatch',
    );
    const given = await exchange(code);
    expect(given.body).toMatchObject({ token_type: 'Bearer', scope: scopes, refresh_token: expect.any(String) });
    expect((await exchange(code)).body.error).toBe('invalid_grant');
  });

  it('gives a refresh token with the first consent, and again only where consent was asked for anew', async () => {
    expect((await exchange(await codeOf())).body.refresh_token).toBeDefined();
    expect((await exchange(await codeOf())).body.refresh_token).toBeUndefined();
    expect((await exchange(await codeOf({ prompt: 'consent' }))).body.refresh_token).toBeDefined();
  });

  it('renews until the grant is revoked, by either of its tokens', async () => {
    const { refresh_token = '', access_token = '' } = (await exchange(await codeOf())).body;
    const renewal = { ...client, grant_type: 'refresh_token', refresh_token };
    const renewed = await post('token', renewal);
    expect([renewed.status, renewed.body.refresh_token]).toEqual([200, undefined]);
    expect((await post('revoke', { token: access_token })).status).toBe(200);
    expect((await post('token', renewal)).body).toMatchObject({ error: 'invalid_grant' });
    expect((await post('revoke', { token: access_token })).body.error).toBe('invalid_token');
  });
});

describe('Sheets', () => {
  let token: string;
  const rows = [['Date', 'Amount', 'Note'], ['d1', 0.1, ''], [], ['d2', { value: 0.95, formatted: '95%' }, null]];
  beforeEach(async () => {
    const sheets = [
      { title: 'First one', rows },
      { title: "It's", rows: [['x']], rowCount: 5, columnCount: 2 },
    ];
    await google.spreadsheet({ id: 'file', name: 'A file', owner: 'ada@practice.example', sheets: sheets as never });
    token = (await exchange(await codeOf())).body.access_token ?? '';
  });
  const values = (range: string, query = '') => read(`file/values/${encodeURIComponent(range)}${query}`, token);

  it('leave out empty cells at the end of a row and empty rows at the end, and keep those between', async () => {
    const { body } = await values("'First one'!A1:C10", '?valueRenderOption=UNFORMATTED_VALUE');
    expect(body).toEqual({
      range: "'First one'!A1:C10",
      majorDimension: 'ROWS',
      values: [['Date', 'Amount', 'Note'], ['d1', 0.1], [], ['d2', 0.95]],
    });
    expect((await values("'First one'!A2:B4")).body.values).toEqual([['d1', '0.1'], [], ['d2', '95%']]);
    expect((await values("'First one'!B1:B2", '?majorDimension=COLUMNS')).body.values).toEqual([['Amount', '0.1']]);
    expect((await values("'First one'!A9:C10")).body.values).toBeUndefined();
  });

  it('clip a range to the grid, and refuse one that begins outside of it, or that is none', async () => {
    expect((await values("'It''s'!A1:Z99")).body.range).toBe("'It''s'!A1:B5");
    expect((await values("'It''s'!A6:B9")).body.error).toMatchObject({
      code: 400,
      status: 'INVALID_ARGUMENT',
      message: "Range ('It''s'!A6:B9) exceeds grid limits. Max rows: 5, max columns: 2",
    });
    expect((await values('Nowhere!A1:B2')).body.error.message).toBe('Unable to parse range: Nowhere!A1:B2');
  });

  it('answer several ranges at once', async () => {
    const { body } = await read(`file/values:batchGet?ranges=A1:A2&ranges=${encodeURIComponent("'It''s'!A1")}`, token);
    expect(body.valueRanges.map(({ values: cells }: { values: unknown }) => cells)).toEqual([
      [['Date'], ['d1']],
      [['x']],
    ]);
  });

  it('tell a file of somebody else (403) from none (404), and an unknown token (401) from one without the scope (403)', async () => {
    await google.spreadsheet({ id: 'other', name: 'Other', owner: 'bob@practice.example', sheets: [] });
    const statusOf = async (path: string, by = token) => {
      const { status, body } = await read(path, by);
      return [status, body.error.status];
    };
    expect(await statusOf('other')).toEqual([403, 'PERMISSION_DENIED']);
    expect(await statusOf('nothing')).toEqual([404, 'NOT_FOUND']);
    expect(await statusOf('file', 'ya29.unknown')).toEqual([401, 'UNAUTHENTICATED']);
    const weak = await exchange(await codeOf({ scope: 'openid' }));
    expect(await statusOf('file', weak.body.access_token)).toEqual([403, 'PERMISSION_DENIED']);
  });

  it('go wrong on demand: the call that is named, after so many good ones, so many times', async () => {
    await google.fault({ on: 'spreadsheets.get', kind: 'rate-limited', after: 1, times: 2, retryAfter: 9 });
    const statuses: number[] = [];
    for (let number = 0; number < 4; number += 1) statuses.push((await read('file', token)).status);
    expect(statuses).toEqual([200, 429, 429, 200]);
    await google.fault({ on: 'values.get', kind: 'cut' });
    await expect(values('A1')).rejects.toThrow();
    expect(await google.count('spreadsheets.get')).toBe(4);
  });
});
