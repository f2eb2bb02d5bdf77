import { createHmac, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { ForgetsMetaUser, HearsOfDeauthorization } from '../../src/integrations/meta/meta-data-holders.js';
import { Browser, type FacebookPerson, newcomer, newVerifier } from '../support/facebook.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** Another module that holds something of Meta's. */
@Injectable()
class Holder {
  readonly forgotten: string[] = [];
  readonly deauthorized: string[] = [];
  heardAt: Date | undefined;
  failures = 0;

  @ForgetsMetaUser()
  async forget(facebookUserId: string): Promise<void> {
    this.forgotten.push(facebookUserId);
    this.failures -= 1;
    if (this.failures >= 0) throw new Error('not now');
  }

  @HearsOfDeauthorization()
  async hear(facebookUserId: string, heardAt: Date): Promise<void> {
    this.deauthorized.push(facebookUserId);
    this.heardAt = heardAt;
  }
}

let service: Service;
let meta: Meta;
let holder: Holder;
beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables, providers: [Holder] });
  holder = service.application.get(Holder);
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
beforeEach(() => {
  holder.forgotten.length = 0;
  holder.deauthorized.length = 0;
});

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const browser = () => new Browser(service, meta);
const refusal = ({ status, body }: Answer) => [status, body?.code];

function callback(which: 'deauthorize' | 'data-deletion', signedRequest: string): Promise<Answer> {
  const body = String(new URLSearchParams({ signed_request: signedRequest }));
  return service.call('POST', `/auth/facebook/${which}`, { headers: form, body });
}

async function visitor(person: FacebookPerson) {
  const { body } = await browser().exchange(await browser().code(person));
  return { id: body.user.id as string, token: body.accessToken as string };
}

const stateOf = async (url: string) =>
  (await (await fetch(url.replace(service.config.publicUrl, service.url))).json()) as object;

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries > 200) throw new Error('It does not come to that.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const done = (url: string) => until(async () => JSON.stringify(await stateOf(url)).includes('"done"'));

const counted = async (): Promise<number> =>
  (await service.database.sql<{ count: number }>('SELECT count(*)::int AS count FROM auth.meta_callbacks'))[0]?.count ??
  -1;

const account = async (id: string) =>
  (
    await service.database.sql(
      `SELECT u.email, p.first_name, p.last_name, (SELECT count(*)::int FROM auth.identities i WHERE i.user_id = u.id) AS ways,
              (SELECT count(*)::int FROM auth.sessions s WHERE s.user_id = u.id AND s.revoked_at IS NULL) AS sessions
         FROM auth.users u JOIN public.profiles p ON p.id = u.id WHERE u.id = $1`,
      [id],
    )
  )[0];

describe('Somebody who asks Facebook that we forget them', () => {
  it('is told where to look, and what came from Facebook is removed in every module', async () => {
    const person = await newcomer(meta);
    const { id, token } = await visitor(person);
    await browser().code(person);
    const answer = await callback('data-deletion', await meta.signedRequest(person.id));
    expect(answer.status).toBe(200);
    expect(answer.body.url).toBe(
      `${service.config.publicUrl}/api/v1/auth/facebook/data-deletion/${answer.body.confirmation_code}`,
    );
    await done(answer.body.url);
    expect(holder.forgotten).toEqual([person.id]);
    expect(await account(id)).toEqual({ email: null, first_name: '', last_name: '', ways: 0, sessions: 0 });
    expect((await service.call('GET', '/auth/me', { token })).body.code).toBe('session-ended');
    const [left] = await service.database.sql<{ found: boolean }>(
      `SELECT EXISTS (SELECT FROM auth.facebook_codes WHERE facebook_user_id = $1)
           OR EXISTS (SELECT FROM auth.meta_callbacks WHERE facebook_user_id = $1)
           OR EXISTS (SELECT FROM auth.identities WHERE provider_user_id = $1)
           OR EXISTS (SELECT FROM audit.events e WHERE strpos(e::text, $1) > 0) AS found`,
      [person.id],
    );
    expect(left?.found).toBe(false);
  });

  it('who comes back is a new person', async () => {
    const person = await newcomer(meta);
    const { id } = await visitor(person);
    await done((await callback('data-deletion', await meta.signedRequest(person.id))).body.url);
    expect((await visitor(person)).id).not.toBe(id);
  });

  it('is out afterwards, although they log in at that very moment', async () => {
    const person = await newcomer(meta, null);
    const { id } = await visitor(person);
    const loggingIn = new pg.Client(service.database.adminUrl);
    await loggingIn.connect();
    try {
      await loggingIn.query('BEGIN');
      await loggingIn.query(`SELECT auth.sign_in_with_facebook($1, $2, NULL, '', '')`, [randomUUID(), person.id]);
      const forgetting = service.database.sql('SELECT auth.forget_facebook_user($1)', [person.id]);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await loggingIn.query(`SELECT auth.open_session($1, $2, 'a hash', 'a browser', NULL, 1)`, [randomUUID(), id]);
      await loggingIn.query('COMMIT');
      await forgetting;
    } finally {
      await loggingIn.end();
    }
    expect(await account(id)).toMatchObject({ ways: 0, sessions: 0 });
  });

  it('keeps what is theirs: a name that they chose here, a password and its address', async () => {
    const email = `${randomUUID()}@people.example`;
    const password = 'correct horse battery';
    await service.call('POST', '/auth/register', { body: { email, password, firstName: 'Ada', lastName: 'Byron' } });
    const login = await service.call('POST', '/auth/login', { body: { email, password } });
    const { codeVerifier, codeChallenge } = newVerifier();
    const person = await newcomer(meta, email);
    const body = { code: await browser().code(person, { codeChallenge }), codeVerifier };
    await service.call('POST', '/auth/facebook/link', { token: login.body.accessToken, body });
    await done((await callback('data-deletion', await meta.signedRequest(person.id))).body.url);
    expect(await account(login.body.user.id)).toEqual({
      email,
      first_name: 'Ada',
      last_name: 'Byron',
      ways: 0,
      sessions: 1,
    });

    const renamed = await newcomer(meta);
    const { id, token } = await visitor(renamed);
    await service.call('PATCH', '/auth/me', { token, body: { firstName: 'Elise' } });
    await done((await callback('data-deletion', await meta.signedRequest(renamed.id))).body.url);
    expect(await account(id)).toMatchObject({ email: null, first_name: 'Elise', last_name: '' });
  });

  it('sees it as pending until every module has done its part, and that it is tried again', async () => {
    const person = await newcomer(meta);
    holder.failures = 1;
    const { body } = await callback('data-deletion', await meta.signedRequest(person.id));
    await until(async () => holder.forgotten.length > 0);
    expect(await stateOf(body.url)).toMatchObject({ state: 'pending', finishedAt: null });
    await service.database.sql(`UPDATE graphile_worker._private_jobs SET run_at = now() WHERE attempts > 0`);
    await done(body.url);
    expect(holder.forgotten).toEqual([person.id, person.id]);
  });

  it('sees a page, and whoever asks for it JSON', async () => {
    const person = await newcomer(meta);
    const { body } = await callback('data-deletion', await meta.signedRequest(person.id));
    await done(body.url);
    const path = `/auth/facebook/data-deletion/${body.confirmation_code}`;
    const page = await service.call('GET', path, { headers: { accept: 'text/html,application/xhtml+xml' } });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.text).toContain('data-state="done"');
    expect(page.text).not.toContain(person.id);
    const made = await service.call('GET', '/auth/facebook/data-deletion/a-code-that-was-never-given');
    expect([made.status, made.body]).toEqual([200, { state: 'unknown', receivedAt: null, finishedAt: null }]);
  });
});

