import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Meta, startMeta } from '../support/meta.js';
import { GraphClientOfTests, scopes } from '../support/meta-graph.js';

/** The emulator as Meta documents itself; what our client makes of it is tested elsewhere. */

let meta: Meta;
let graph: GraphClientOfTests;
let personId: string;
let page: { id: string; instagramId: string };
beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  graph = new GraphClientOfTests(meta);
  personId = await meta.person('Ada Lovelace');
  const made = await meta.page({
    personId,
    name: 'Practice',
    instagram: { username: 'practice', accountType: 'creator' },
  });
  page = { id: made.id, instagramId: made.instagramId ?? '' };
});

const image = { image_url: 'https://media.example/a.jpg', caption: 'Smile #teeth' };
const reel = { media_type: 'REELS', video_url: 'https://media.example/a.mp4', caption: 'A reel' };

describe('The dialog', () => {
  it('gives the state back as it was, and a refusal in place of a code', async () => {
    const given = await meta.consent(graph.dialogUrl({ state: 'a&b=c' }), { personId });
    expect([given.get('state'), given.has('code')]).toEqual(['a&b=c', true]);
    const denied = await meta.consent(graph.dialogUrl({ state: 'a&b=c' }), { personId, denies: true });
    expect(Object.fromEntries(denied)).toEqual({
      ...{ state: 'a&b=c', error: 'access_denied', error_code: '200', error_reason: 'user_denied' },
      error_description: 'Permissions error',
    });
  });

  it('is shown to a person with its choices, and not for an unknown app, address or permission', async () => {
    const html = await (await fetch(graph.dialogUrl())).text();
    for (const id of ['continue', 'cancel', `person-${personId}`, `page-${page.id}`, 'scope-email'])
      expect(html).toContain(`id="${id}"`);
    await meta.control('app', { redirectUris: ['https://app.example/back'] });
    const shown = async (more: Record<string, string>) => {
      const response = await fetch(graph.dialogUrl(more));
      return [response.status, /<title>(.*)<\/title>/.exec(await response.text())?.[1]];
    };
    expect(await shown({ client_id: '1' })).toEqual([400, 'Invalid App ID']);
    expect(await shown({})).toEqual([400, 'URL Blocked']);
    expect(await shown({ redirect_uri: 'https://app.example/back', scope: 'email,everything' })).toEqual([
      400,
      'Invalid Scopes',
    ]);
  });

  it('lets a person withhold an e-mail address, permissions and pages', async () => {
    const other = await meta.page({ personId, name: 'Second practice' });
    const token = await graph.login({ personId, withholds: ['email'], pages: [other.id] });
    expect((await graph.get('me', token, { fields: 'id,name,email' })).body).toEqual({
      id: personId,
      name: 'Ada Lovelace',
    });
    const { body } = await graph.get('me/accounts', token, { fields: 'id' });
    expect(body.data).toEqual([{ id: other.id }]);
    expect((await graph.get('me/permissions', token)).body.data).toContainEqual({
      permission: 'email',
      status: 'declined',
    });
    const unlisted = await graph.login({ personId, withholds: ['pages_show_list'] });
    expect((await graph.get('me/accounts', unlisted)).body.data).toEqual([]);
  });
});

