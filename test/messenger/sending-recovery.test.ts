import type { FaultKind } from '../emulators/meta/faults.ts';
import { freePort } from '../support/free-port.js';
import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  enqueueSending,
  giveUp,
  hearFrom,
  isFailed,
  isInDoubt,
  isPutOff,
  isSent,
  type MessageRow,
  messageRow,
  openPractice,
  type Practice,
  queued,
  say,
  standing,
  type Talk,
  tellEchoes,
} from '../support/sending.js';
import { type Service, startService } from '../support/service.js';

/** Everything that can happen to the call that sends: nothing is ever said twice, and what is not known is called so. */

let meta: Meta;
let service: Service;
let practice: Practice;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: { ...meta.variables, META_TIMEOUT_MS: '1000' } });
  practice = await openPractice(meta, service);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(async () => {
  await meta.control('faults/clear');
  // Meta is well otherwise: nobody leaves it alone for what one test has done.
  const talk = await hearFrom(meta, service, practice, `Well ${Math.random()}`);
  await becomes(service.database, await queued(service, talk, 'All is well'), isSent, { hastened: true });
  await meta.control('calls/clear');
});

/** Nothing was done; done, and the answer lost; and refused for the time being. */
const undone: FaultKind[] = ['cut-before', 'timeout', 'internal', 'transient'];
const lost: FaultKind[] = ['cut-after', 'slow', 'truncated', 'malformed', 'html', 'internal-after', 'late'];
const limits: FaultKind[] = ['rate-limited', 'page-rate-limited'];

async function sendWith(kind: FaultKind, given: object = {}): Promise<{ talk: Talk; id: string; text: string }> {
  const talk = await hearFrom(meta, service, practice, `Met by ${kind} ${Math.random()}`);
  await meta.fault({ on: 'page.message', kind, objectId: practice.pageId, retryAfter: 1, delayMs: 1_500, ...given });
  const text = `Sent with ${kind}`;
  return { talk, id: await queued(service, talk, text), text };
}

describe('When the answer to the call that sends is lost', () => {
  it.each(lost)(
    'by %s, the echo says that it was sent, and nothing is sent again',
    async (kind) => {
      const { talk, id, text } = await sendWith(kind);
      await becomes(service.database, id, isInDoubt);
      const [stands] = await waitFor(async () =>
        (await meta.sent(practice.pageId)).filter((each) => each.text === text),
      );
      await tellEchoes(service, talk, [{ mid: stands?.mid ?? '', metadata: stands?.metadata ?? null, text }]);
      expect(await messageRow(service.database, id)).toMatchObject({
        ...{ status: 'sent', platform_message_id: stands?.mid, error_code: null, doubted_at: null },
      });
      expect(await standing(meta, talk)).toEqual([text]);
      expect(await meta.count('page.message')).toBe(1);
    },
    30_000,
  );

  it.each(undone)(
    'by %s, and no echo comes, nobody knows, and nothing is sent again',
    async (kind) => {
      const { talk, id } = await sendWith(kind);
      await becomes(service.database, id, isInDoubt);
      await giveUp(service.database, id);
      expect(await becomes(service.database, id, isFailed)).toMatchObject({ error_code: 'outcome-unknown' });
      expect(await standing(meta, talk)).toEqual([]);
      expect(await meta.count('page.message')).toBe(1);
    },
    30_000,
  );

  it('an echo that comes after that is still believed', async () => {
    const { talk, id, text } = await sendWith('cut-after');
    await becomes(service.database, id, isInDoubt);
    await giveUp(service.database, id);
    await becomes(service.database, id, isFailed);
    await tellEchoes(service, talk, [{ mid: 'late-echo', metadata: id, text }]);
    expect(await messageRow(service.database, id)).toMatchObject({ status: 'sent', error_code: null });
  });

  it('it holds the next message back for some seconds, and no longer', async () => {
    const { talk, id } = await sendWith('cut-after');
    await becomes(service.database, id, isInDoubt);
    const next = await queued(service, talk, 'The next');
    expect((await messageRow(service.database, next)).status).toBe('pending');
    await becomes(service.database, next, isSent, { hastened: true });
    expect(await messageRow(service.database, id)).toMatchObject({ status: 'pending' });
    expect(await standing(meta, talk)).toEqual(['Sent with cut-after', 'The next']);
  });
});

