import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { GoogleTokens } from '../../src/modules/metrics/sheets/google-tokens.js';
import { type Google, startGoogle } from '../support/google.js';
import { captureLog } from '../support/probe.js';
import { type Answer, type Service, startService } from '../support/service.js';

let google: Google;
let service: Service;
let clinicId: string;
let log: Record<string, unknown>[];

beforeAll(async () => {
  google = await startGoogle();
  service = await startService({ variables: { ...google.variables, LOG_LEVEL: 'info' } });
  log = captureLog(service.application);
  const viewer = await service.tokenOf(demoAddress('viewer', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token: viewer })).body.data[0].id;
});
afterAll(async () => {
  await service.stop();
  await google.stop();
});
beforeEach(async () => {
  await google.control('reset');
  await google.person('admin@practice.example');
  await google.person('other@practice.example');
  await service.database.sql('DELETE FROM google_credentials');
});

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const path = (rest: string) => `/clinics/${clinicId}/google/${rest}`;
const outcome = ({ status, body }: Answer) => [status, body?.code];

async function begin(token: string): Promise<string> {
  const answer = await service.call('POST', path('connect'), { token, body: {} });
  expect(answer.status).toBe(200);
  return answer.body.authorizationUrl;
}
async function consent(token: string, choice: Partial<Parameters<Google['consent']>[1]> = {}): Promise<object> {
  const answer = await google.consent(await begin(token), { email: 'admin@practice.example', ...choice });
  const { code, error, state } = Object.fromEntries(answer) as Record<string, string>;
  return { state, ...(code ? { code } : { error }) };
}
const finish = async (token: string, body: object) => service.call('POST', path('callback'), { token, body });
async function connect(role = 'clinic_admin'): Promise<Answer['body']> {
  const token = await as(role);
  const answer = await finish(token, await consent(token));
  expect(outcome(answer)).toEqual([200, undefined]);
  return answer.body;
}
async function sealedOf(id: string): Promise<{ access_token_sealed: string; refresh_token_sealed: string }> {
  const [row] = await service.database.sql<{ access_token_sealed: string; refresh_token_sealed: string }>(
    'SELECT access_token_sealed, refresh_token_sealed FROM google_credentials WHERE id = $1',
    [id],
  );
  if (!row) throw new Error('There is no such credential.');
  return row;
}
const tokens = () => service.application.get(GoogleTokens);
const expireHere = () => service.database.sql('UPDATE google_credentials SET expires_at = now()');