describe('The same request of Meta’s', () => {
  it('twice, and twice at once, has one answer and is done once', async () => {
    const person = await newcomer(meta);
    const { id } = await visitor(person);
    const signed = await meta.signedRequest(person.id);
    // The padding is no part of what was signed.
    const answers = await Promise.all([signed, signed, `${signed}=`].map((each) => callback('data-deletion', each)));
    expect(new Set(answers.map(({ body }) => body.confirmation_code)).size).toBe(1);
    await done(answers[0]?.body.url);
    expect(holder.forgotten).toEqual([person.id]);

    const again = await visitor(person);
    await callback('data-deletion', signed);
    await callback('deauthorize', await meta.signedRequest(person.id));
    await until(async () => holder.deauthorized.length > 0);
    expect(await account(again.id)).toMatchObject({ ways: 1, sessions: 1 });
    expect(again.id).not.toBe(id);
  });
});

describe('Somebody who takes our app away', () => {
  it('is heard of in every module, and is who they were when they come back', async () => {
    const person = await newcomer(meta);
    const { id } = await visitor(person);
    const answer = await callback('deauthorize', await meta.signedRequest(person.id));
    expect([answer.status, answer.text]).toEqual([200, '']);
    await until(async () => holder.deauthorized.length > 0);
    expect([holder.deauthorized, holder.forgotten]).toEqual([[person.id], []]);
    const [received] = await service.database.sql<{ received_at: Date }>(
      `SELECT max(received_at) AS received_at FROM auth.meta_callbacks WHERE kind = 'deauthorize'`,
    );
    expect(holder.heardAt).toEqual(received?.received_at);
    expect((await visitor(person)).id).toBe(id);
  });
});

describe('What Meta has not signed', () => {
  const sign = (payload: object, secret = 'emulator-secret') => {
    const encoded = Buffer.from(JSON.stringify(payload)).toString('base64url');
    return `${createHmac('sha256', secret).update(encoded).digest('base64url')}.${encoded}`;
  };
  const said = { user_id: '4711', algorithm: 'HMAC-SHA256', issued_at: 1_795_219_200 };

  it.each([
    ['by another secret', sign(said, 'another-secret')],
    ['by another algorithm', sign({ ...said, algorithm: 'none' })],
    ['without anybody', sign({ ...said, user_id: undefined })],
    ['and was changed', `${sign(said).split('.')[0]}.${sign({ ...said, user_id: '4712' }).split('.')[1]}`],
    ['at all', 'nothing'],
    ['without a signature', `.${sign(said).split('.')[1]}`],
  ])('%s is refused and leaves nothing', async (_how, signed) => {
    const before = await counted();
    expect(refusal(await callback('data-deletion', signed))).toEqual([400, 'signed-request-refused']);
    expect(refusal(await callback('deauthorize', signed))).toEqual([400, 'signed-request-refused']);
    expect(await counted()).toBe(before);
  });

  it('comes as a form with the one field, and nothing else is taken for it', async () => {
    const post = (headers: Record<string, string>, body: string) =>
      service.call('POST', '/auth/facebook/deauthorize', { headers, body });
    expect(refusal(await post(form, 'other=1'))).toEqual([400, 'invalid-request']);
    expect(refusal(await post(form, ''))).toEqual([400, 'invalid-request']);
    expect(refusal(await post(form, 'signed_request=a&signed_request=b'))).toEqual([400, 'invalid-request']);
    expect(refusal(await post({}, JSON.stringify({ signed_request: 'a' })))).toEqual([415, 'unsupported-media-type']);
    const login = { headers: form, body: 'email=a%40b.example&password=x' };
    expect(refusal(await service.call('POST', '/auth/login', login))).toEqual([415, 'unsupported-media-type']);
  });
});
