import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress, demoAdmin, demoPassword } from '../../src/demo/demo.js';
import { openEvents } from '../support/event-stream.js';
import { beginConsent, comeBack, consentAs, personWithPages } from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { addressOf, launch, type ServiceProcess } from '../support/process.js';
import { type Answer, type Service, send, startService } from '../support/service.js';
import { expectNoTrace } from '../support/traces.js';
import { entryOf, fromPerson } from '../support/webhooks.js';

/**
 * One of everything that the module does, well and badly, by a service that says all that it has to say. What people
 * wrote, who they are and what opens anything is then looked for wherever something has come to rest.
 */

const verifyToken = 'the-verify-token-that-nobody-may-read';
const doctor = demoAddress('provider', 'northside');
const marked = (what: string): string => `Zahnweh-${what}-🦷é`;
/** What people wrote and what was answered: sealed wherever it rests. */
const texts = [
  ...['question', 'postback', 'taken-back', 'unresolved', 'poison', 'comment', 'answer', 'refused', 'lost'],
  ...['too-long', 'bad-body', 'forged', 'no-json', 'public-reply', 'private-reply', 'file'],
].map(marked);
const [question, button, takenBack, unresolved, poison, termin, answer, refusedText, lost] = texts as Texts;
const [tooLong, badBody, forged, noJson, publicReply, privateReply, file] = texts.slice(9) as Texts;
type Texts = [string, string, string, string, string, string, string, string, string];
/** Rests in the doctor's own settings as it is, and is nothing for a log. */
const welcome = 'Willkommen-in-der-Praxis-Zahnrad';
const names = ['Wilhelmine Zahnfee', 'Balthasar Backenzahn'];

let meta: Meta;
/** Only for what its database and its people are. */
let inside: Service;
/** The process that is looked into. */
let service: Service;
let child: ServiceProcess;
const refusals: Answer[] = [];
const seen: string[] = [];

beforeAll(async () => {
  meta = await startMeta();
  inside = await startService({ variables: { ...meta.variables, META_WEBHOOK_VERIFY_TOKEN: verifyToken } });
  await keepJobs();
  const { config, database } = inside;
  child = launch({
    ...{
      NODE_ENV: 'test',
      LOG_LEVEL: 'trace',
      PORT: '0',
      DATA_DIR: config.dataDir,
      META_WEBHOOK_VERIFY_TOKEN: verifyToken,
    },
    ...{ DATABASE_URL: database.apiUrl, MIGRATION_DATABASE_URL: database.adminUrl, ...meta.variables },
    ...{ META_TIMEOUT_MS: '1000' },
  });
  const url = await addressOf(child);
  const call: Service['call'] = async (method, path, options) => {
    const got = await send(`${url}${path.startsWith('//') ? path.slice(1) : `/api/v1${path}`}`, method, options);
    if (got.status >= 400) refusals.push(got);
    return got;
  };
  const tokens = new Map<string, string>();
  const tokenOf = async (email: string): Promise<string> => {
    const known = tokens.get(email);
    if (known) return known;
    const { body } = await call('POST', '/auth/login', { body: { email, password: demoPassword } });
    tokens.set(email, body.accessToken);
    return body.accessToken;
  };
  service = { ...inside, url, call, tokenOf };
}, 60_000);
afterAll(async () => {
  child.child.kill('SIGKILL');
  await inside.stop();
  await meta.stop();
});

/** What a job was given is gone with it: kept here. */
async function keepJobs(): Promise<void> {
  await inside.database.sql(`
    CREATE TABLE public.kept_jobs (payload text);
    CREATE FUNCTION public.keep_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
    BEGIN INSERT INTO public.kept_jobs VALUES (NEW::text); RETURN NEW; END $$;
    CREATE TRIGGER keep_job AFTER INSERT ON graphile_worker._private_jobs FOR EACH ROW EXECUTE FUNCTION public.keep_job()`);
}

const call = async (method: string, path: string, body?: unknown, email = doctor): Promise<Answer> =>
  service.call(method, path, { token: await service.tokenOf(email), body });