describe('Connecting a Google account', () => {
  it('leads over the consent page, with PKCE, a state and offline access, to a credential without tokens', async () => {
    const token = await as('clinic_admin');
    const query = new URL(await begin(token)).searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      access_type: 'offline',
      prompt: 'consent',
      code_challenge_method: 'S256',
      redirect_uri: `${service.config.appUrl}/google/callback`,
    });
    const credential = await connect();
    expect(credential).toMatchObject({ clinicId, googleEmail: 'admin@practice.example', status: 'active' });
    expect(credential.scopes).toContain('https://www.googleapis.com/auth/spreadsheets.readonly');
    expect(Object.keys(credential).filter((key) => /token/i.test(key))).toEqual([]);
  });

  it('rests its tokens sealed, and shows them in no answer, log line or audit event, whatever is asked for', async () => {
    const { id } = await connect();
    const sealed = await sealedOf(id);
    expect([sealed.access_token_sealed, sealed.refresh_token_sealed]).toEqual(
      Array(2).fill(expect.stringMatching(/^v1\./)),
    );
    let accessToken = '';
    await tokens().call(id, async (text) => {
      accessToken = text;
    });
    expect(accessToken).toMatch(/^ya29\./);
    const asked = ['credentials', 'credentials?includeTokens=true', 'credentials?fields=access_token_sealed'];
    const answers = await Promise.all(
      asked.map(async (what) => service.call('GET', path(what), { token: await as('clinic_admin') })),
    );
    const [events] = await service.database.sql<{ text: string }>(
      `SELECT string_agg(e::text, ' ') AS text FROM audit.events e`,
    );
    const everything = [...answers.map(({ text }) => text), JSON.stringify(log), events?.text ?? ''].join(' ');
    expect(everything).toContain(id);
    for (const secret of [accessToken, '1//0', sealed.access_token_sealed, sealed.refresh_token_sealed])
      expect(everything.includes(secret)).toBe(false);
  });

  it('is for a clinic_admin', async () => {
    for (const role of ['viewer', 'staff', 'provider'])
      expect(outcome(await service.call('POST', path('connect'), { token: await as(role), body: {} }))).toEqual([
        403,
        'role-too-low',
      ]);
    const stranger = await as('clinic_admin', 'southbank');
    expect(outcome(await service.call('POST', path('connect'), { token: stranger, body: {} }))).toEqual([
      404,
      'not-found',
    ]);
  });

  it('takes a state once, and of two who bring it at once one', async () => {
    const token = await as('clinic_admin');
    const body = await consent(token);
    const answers = await Promise.all([finish(token, body), finish(token, body)]);
    expect(answers.map(outcome).sort()).toEqual([
      [200, undefined],
      [422, 'google-state-invalid'],
    ]);
    expect(outcome(await finish(token, body))).toEqual([422, 'google-state-invalid']);
  });

  it('takes no state of another person, another session, another clinic, or of before the last ten minutes', async () => {
    const token = await as('clinic_admin');
    const body = await consent(token);
    const owner = await as('owner');
    expect(outcome(await finish(owner, body))).toEqual([422, 'google-state-invalid']);
    const login = { email: demoAddress('clinic_admin', 'northside'), password: 'open-the-clinic' };
    const session = (await service.call('POST', '/auth/login', { body: login })).body.accessToken;
    expect(outcome(await finish(session, body))).toEqual([422, 'google-state-invalid']);
    const made = { name: `Other ${randomUUID()}`, timeZone: 'Europe/Berlin', currency: 'EUR' };
    const organisation = (await service.call('GET', `/clinics/${clinicId}`, { token })).body.organisationId;
    const other = (await service.call('POST', `/organisations/${organisation}/clinics`, { token: owner, body: made }))
      .body;
    const begun = await consent(owner);
    const elsewhere = await service.call('POST', `/clinics/${other.id}/google/callback`, { token: owner, body: begun });
    expect(outcome(elsewhere)).toEqual([422, 'google-state-invalid']);
    await service.database.sql(`UPDATE google_authorizations SET expires_at = now() - interval '1 second'`);
    expect(outcome(await finish(token, body))).toEqual([422, 'google-state-invalid']);
    expect(await google.count('token')).toBe(0);
  });

  it('takes no state that was changed or made up', async () => {
    const token = await as('clinic_admin');
    const body = (await consent(token)) as { state: string; code: string };
    const [nonce = ''] = body.state.split('.');
    for (const state of [`${body.state}x`, nonce, `${nonce}.`, 'made-up', `${body.state}.more`])
      expect(outcome(await finish(token, { ...body, state }))).toEqual([422, 'google-state-invalid']);
  });

  it('says so when the person cancels, when the code is wrong, and when a box is unticked; nothing is kept', async () => {
    const token = await as('clinic_admin');
    expect(outcome(await finish(token, await consent(token, { denies: true })))).toEqual([
      422,
      'google-consent-refused',
    ]);
    const wrong = { ...(await consent(token)), code: '4/0Amade-up' };
    expect(outcome(await finish(token, wrong))).toEqual([422, 'google-code-refused']);
    const partial = await finish(token, await consent(token, { withholds: 'spreadsheets.readonly' }));
    expect(outcome(partial)).toEqual([422, 'google-scopes-missing']);
    expect(partial.body.detail).toContain('spreadsheets.readonly');
    expect(await google.count('revoke')).toBe(1);
    expect(await service.database.sql('SELECT FROM google_credentials')).toHaveLength(0);
  });

  it('answers 503 while Google is down, slow, cut off or talks nonsense', async () => {
    const token = await as('clinic_admin');
    for (const kind of ['unavailable', 'internal', 'cut', 'truncated', 'malformed', 'html'] as const) {
      const body = await consent(token);
      await google.fault({ on: 'token', kind });
      const answer = await finish(token, body);
      expect([kind, ...outcome(answer)]).toEqual([kind, 503, 'google-unavailable']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    const body = await consent(token);
    await google.fault({ on: 'token', kind: 'slow', delayMs: 10_000 });
    const started = Date.now();
    expect(outcome(await finish(token, body))).toEqual([503, 'google-unavailable']);
    expect(Date.now() - started).toBeLessThan(6_000);
    expect(await google.count('token')).toBe(7);
  });

  it('again replaces the account, and keeps one credential per clinic and person', async () => {
    const token = await as('clinic_admin');
    const first = await connect();
    const second = await finish(token, await consent(token, { email: 'other@practice.example' }));
    expect(second.body).toMatchObject({ id: first.id, googleEmail: 'other@practice.example' });
  });
});