describe('When Meta takes nothing for the time being', () => {
  it.each(limits)(
    'by %s, it was certainly not sent, and is later',
    async (kind) => {
      const { talk, id, text } = await sendWith(kind);
      const waiting = await becomes(service.database, id, isPutOff);
      expect(waiting).toMatchObject({ attempts: 0, error_code: null });
      await becomes(service.database, id, isSent, { hastened: true });
      expect(await standing(meta, talk)).toEqual([text]);
    },
    30_000,
  );

  it('the messages behind it wait, too, and keep their order', async () => {
    const { talk, id } = await sendWith('page-rate-limited');
    await becomes(service.database, id, isPutOff);
    const next = await queued(service, talk, 'Behind it');
    await becomes(service.database, next, isSent, { hastened: true });
    expect(await standing(meta, talk)).toEqual(['Sent with page-rate-limited', 'Behind it']);
  });

  it('until it is too late to answer at all: then it fails, and Meta is not asked', async () => {
    const { id, talk } = await sendWith('page-rate-limited');
    await becomes(service.database, id, isPutOff);
    await meta.control('calls/clear');
    await service.database.sql(
      `UPDATE conversations SET last_customer_message_at = now() - interval '25 hours' WHERE id = $1`,
      [talk.id],
    );
    const row = await becomes(service.database, id, isFailed, { hastened: true });
    expect(row.error_code).toBe('outside-messaging-window');
    expect(await meta.count('page.message')).toBe(0);
  });
});

describe('When Meta cannot be reached', () => {
  it('it is tried again and again, and then fails', async () => {
    const away = await startService({
      ...{ withWorker: true, database: service.database },
      variables: {
        ...meta.variables,
        META_GRAPH_URL: `http://127.0.0.1:${await freePort()}`,
        DATA_DIR: service.config.dataDir,
      },
    });
    try {
      await service.application.close();
      const talk = await hearFrom(meta, away, practice, 'Unreached');
      const id = await queued(away, talk, 'Is anybody there');
      await becomes(away.database, id, (row) => isPutOff(row) && row.attempts === 1);
      const row = await becomes(away.database, id, isFailed, { hastened: true });
      expect(row).toMatchObject({ error_code: 'meta-unavailable', send_started_at: null, attempts: 7 });
    } finally {
      await away.application.close();
      service = await startService({
        ...{ withWorker: true, database: service.database },
        variables: { ...meta.variables, META_TIMEOUT_MS: '1000', DATA_DIR: service.config.dataDir },
      });
    }
  }, 60_000);
});

describe('What Meta refuses for certain', () => {
  it.each([
    ['refused', 'meta-refused', {}],
    ['not-found', 'meta-refused', {}],
    ['permission', 'meta-permission-missing', {}],
    ['permission', 'meta-permission-missing', { code: 200 }],
  ] as const)('by %s fails as %s', async (kind, code, given) => {
    const { talk, id } = await sendWith(kind, given);
    expect(await becomes(service.database, id, isFailed)).toMatchObject({ error_code: code, send_started_at: null });
    expect(await standing(meta, talk)).toEqual([]);
  });

  it.each(['token-expired', 'token-revoked'] as const)(
    'is what comes with a token that is no more: %s',
    async (kind) => {
      const other = await openPractice(meta, service, { role: kind === 'token-expired' ? 'manager' : 'member' });
      const talk = await hearFrom(meta, service, other, 'Without a token');
      await meta.fault({ on: 'page.message', kind, objectId: other.pageId });
      const row = await becomes(service.database, await queued(service, talk, 'With a dead token'), isFailed);
      expect(row).toMatchObject({ error_code: 'not-connected', send_started_at: null });
      const [connection] = await service.database.sql<{ health_level: string }>(
        'SELECT health_level FROM messenger_connections WHERE page_id = $1',
        [other.pageId],
      );
      expect(connection?.health_level).toBe('error');
    },
  );

  it('is what goes to somebody who has blocked the page', async () => {
    const talk = await hearFrom(meta, service, practice, 'Gone');
    await meta.control('block', { pageId: practice.pageId, from: 'Gone' });
    const row = await becomes(service.database, await queued(service, talk, 'Still there?'), isFailed);
    expect(row.error_code).toBe('recipient-unavailable');
  });

  it('is what comes too late by the clock of Meta', async () => {
    const talk = await hearFrom(meta, service, practice, 'Old', { at: new Date(Date.now() - 25 * 3_600_000) });
    await service.database.sql('UPDATE conversations SET last_customer_message_at = now() WHERE id = $1', [talk.id]);
    const row = await becomes(service.database, await queued(service, talk, 'Just in time?'), isFailed);
    expect(row.error_code).toBe('outside-messaging-window');
  });
});