async function found<Row extends Record<string, unknown>>(
  statement: string,
  isSo: (rows: Row[]) => boolean,
): Promise<Row[]> {
  for (const deadline = Date.now() + 20_000; ; await pause(50)) {
    const rows = await inside.database.sql<Row>(statement);
    if (isSo(rows)) return rows;
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${statement} has ${JSON.stringify(rows)}`);
  }
}

const practice = { pageId: '', instagramId: '' };
const participants: string[] = [];
/** Of our own making: sessions, states, cookies. */
const keys: string[] = [];

describe('Everything that the module does', () => {
  it('is done: connecting, with and without a choice, refused and forged', async () => {
    const [several, one] = [await personWithPages(meta, 2), await personWithPages(meta)];
    const { dialogUrl, cookie } = await beginConsent(service, doctor, '/messenger/pages');
    const query = await meta.consent(dialogUrl, { personId: several.personId });
    keys.push(cookie.split('=')[1] ?? '', query.get('state') ?? '', query.get('code') ?? '');
    await comeBack(service, '/messenger/pages', { state: query.get('state') ?? '', code: forged });
    const choice = (await comeBack(service, '/messenger/pages', query, cookie)).get('choose');
    await comeBack(service, '/messenger/pages', query, cookie);
    practice.pageId = several.pages[0]?.id ?? '';
    await call('POST', `/messenger/pages/pending/${choice}`, { choice: badBody });
    expect((await call('POST', `/messenger/pages/pending/${choice}`, { choice: practice.pageId })).status).toBe(200);
    const { personId, pages } = one;
    await consentAs(service, meta, doctor, '/settings/instagram', { personId, denies: true });
    await meta.fault({ on: 'accounts', kind: 'refused' });
    await consentAs(service, meta, doctor, '/settings/instagram', { personId });
    const told = await consentAs(service, meta, doctor, '/settings/instagram', { personId });
    expect(told.get('connected')).toBe('1');
    practice.instagramId = pages[0]?.instagramId ?? '';
    const settings = { welcomeMessage: welcome, leadPublicReply: null };
    expect((await call('PATCH', '/settings/doctor', settings)).status).toBe(200);
    for (const path of ['/messenger/pages', '/settings/instagram/status']) seen.push((await call('GET', path)).text);
  }, 30_000);

  it('is done: what Meta tells, rightly, wrongly and forged', async () => {
    const url = `${service.url}/api/v1/webhooks/meta`;
    await service.call('GET', `/webhooks/meta?hub.mode=subscribe&hub.verify_token=${verifyToken}x&hub.challenge=1`);
    await meta.webhookTo(url, verifyToken);
    await meta.webhooks({ echoes: true, delivered: true, read: true, duplicate: 0.3, style: 'escaped' });
    const [ada, bob] = names as [string, string];
    const first = await meta.write({ pageId: practice.pageId, from: ada, text: question });
    const gone = await meta.write({ pageId: practice.pageId, from: ada, text: takenBack });
    participants.push(first.participantId);
    await meta.write({ pageId: practice.pageId, from: ada, kind: 'postback', text: button });
    await meta.write({ pageId: practice.pageId, from: ada, kind: 'reaction', mid: first.mid, emoji: '❤' });
    await meta.write({ pageId: practice.pageId, from: ada, kind: 'deletion', mid: gone.mid });
    participants.push((await meta.write({ pageId: practice.instagramId, from: bob, text: question })).participantId);
    await meta.comment({ instagramId: practice.instagramId, from: bob, text: `${termin} Termin appointment` });
    const ofNobody = fromPerson('99887766554433', '55443322119988', { message: { mid: 'm_nobody', text: unresolved } });
    const odd = fromPerson(practice.pageId, '55443322119988', { message: { mid: 'm_odd', text: `${poison}\0\ud800` } });
    participants.push('55443322119988');
    await meta.deliver({
      url,
      payload: {
        object: 'page',
        entry: [entryOf('99887766554433', ofNobody), entryOf(practice.pageId, odd, { sender: poison })],
      },
    });
    await meta.deliver({
      url,
      payload: { object: 'page', entry: [{ id: forged, messaging: [forged] }] },
      spoil: 'bit',
    });
    await meta.deliver({ url, payload: { object: noJson, entry: forged } });
    await meta.deliver({ url, rawBody: `{"object":"page","entry":[{"id":"${noJson}` });
    await meta.settled();
    await found<{ state: string }>('SELECT state FROM webhook_events', (rows) =>
      rows.every(({ state }) => state !== 'received'),
    );
    await found('SELECT FROM conversations WHERE participant_name IS NOT NULL', (rows) => rows.length >= 2);
    seen.push((await call('GET', '/webhooks/events?state=unresolved', undefined, demoAdmin)).text);
  }, 40_000);

  it('is done: answers, sent, refused, lost and never taken', async () => {
    const stream = await openEvents(service.url, await service.tokenOf(doctor));
    const { data } = (await call('GET', `/messenger/conversations?q=${encodeURIComponent('Wilhelmine')}`)).body;
    const path = `/messenger/conversations/${data[0].id}`;
    await call('POST', `${path}/messages`, { text: answer });
    await meta.fault({ on: 'page.message', kind: 'refused', objectId: practice.pageId, after: 1 });
    await call('POST', `${path}/messages`, { text: refusedText });
    await call('POST', `${path}/messages`, {
      attachment: { type: 'file', url: `https://me:${file}@files.example/x.pdf` },
    });
    await call('POST', `${path}/messages`, { text: tooLong.repeat(200) });
    await call('POST', `${path}/messages`, { text: badBody, note: badBody });
    await call('POST', `${path}/messages`, `{"text":"${badBody}`);
    await call('PATCH', path, { status: badBody });
    const out = `SELECT status FROM messages WHERE direction = 'out' AND sent_by = 'user'`;
    const isOver = ({ status }: { status: string }) => status !== 'pending';
    const [{ status: refusedAs } = { status: '' }] = await found<{ status: string }>(
      `${out} ORDER BY created_at DESC`,
      (rows) => rows.length === 2 && rows.every(isOver),
    );
    expect(['failed', 'sent', 'delivered', 'read']).toContain(refusedAs);
    await meta.fault({ on: 'page.message', kind: 'cut-after', objectId: practice.pageId });
    await call('POST', `${path}/messages`, { text: lost });
    await found<{ status: string }>(out, (rows) => rows.length === 3 && rows.every(isOver));
    const [lead] = await found<{ id: string }>('SELECT id FROM comment_leads', (rows) => rows.length === 1);
    await call('POST', `/messenger/leads/${lead?.id}/public-reply`, { text: publicReply });
    await call('POST', `/messenger/leads/${lead?.id}/private-reply`, { text: privateReply });
    await call('POST', `/messenger/leads/${lead?.id}/private-reply`, { text: privateReply });
    await found<{ status: string }>(
      'SELECT status FROM comment_replies',
      (rows) => rows.length === 2 && rows.every(isOver),
    );
    expect((await call('GET', `${path}/messages`)).text).toContain(answer);
    await call('POST', `${path}/read`);
    stream.hangUp();
  }, 60_000);

  it('is done: a token that dies, and letting go', async () => {
    const { data } = (await call('GET', '/messenger/conversations?channel=instagram')).body;
    await meta.fault({ on: 'page.message', kind: 'token-revoked' });
    await call('POST', `/messenger/conversations/${data[0].id}/messages`, { text: lost });
    await found<{ level: string }>(
      'SELECT instagram_health_level AS level FROM doctor_instagram',
      ([row]) => row?.level === 'error',
    );
    expect((await call('DELETE', '/settings/instagram/disconnect')).status).toBe(204);
    const { body } = await call('GET', '/messenger/pages');
    expect((await call('DELETE', `/messenger/pages/${body.data[0].id}`)).status).toBe(204);
    await found(
      `SELECT FROM graphile_worker._private_jobs WHERE key LIKE 'messenger.leave-page:%'`,
      (rows) => rows.length === 0,
    );
  }, 40_000);
});

describe('Afterwards', () => {
  beforeAll(async () => {
    for (const name of ['messenger.find-unsent', 'messenger.find-events', 'messenger.sweep-events'])
      await inside.database.sql(`SELECT graphile_worker.add_job($1, '{}')`, [name]);
    await found(`SELECT FROM jobs.runs WHERE name LIKE 'messenger.%' AND outcome = 'done'`, (rows) => rows.length >= 2);
  });

  it('no text and no token rests unsealed anywhere, and no log says a word of anybody', async () => {
    expect(child.output).toContain('/api/v1/webhooks/meta');
    keys.push(await service.tokenOf(doctor));
    await expectNoTrace({
      database: inside.database,
      processes: [child],
      folders: [inside.config.dataDir],
      secrets: [...(await meta.tokens()), 'emulator-secret', verifyToken, ...texts, ...texts.map(escaped), ...keys],
      captions: [welcome, ...names, ...names.map(encodeURIComponent), 'Wilhelmine', ...participants],
    });
  }, 60_000);

  it('no refusal says again what it was given, and no answer holds a token', async () => {
    expect(new Set(refusals.map(({ status }) => status)).size).toBeGreaterThan(3);
    const secrets = [...(await meta.tokens()), 'emulator-secret', verifyToken, ...keys];
    for (const hidden of [...texts, ...texts.map(escaped), ...secrets])
      expect(refusals.filter(({ text }) => text.includes(hidden)).map(({ text }) => text)).toEqual([]);
    for (const hidden of [...secrets, ...participants]) expect(seen.join('\n')).not.toContain(hidden);
  });

  it.each(['audit.events', 'public.kept_jobs', 'jobs.runs'])('%s names nobody who wrote', async (table) => {
    const rows = await inside.database.sql<{ row: string }>(`SELECT t::text AS row FROM ${table} t`);
    expect(rows).not.toEqual([]);
    for (const hidden of [...names, ...participants])
      expect(rows.filter(({ row }) => row.includes(hidden)).map(({ row }) => row)).toEqual([]);
  });
});

/** As Meta writes it, and as some logs would. */
function escaped(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(/[^\x20-\x7e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