describe('A connected account', () => {
  it('is seen by its owner and by a clinic_admin, and by no other member', async () => {
    const own = await connect('owner');
    const seen = async (role: string, slug?: string) =>
      (await service.call('GET', path('credentials'), { token: await as(role, slug) })).body.data?.map(
        ({ id }: { id: string }) => id,
      );
    expect(await seen('owner')).toEqual([own.id]);
    expect(await seen('clinic_admin')).toEqual([own.id]);
    expect(await seen('viewer')).toEqual([]);
    expect(await seen('provider')).toEqual([]);
    expect(await seen('clinic_admin', 'southbank')).toBeUndefined();
  });

  it('has tokens that no role of the API may read but the jobs', async () => {
    for (const column of ['access_token_sealed', 'refresh_token_sealed']) {
      const readers = await service.database.sql<{ role: string }>(
        `SELECT role FROM unnest(ARRAY['anon', 'authenticated', 'super_admin', 'service_role', 'polyclinic_api']) AS role
          WHERE has_column_privilege(role, 'public.google_credentials', $1, 'SELECT')`,
        [column],
      );
      expect(readers).toEqual([{ role: 'service_role' }]);
    }
  });

  it('is disconnected by its owner or a clinic_admin: revoked at Google and gone here', async () => {
    const { id } = await connect('owner');
    expect(outcome(await service.call('DELETE', path(`credentials/${id}`), { token: await as('viewer') }))).toEqual([
      404,
      'not-found',
    ]);
    const removed = await service.call('DELETE', path(`credentials/${id}`), { token: await as('clinic_admin') });
    expect(removed.status).toBe(204);
    expect(await google.count('revoke')).toBe(1);
    expect(await service.database.sql('SELECT FROM google_credentials')).toHaveLength(0);
    expect((await service.call('DELETE', path(`credentials/${id}`), { token: await as('owner') })).status).toBe(404);
  });

  it('is forgotten here even if Google is away', async () => {
    const { id } = await connect();
    await google.fault({ on: 'revoke', kind: 'cut' });
    const removed = await service.call('DELETE', path(`credentials/${id}`), { token: await as('clinic_admin') });
    expect(removed.status).toBe(204);
    expect(await service.database.sql('SELECT FROM google_credentials')).toHaveLength(0);
  });

  it('is forgotten here even if its tokens cannot be opened any more', async () => {
    const { id } = await connect();
    await service.database.sql(`UPDATE google_credentials SET refresh_token_sealed = 'v1.of.a.key.that.was.lost'`);
    const removed = await service.call('DELETE', path(`credentials/${id}`), { token: await as('clinic_admin') });
    expect(removed.status).toBe(204);
    expect(await service.database.sql('SELECT FROM google_credentials')).toHaveLength(0);
  });

  it('is renewed once however many need it at once', async () => {
    const { id } = await connect();
    await expireHere();
    const before = await google.count('token');
    await google.fault({ on: 'token', kind: 'slow', delayMs: 400 });
    const used = await Promise.all(Array.from({ length: 5 }, () => tokens().call(id, async (text) => text)));
    expect(new Set(used).size).toBe(1);
    expect((await google.count('token')) - before).toBe(1);
  });

  it('whose token Google refuses before its time is renewed once and tried again', async () => {
    const { id } = await connect();
    await google.control('tokens/expire');
    const answer = await service.call('GET', path('spreadsheets'), { token: await as('clinic_admin') });
    expect(answer.status).toBe(200);
    expect(await google.count('files.list')).toBe(2);
    expect((await sealedOf(id)).access_token_sealed).toMatch(/^v1\./);
  });

  it('whose consent was withdrawn asks for another one', async () => {
    await connect();
    await google.control('tokens/revoke', { email: 'admin@practice.example' });
    const token = await as('clinic_admin');
    expect(outcome(await service.call('GET', path('spreadsheets'), { token }))).toEqual([409, 'google-reauthorize']);
    const { data } = (await service.call('GET', path('credentials'), { token })).body;
    expect(data[0].status).toBe('reauthorize');
    expect((await connect()).status).toBe('active');
  });

  it('given anew while the former one is renewed stays, whatever becomes of the renewal', async () => {
    const { id } = await connect();
    for (const isWithdrawn of [true, false]) {
      if (isWithdrawn) await google.control('tokens/revoke', { email: 'admin@practice.example' });
      await expireHere();
      const renewals = await google.count('token');
      await google.fault({ on: 'token', kind: 'slow', delayMs: 1_000 });
      const call = tokens().call(id, async (text) => text);
      while ((await google.count('token')) === renewals) await pause(20);
      expect((await connect()).status).toBe('active');
      const given = await sealedOf(id);
      await call;
      expect(await sealedOf(id)).toEqual(given);
      const { data } = (await service.call('GET', path('credentials'), { token: await as('clinic_admin') })).body;
      expect(data[0].status).toBe('active');
    }
  });

  it('cannot be moved to another row: the seal belongs to its place', async () => {
    const [one, other] = [await connect(), await connect('owner')];
    const { access_token_sealed } = await sealedOf(one.id);
    await service.database.sql('UPDATE google_credentials SET access_token_sealed = $2 WHERE id = $1', [
      other.id,
      access_token_sealed,
    ]);
    await expect(tokens().call(other.id, async (text) => text)).rejects.toThrow('does not open here');
  });
});