describe('A worker that was killed', () => {
  /** As one leaves a message that it had claimed, or had begun to send. */
  async function abandoned(talk: Talk, text: string, columns: string): Promise<string> {
    // Held as if by somebody who lives, until it is as it should be.
    await service.database.sql(
      "ALTER TABLE messages ALTER COLUMN next_attempt_at SET DEFAULT now() + interval '1 day'",
    );
    const id = await queued(service, talk, text);
    await service.database.sql('ALTER TABLE messages ALTER COLUMN next_attempt_at DROP DEFAULT');
    await service.database.sql(`UPDATE messages SET attempt_id = id, ${columns} WHERE id = $1`, [id]);
    return id;
  }

  it('before the call: another sends it when the lease is over', async () => {
    const talk = await hearFrom(meta, service, practice, 'Claimed');
    const id = await abandoned(talk, 'Claimed only', `next_attempt_at = now() - interval '1 second'`);
    await enqueueSending(service.database, talk.id);
    await becomes(service.database, id, isSent);
    expect(await standing(meta, talk)).toEqual(['Claimed only']);
  });

  it('in the call: nobody sends it again', async () => {
    const talk = await hearFrom(meta, service, practice, 'Begun');
    const begun = `next_attempt_at = now() - interval '1 second', send_started_at = now() - interval '10 seconds'`;
    const id = await abandoned(talk, 'Begun', begun);
    await enqueueSending(service.database, talk.id);
    await becomes(service.database, id, isInDoubt);
    await giveUp(service.database, id);
    expect(await becomes(service.database, id, isFailed)).toMatchObject({ error_code: 'outcome-unknown' });
    expect(await meta.count('page.message')).toBe(0);
  });

  it('with its job: the scan of each minute finds the conversation', async () => {
    const talk = await hearFrom(meta, service, practice, 'Forgotten');
    const id = await abandoned(talk, 'Forgotten', `next_attempt_at = now() - interval '1 minute'`);
    await service.database.sql(`SELECT graphile_worker.remove_job('messenger.send:' || $1)`, [talk.id]);
    await service.database.sql(`SELECT graphile_worker.add_job('messenger.find-unsent', '{}')`);
    await becomes(service.database, id, isSent);
  });

  it('holding a claim that still runs: nobody takes it', async () => {
    const talk = await hearFrom(meta, service, practice, 'Held');
    const id = await abandoned(talk, 'Held', `next_attempt_at = now() + interval '1 hour'`);
    const next = await queued(service, talk, 'Behind it');
    await enqueueSending(service.database, talk.id);
    await becomes(service.database, next, ({ status }) => status === 'pending');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const rows = [await messageRow(service.database, id), await messageRow(service.database, next)];
    expect(rows.map(({ status }: MessageRow) => status)).toEqual(['pending', 'pending']);
  });
});

describe('A database that fails when Meta has answered', () => {
  it('for a moment does not lose the answer', async () => {
    await service.database.sql(`
      CREATE SEQUENCE tries;
      GRANT USAGE ON SEQUENCE tries TO PUBLIC;
      CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('public.tries') <= 2 THEN RAISE EXCEPTION USING ERRCODE = '40P01', MESSAGE = 'deadlock detected'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER fail_twice BEFORE UPDATE ON messages FOR EACH ROW
        WHEN (NEW.status = 'sent' AND OLD.status = 'pending') EXECUTE FUNCTION fail_twice()`);
    const talk = await hearFrom(meta, service, practice, 'Away for a moment');
    const row = await becomes(service.database, await queued(service, talk, 'Answered'), isSent);
    await service.database.sql('DROP TRIGGER fail_twice ON messages');
    expect(row.platform_message_id).toBe((await meta.sent(practice.pageId)).at(-1)?.mid);
    expect(await standing(meta, talk)).toEqual(['Answered']);
  });
});