describe('The token endpoint', () => {
  it('takes a code once, with its address, the verifier of its challenge and the secret of its app', async () => {
    const code = await graph.code({ personId });
    const refusal = async (more: Record<string, string>) => {
      const { body } = await graph.exchange(code, more);
      return [body.error.code, body.error.error_subcode];
    };
    expect(await refusal({ client_secret: 'wrong' })).toEqual([1, undefined]);
    expect(await refusal({ client_id: 'other' })).toEqual([101, undefined]);
    expect(await refusal({ redirect_uri: 'http://127.0.0.1:9/other' })).toEqual([100, 36008]);
    expect(await refusal({ code_verifier: 'w'.repeat(43) })).toEqual([100, undefined]);
    expect((await graph.exchange(code)).body).toMatchObject({ token_type: 'bearer', expires_in: 3600 });
    expect(await refusal({})).toEqual([100, 36009]);
    const late = await graph.code({ personId });
    await meta.control('clock', { offsetSeconds: 601 });
    expect((await graph.exchange(late)).body.error.error_subcode).toBe(36007);
  });

  it('makes a token of sixty days of a short one, and says what each of them is', async () => {
    const token = await graph.login({ personId });
    const long = await graph.extend(token);
    expect(long.body.expires_in).toBe(60 * 86_400);
    const { data } = (await graph.inspect(long.body.access_token)).body;
    expect(data).toMatchObject({ app_id: 'emulator-app', type: 'USER', is_valid: true, user_id: personId });
    expect(data.scopes).toEqual(['public_profile', ...scopes.split(',')]);
    const pageToken = await graph.pageToken(long.body.access_token, page.id);
    expect((await graph.inspect(pageToken)).body.data).toMatchObject({
      ...{ type: 'PAGE', profile_id: page.id, user_id: personId, expires_at: 0, is_valid: true },
    });
    expect((await graph.inspect('EAAnonsense')).body.data).toMatchObject({ is_valid: false, error: { code: 190 } });
    expect((await graph.get('debug_token', token, { input_token: pageToken })).status).toBe(401);
  });
});

describe('A token', () => {
  it('is worth nothing without the proof, or with a wrong one', async () => {
    const token = await graph.login({ personId });
    const bare = await graph.get('me', token, {}, { proof: null });
    expect([bare.status, bare.body.error]).toEqual([
      400,
      expect.objectContaining({ code: 100, type: 'GraphMethodException' }),
    ]);
    expect((await graph.get('me', token, {}, { proof: 'f'.repeat(64) })).body.error.message).toMatch(/appsecret_proof/);
    expect((await graph.get('me', 'EAAnonsense')).body.error).toMatchObject({ code: 190 });
    expect((await fetch(`${meta.url}/v25.0/me`)).status).toBe(401);
  });

  it('ends by time (463), with the session (460) and with the removal of the app (458)', async () => {
    const subcodeOf = async (token: string) => (await graph.get('me', token)).body.error?.error_subcode;
    const token = await graph.login({ personId });
    await meta.control('tokens/expire', { personId });
    expect(await subcodeOf(token)).toBe(463);
    const second = await graph.login({ personId });
    await meta.control('tokens/revoke', { personId });
    expect(await subcodeOf(second)).toBe(460);
    const third = await graph.login({ personId });
    const ofPage = await graph.pageToken(third, page.id);
    expect((await graph.delete('me/permissions', third)).body).toEqual({ success: true });
    expect([await subcodeOf(third), await subcodeOf(ofPage)]).toEqual([458, 458]);
    expect((await graph.inspect(ofPage)).body.data).toMatchObject({ is_valid: false, error: { subcode: 458 } });
  });

  it('reaches nothing of others: what is not theirs looks as if it were not there', async () => {
    const stranger = await graph.login({ personId: await meta.person('Bob Stranger') });
    const [theirs, none] = [await graph.get(page.id, stranger), await graph.get('104299999999999', stranger)];
    expect(theirs.body.error).toMatchObject({ code: 100, error_subcode: 33 });
    expect(theirs.body.error.message.replace(page.id, '?')).toBe(
      none.body.error.message.replace('104299999999999', '?'),
    );
  });

  it('may be handed over without the dialog, and that of another app is neither shown nor taken', async () => {
    const handed = await meta.userToken(personId, { scopes: ['email'] });
    expect((await graph.inspect(handed)).body.data).toMatchObject({
      is_valid: true,
      scopes: ['public_profile', 'email'],
    });
    const foreign = await meta.userToken(personId, { appId: 'another-app' });
    expect((await graph.inspect(foreign)).body.error.message).toMatch(/did not match the Viewing App/);
    expect((await graph.get('me', foreign)).body.error.message).toMatch(/appsecret_proof/);
    const over = await meta.userToken(personId, { seconds: -1 });
    expect((await graph.inspect(over)).body.data).toMatchObject({ is_valid: false, error: { subcode: 463 } });
  });

  it('carries what was allowed: reads without the permission are 10, changes 200', async () => {
    const token = await graph.login({
      personId,
      withholds: ['pages_manage_posts', 'instagram_manage_insights', 'instagram_content_publish'],
    });
    const pageToken = await graph.pageToken(token, page.id);
    const codeOf = async (answer: Promise<{ body: { error?: { code: number } } }>) => (await answer).body.error?.code;
    expect(await codeOf(graph.post(`${page.id}/feed`, pageToken, { message: 'No' }))).toBe(200);
    expect(await codeOf(graph.post(`${page.instagramId}/media`, pageToken, image))).toBe(200);
    expect(await codeOf(graph.get(`${page.instagramId}/content_publishing_limit`, pageToken))).toBe(10);
    const wider = await graph.connectedPage(personId, page.id);
    expect(await codeOf(graph.post(`${page.id}/feed`, await graph.login({ personId }), { message: 'No' }))).toBe(190);
    expect(await codeOf(graph.post(`${page.id}/feed`, wider, { message: 'Yes' }))).toBeUndefined();
  });
});

