import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { consentAs, personWithPages, subscribedAt } from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { GraphClientOfTests } from '../support/meta-graph.js';
import { type OwnServer, startOwnServer } from '../support/own-server.js';
import { hasten, hearFrom, openPractice, type Practice, say, standing, type Talk } from '../support/sending.js';
import { type Answer, type Service, startService } from '../support/service.js';

/**
 * The database falls over twice while people write, are answered, connect pages and change what they are shown. Whoever is
 * told that it is away asks again, as clients do; what was said to be done is done, once, and nothing by halves.
 */

const verifyToken = 'the verify token of the test';
const answers = 60;
const written = 600;
const answerer = 'owner';
const connecting = ['provider', 'clinic-admin', 'staff'].map((role) => demoAddress(role, 'northside'));

let server: OwnServer;
let meta: Meta;
let service: Service;
let practice: Practice;
const talks: Talk[] = [];
/** What nobody may be told. */
const wrong: string[] = [];
let isOver = false;

beforeAll(async () => {
  [server, meta] = await Promise.all([startOwnServer(), startMeta()]);
  const variables = { ...meta.variables, META_WEBHOOK_VERIFY_TOKEN: verifyToken };
  service = await startService({ database: server.database, withWorker: true, variables });
  practice = await openPractice(meta, service, { role: answerer });
  const [token = ''] = (await meta.tokens()).slice(-1);
  const fields = { subscribed_fields: 'messages,message_echoes' };
  await new GraphClientOfTests(meta).post(`${practice.pageId}/subscribed_apps`, token, fields);
  for (let number = 0; number < answers; number += 1)
    talks.push(await hearFrom(meta, service, practice, `Patient ${number}`));
  for (const email of [...connecting, practice.email]) await service.tokenOf(email);
  await meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, verifyToken);
  await meta.webhooks({ parallel: 8, retryMs: 200, tries: 1_000, echoes: true });
}, 90_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
  await server.stop();
});

/** Until it is answered: what says that the database is away is sent again, and nothing else may go wrong. */
async function insistently(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    const isAway = answer.status === 503 && answer.body.code === 'database-unavailable';
    if (!isAway) {
      if (answer.status >= 400) wrong.push(answer.text);
      return answer;
    }
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    await pause(50);
  }
}

async function answerAll(): Promise<void> {
  for (const [index, talk] of talks.entries()) {
    const headers = { 'idempotency-key': `restart-${index}` };
    await insistently(() => say(service, talk, `Answer ${index}`, { headers }));
    await insistently(async () =>
      service.call('PATCH', `/messenger/conversations/${talk.id}`, {
        token: await service.tokenOf(practice.email),
        body: { status: 'snoozed' },
      }),
    );
  }
}

async function writeAll(): Promise<void> {
  const at = Date.now() - 86_400_000;
  const given = Array.from({ length: written }, (_, number) => ({
    ...{ pageId: practice.pageId, from: `Writer ${number % 20}`, text: `Number ${number}`, at: at + number * 1_000 },
  }));
  for (let from = 0; from < written; from += 100) {
    await meta.writeMany(given.slice(from, from + 100));
    await pause(200);
  }
}

interface Connecting {
  email: string;
  pageId: string;
  told: Record<string, string>;
}

/** Each connects one page after another, and is told what came of each. */
async function connectOn(email: string): Promise<Connecting[]> {
  const attempts: Connecting[] = [];
  while (!isOver) {
    const { personId, pages } = await personWithPages(meta);
    try {
      const told = await consentAs(service, meta, email, '/messenger/pages', { personId });
      attempts.push({ email, pageId: pages[0]?.id ?? '', told: Object.fromEntries(told) });
    } catch (error) {
      // It could not begin, or the browser was told so where it stood.
      if (!String(error).includes('database-unavailable')) wrong.push(String(error));
      attempts.push({ email, pageId: pages[0]?.id ?? '', told: { error: 'database-unavailable' } });
    }
    await pause(50);
  }
  return attempts;
}

describe('While the database falls over twice', () => {
  it('everybody is told the truth, and all of it is done in the end', async () => {
    const connected = connecting.map(connectOn);
    const work = Promise.all([answerAll(), writeAll()]);
    for (const waitMs of [500, 1_500]) {
      await pause(waitMs);
      await server.database.sql('SELECT');
      await server.crash();
    }
    await work;
    isOver = true;
    const attempts = (await Promise.all(connected)).flat();
    await meta.settled(30_000);
    expect(wrong).toEqual([]);
    expect(attempts.some(({ told }) => told.connected === '1')).toBe(true);
    for (const { told } of attempts)
      expect(['{"connected":"1"}', '{"error":"database-unavailable"}', '{"error":"subscription-failed"}']).toContain(
        JSON.stringify(told),
      );
    for (const email of connecting)
      await expectOne(
        email,
        attempts.filter((each) => each.email === email),
      );
  }, 90_000);

  /** One page, whole and told of: the last that was said to be connected, or a later one whose answer was lost. */
  async function expectOne(email: string, attempts: readonly Connecting[]): Promise<void> {
    const rows = await server.database.sql<{ page_id: string; is_whole: boolean }>(
      `SELECT page_id, page_access_token_sealed IS NOT NULL AND facebook_user_id IS NOT NULL AS is_whole
         FROM messenger_connections c JOIN auth.users u ON u.id = c.owner_id WHERE u.email = $1 AND is_active`,
      [email],
    );
    const last = attempts.findLastIndex(({ told }) => told.connected === '1');
    const possible = attempts.slice(last).filter(({ told }) => told.error !== 'subscription-failed');
    expect(rows).toEqual([{ page_id: expect.any(String), is_whole: true }]);
    expect(possible.map(({ pageId }) => pageId)).toContain(rows[0]?.page_id);
    await untilTold(rows[0]?.page_id ?? '');
  }

  async function untilTold(pageId: string): Promise<void> {
    for (
      const deadline = Date.now() + 10_000;
      !(await subscribedAt(meta, pageId)).includes('messages');
      await pause(100)
    )
      if (Date.now() > deadline) throw new Error(`Meta tells nothing of ${pageId}.`);
  }

  it('each answer leaves once', async () => {
    const isOpen = `SELECT conversation_id FROM messages WHERE status = 'pending'`;
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause(200)) {
      const open = await server.database.sql<{ conversation_id: string }>(isOpen);
      if (open.length === 0) break;
      for (const { conversation_id } of open) await hasten(server.database, conversation_id);
    }
    const stand = await Promise.all(talks.map((talk) => standing(meta, talk)));
    expect(stand).toEqual(talks.map((_, index) => [`Answer ${index}`]));
    const rows = await server.database.sql(
      `SELECT count(*)::int AS messages FROM messages WHERE sent_by = 'user' AND status IN ('sent', 'delivered', 'read')`,
    );
    expect(rows).toEqual([{ messages: answers }]);
  }, 40_000);

  it('each message is kept once', async () => {
    const kept = `SELECT count(DISTINCT platform_message_id)::int AS mids, count(*)::int AS messages FROM messages
      WHERE direction = 'in' AND platform_timestamp < now() - interval '1 hour'`;
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; await pause(200)) {
      await server.database.sql(`SELECT graphile_worker.add_job('messenger.find-events', '{}', job_key => 'find')`);
      if ((await server.database.sql<{ mids: number }>(kept))[0]?.mids === written) break;
    }
    expect(await server.database.sql(kept)).toEqual([{ mids: written, messages: written }]);
  }, 30_000);
});