describe('The spreadsheets of an account', () => {
  const files = Array.from({ length: 5 }, (_, number) => ({
    id: `spreadsheet-number-${number}`,
    name: `Production ${2020 + number}`,
    owner: 'admin@practice.example',
    sheets: [{ title: "Dr. O'Neil", rows: [['Date']] }],
  }));
  beforeEach(async () => {
    for (const file of files) await google.spreadsheet(file);
    await google.spreadsheet({ ...files[0], id: 'somebody-elses-file', owner: 'other@practice.example' } as never);
  });

  it('are listed page by page with a cursor of ours, searched by name, and only the own ones', async () => {
    await connect();
    const token = await as('clinic_admin');
    const first = await service.call('GET', path('spreadsheets?limit=3'), { token });
    const second = await service.call('GET', path(`spreadsheets?limit=3&cursor=${first.body.nextCursor}`), { token });
    const ids = [...first.body.data, ...second.body.data].map(({ spreadsheetId }) => spreadsheetId);
    expect(ids).toEqual(files.map(({ id }) => id));
    expect(second.body.nextCursor).toBeNull();
    const found = await service.call('GET', path(`spreadsheets?search=${encodeURIComponent('2023')}`), { token });
    expect(found.body.data).toMatchObject([{ name: 'Production 2023' }]);
    const quoted = await service.call('GET', path(`spreadsheets?search=${encodeURIComponent("it's \\")}`), { token });
    expect(quoted.body.data).toEqual([]);
    const changed = await service.call('GET', path(`spreadsheets?cursor=${first.body.nextCursor}x`), { token });
    expect(outcome(changed)).toEqual([400, 'invalid-cursor']);
  });

  it('show their sheets, unless they are not shared with the account or not there: the two look the same', async () => {
    await connect();
    const token = await as('clinic_admin');
    const sheets = await service.call('GET', path('spreadsheets/spreadsheet-number-1/sheets'), { token });
    expect(sheets.body.sheets).toEqual([{ title: "Dr. O'Neil", isHidden: false, rowCount: 1000, columnCount: 26 }]);
    for (const id of ['somebody-elses-file', 'there-is-no-such-file'])
      expect(outcome(await service.call('GET', path(`spreadsheets/${id}/sheets`), { token }))).toEqual([
        422,
        'spreadsheet-not-readable',
      ]);
  });

  it('are not listed for whoever has connected no account, nor while Google limits us', async () => {
    const token = await as('clinic_admin');
    expect(outcome(await service.call('GET', path('spreadsheets'), { token }))).toEqual([409, 'google-not-connected']);
    await connect();
    await google.fault({ on: 'files.list', kind: 'rate-limited', retryAfter: 17 });
    const limited = await service.call('GET', path('spreadsheets'), { token });
    expect([...outcome(limited), limited.headers.get('retry-after')]).toEqual([503, 'google-rate-limited', '17']);
    await google.fault({ on: 'files.list', kind: 'usage-limit' });
    expect(outcome(await service.call('GET', path('spreadsheets'), { token }))).toEqual([503, 'google-rate-limited']);
  });
});

describe('An installation without a client of Google', () => {
  it('answers 503 to whoever may connect, and 404 and 403 to others as ever', async () => {
    const bare = await startService({ database: service.database });
    const call = async (role: string, slug = 'northside') =>
      outcome(
        await bare.call('POST', path('connect'), { token: await bare.tokenOf(demoAddress(role, slug)), body: {} }),
      );
    expect(await call('clinic_admin')).toEqual([503, 'google-not-configured']);
    expect(await call('viewer')).toEqual([403, 'role-too-low']);
    expect(await call('clinic_admin', 'southbank')).toEqual([404, 'not-found']);
    await bare.stop();
  });

  it('is served to an admin of the installation as well', async () => {
    const token = await service.tokenOf(demoAdmin);
    const answer = await finish(token, await consent(token));
    expect(outcome(answer)).toEqual([200, undefined]);
  });
});