describe('The list of pages', () => {
  it('comes in pages by cursor, whose next address holds the token', async () => {
    for (let number = 1; number < 27; number += 1) await meta.page({ personId, name: `Branch ${number}` });
    const token = await graph.login({ personId });
    const first = (await graph.get('me/accounts', token, { fields: 'name' })).body;
    expect([first.data.length, first.paging.next.includes(token)]).toEqual([25, true]);
    const second = (await graph.get('me/accounts', token, { fields: 'name', after: first.paging.cursors.after })).body;
    expect([second.data.map(({ name }: { name: string }) => name), second.paging.next]).toEqual([
      ['Branch 25', 'Branch 26'],
      undefined,
    ]);
    expect((await graph.get('me/accounts', token, { after: 'nonsense' })).status).toBe(400);
  });

  it('tells the linked account where it is allowed, and refuses fields that do not exist', async () => {
    const token = await graph.login({ personId });
    const fields = 'name,picture{url},instagram_business_account{id,username,account_type}';
    const { body } = await graph.get(page.id, token, { fields });
    expect(body.instagram_business_account).toEqual({
      ...{ id: page.instagramId, username: 'practice', account_type: 'MEDIA_CREATOR' },
    });
    const unknown = await graph.get(page.id, token, { fields: 'name,colour' });
    expect(unknown.body.error.message).toBe('(#100) Tried accessing nonexisting field (colour) on node type (Page)');
    const without = await graph.login({ personId, withholds: ['instagram_basic'] });
    expect((await graph.get(page.id, without, { fields })).body.instagram_business_account).toBeUndefined();
  });
});