describe('A failed message', () => {
  const retry = async (talk: Talk, id: string, body: object = {}) =>
    service.call('POST', `/messenger/conversations/${talk.id}/messages/${id}/retry`, {
      token: await service.tokenOf(practice.email),
      body,
    });

  it('is sent again as a new one, once, however often it is asked for', async () => {
    const { talk, id, text } = await sendWith('refused');
    await becomes(service.database, id, isFailed);
    const answers = await Promise.all([retry(talk, id), retry(talk, id), retry(talk, id)]);
    const taken = answers.filter(({ status }) => status === 202);
    expect(taken).toHaveLength(1);
    expect(taken[0]?.body).toMatchObject({ status: 'pending', retryOf: id });
    for (const { status, body } of answers.filter((each) => each.status !== 202))
      expect([status, body.code]).toEqual([409, 'message-already-retried']);
    await becomes(service.database, taken[0]?.body.id, isSent);
    expect(await messageRow(service.database, id)).toMatchObject({ status: 'failed' });
    expect(await standing(meta, talk)).toEqual([text]);
  });

  it('of which nobody knows whether it was sent is sent again only when somebody has looked', async () => {
    const { talk, id, text } = await sendWith('cut-before');
    await becomes(service.database, id, isInDoubt);
    expect((await retry(talk, id)).body.code).toBe('message-not-failed');
    await giveUp(service.database, id);
    await becomes(service.database, id, isFailed);
    const unsure = await retry(talk, id);
    expect([unsure.status, unsure.body.code]).toEqual([409, 'message-outcome-unknown']);
    const sure = await retry(talk, id, { confirmNotSent: true });
    await becomes(service.database, sure.body.id, isSent);
    expect(await standing(meta, talk)).toEqual([text]);
  });

  it('carries its file along', async () => {
    const talk = await hearFrom(meta, service, practice, 'File again');
    await meta.fault({ on: 'page.message', kind: 'refused', objectId: practice.pageId });
    const attachment = { type: 'image', url: meta.media('photo.jpg') };
    const id = await queued(service, talk, { attachment });
    await becomes(service.database, id, isFailed);
    await becomes(service.database, (await retry(talk, id)).body.id, isSent);
    expect((await meta.sent(practice.pageId)).at(-1)?.attachments).toMatchObject([
      { payload: { url: attachment.url } },
    ]);
  });

  it('is not sent again when it was sent, came in, is not there, or is another conversation’s', async () => {
    const talk = await hearFrom(meta, service, practice, 'Sent already');
    const other = await hearFrom(meta, service, practice, 'Another');
    const id = await queued(service, talk, 'Sent');
    await becomes(service.database, id, isSent);
    expect((await retry(talk, id)).body.code).toBe('message-not-failed');
    expect((await retry(other, id)).status).toBe(404);
    expect((await retry(talk, talk.id)).status).toBe(404);
    await tellEchoes(service, talk, [{ mid: 'typed-in-the-inbox', text: 'Typed' }]);
    const [typed] = await service.database.sql<{ id: string }>(
      `SELECT id FROM messages WHERE platform_message_id = 'typed-in-the-inbox'`,
    );
    expect((await retry(talk, typed?.id ?? '')).body.code).toBe('message-not-failed');
  });

  it('is not sent again when it is too late', async () => {
    const { talk, id } = await sendWith('refused');
    await becomes(service.database, id, isFailed);
    await service.database.sql(
      `UPDATE conversations SET last_customer_message_at = now() - interval '25 hours' WHERE id = $1`,
      [talk.id],
    );
    expect((await retry(talk, id)).body.code).toBe('outside-messaging-window');
    expect((await say(service, talk, 'Anew')).body.code).toBe('outside-messaging-window');
  });
});

async function waitFor<Found>(look: () => Promise<Found[]>): Promise<Found[]> {
  for (let round = 0; round < 100; round += 1) {
    const found = await look();
    if (found.length > 0) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return [];
}