describe('Faults', () => {
  let token: string;
  beforeEach(async () => {
    token = await graph.connectedPage(personId, page.id);
  });
  const media = () => graph.get(`${page.instagramId}/media`, token);

  it('meet the call that is named, after so many good ones, so many times, of one object alone', async () => {
    await meta.fault({ on: 'page.posts', kind: 'internal', objectId: page.id, after: 1, times: 2 });
    const statuses: number[] = [];
    for (let number = 0; number < 4; number += 1) statuses.push((await graph.get(`${page.id}/posts`, token)).status);
    expect(statuses).toEqual([200, 500, 500, 200]);
    expect((await media()).status).toBe(200);
    expect(await meta.count('page.posts')).toBe(4);
  });

  it('say when to come again: of the application, and of one account by its own headers', async () => {
    await meta.fault({ kind: 'rate-limited', retryAfter: 7 });
    const ofApp = await media();
    expect([ofApp.body.error.code, ofApp.headers.get('retry-after')]).toEqual([4, '7']);
    expect(JSON.parse(ofApp.headers.get('x-app-usage') ?? '')).toMatchObject({ call_count: 100 });
    await meta.fault({ kind: 'page-rate-limited', objectId: page.instagramId, retryAfter: 600 });
    expect((await graph.get(page.id, token)).status).toBe(200);
    const ofAccount = await media();
    expect(ofAccount.body.error.code).toBe(80002);
    expect(JSON.parse(ofAccount.headers.get('x-business-use-case-usage') ?? '')).toEqual({
      [page.instagramId]: [expect.objectContaining({ type: 'instagram', estimated_time_to_regain_access: 10 })],
    });
    await meta.control('usage', { objectId: page.instagramId, callCount: 98 });
    expect((await media()).headers.get('x-business-use-case-usage')).toContain('"call_count":98');
  });

  it('lose the answer of what was done, or do nothing', async () => {
    const feed = () => graph.post(`${page.id}/feed`, token, { message: 'Once' });
    await meta.fault({ on: 'page.feed', kind: 'cut-before' });
    await expect(feed()).rejects.toThrow();
    expect(await meta.published(page.id)).toEqual([]);
    await meta.fault({ on: 'page.feed', kind: 'cut-after' });
    await expect(feed()).rejects.toThrow();
    await meta.fault({ on: 'page.feed', kind: 'internal-after' });
    expect((await feed()).status).toBe(500);
    for (const kind of ['truncated', 'malformed', 'html'] as const) {
      await meta.fault({ on: 'page.feed', kind });
      await expect(feed()).rejects.toThrow();
    }
    expect((await meta.published(page.id)).length).toBe(5);
  });

  it('do late what the caller has given up', async () => {
    await meta.fault({ on: 'page.feed', kind: 'late', delayMs: 300 });
    await expect(graph.post(`${page.id}/feed`, token, { message: 'Late' }, { timeoutMs: 50 })).rejects.toThrow();
    expect(await meta.published(page.id)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await meta.published(page.id)).length).toBe(1);
  });

  it('are counted without a token or secret in the address', async () => {
    await graph.inspect(token);
    await media();
    const written = JSON.stringify(await meta.calls());
    for (const secret of [...(await meta.tokens()), 'emulator-secret']) expect(written).not.toContain(secret);
    expect(await meta.tokens()).toContain(token);
  });
});

describe('What Meta sends', () => {
  it('reaches a callback as a form, and a webhook signed over its bytes', async () => {
    const received: { headers: IncomingHttpHeaders; body: string }[] = [];
    const server = createServer(async (request, response) => {
      received.push({ headers: request.headers, body: await text(request) });
      response.end('heard');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const token = await graph.login({ personId });
    expect(await meta.control('remove-app', { personId, url })).toEqual({ status: 200, body: 'heard' });
    expect((await graph.get('me', token)).body.error.error_subcode).toBe(458);
    await meta.control('webhooks', { url, payload: { object: 'page', entry: [] } });
    server.close();
    const [removal, event] = received;
    expect(new URLSearchParams(removal?.body).get('signed_request')).toMatch(/^[\w-]+\.[\w-]+$/);
    expect(event?.headers['x-hub-signature-256']).toBe(`sha256=${graph.signature(event?.body ?? '', 'hex')}`);
  });
});

describe('A signed request', () => {
  it('is the person and the time, under the secret of the app', async () => {
    const [signature, payload = ''] = (await meta.signedRequest(personId)).split('.');
    expect(graph.signature(payload)).toBe(signature);
    const said = JSON.parse(Buffer.from(payload, 'base64url').toString());
    expect(said).toEqual({ user_id: personId, algorithm: 'HMAC-SHA256', issued_at: expect.any(Number) });
  });
});

describe('A reel', () => {
  it('is in progress when it is first asked for', async () => {
    const token = await graph.connectedPage(personId, page.id);
    const { id } = (await graph.post(`${page.instagramId}/media`, token, reel)).body;
    const status = async () => (await graph.get(id, token, { fields: 'status_code' })).body.status_code;
    expect([await status(), await status()]).toEqual(['IN_PROGRESS', 'FINISHED']);
  });
});
