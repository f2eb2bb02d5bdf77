import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { LeadSeals } from '../../src/modules/messenger/leads/lead-seals.js';
import type { FaultKind } from '../emulators/meta/faults.ts';
import {
  type ConnectedDoctor,
  comment,
  connectDoctor,
  hastenReply,
  type ReplyRow,
  replyBecomes,
  replyRow,
  setLeads,
  tell,
} from '../support/leads.js';
import { insertConversation, insertMessage } from '../support/messenger.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';

/** Replies on their way to Meta: each stands there once, or is said to be unknown. */

let meta: Meta;
let service: Service;
let doctor: ConnectedDoctor;
let token: string;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
  doctor = await connectDoctor(service, meta, demoAddress('provider', 'northside'));
  token = await service.tokenOf(doctor.email);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
beforeEach(async () => {
  await setLeads(service.database, doctor.doctorId);
  await meta.control('faults/clear');
  await meta.control('calls/clear');
});

const sql = <Row extends Record<string, unknown>>(text: string, values: unknown[] = []) =>
  service.database.sql<Row>(text, values);
const kinds = ['public', 'private'] as const;
type Kind = (typeof kinds)[number];
const callOf = { public: 'comment.reply', private: 'page.message' } as const;

interface Told {
  leadId: string;
  commentId: string;
}

/** Somebody asks for an appointment, and is a lead. */
async function lead(text = 'I want to book', from = 'Ada Lovelace'): Promise<Told> {
  const { commentId } = await comment(service, meta, doctor, { text, from });
  const [row] = await sql<{ id: string }>('SELECT id FROM comment_leads WHERE comment_id = $1', [commentId]);
  return { leadId: row?.id ?? '', commentId };
}

const ask = (leadId: string, kind: Kind, text: string, more: object = {}) =>
  service.call('POST', `/messenger/leads/${leadId}/${kind}-reply`, { token, body: { text, ...more } });
const becomes = (leadId: string, kind: Kind, isSo: (row: ReplyRow) => boolean) =>
  replyBecomes(service.database, leadId, kind, isSo);
const isSent = ({ status }: ReplyRow) => status === 'sent';
const isFailed = ({ status }: ReplyRow) => status === 'failed';
/** Waits, and nobody holds it. */
const isPutOff = ({ status, started_at, next_attempt_at }: ReplyRow) =>
  status === 'pending' && started_at === null && isSoon(next_attempt_at);
/** It may have been sent, and nobody looks for it right now. */
const isInDoubt = ({ status, started_at, next_attempt_at }: ReplyRow) =>
  status === 'pending' && started_at !== null && isSoon(next_attempt_at);
/** Less than the two minutes for which a worker holds it. */
const isSoon = (time: Date) => time.getTime() > Date.now() && time.getTime() < Date.now() + 100_000;
const get = async (leadId: string) => (await service.call('GET', `/messenger/leads/${leadId}`, { token })).body;

interface Standing {
  id: string;
  from: { username: string };
  text: string;
  parentId?: string;
}

/** What really stands at Meta in answer to the comment. */
async function standing(commentId: string, kind: Kind): Promise<string[]> {
  if (kind === 'private') {
    const sent = await meta.sent(doctor.instagramId);
    return sent.filter((message) => message.commentId === commentId).map(({ text }) => text ?? '');
  }
  const comments = (await meta.control(`comments?instagramId=${doctor.instagramId}`)) as Standing[];
  return comments.filter(({ parentId }) => parentId === commentId).map(({ text }) => text);
}

describe('A reply that a doctor asks for', () => {
  it.each(kinds)('is sent a moment later, and the lead is contacted: %s', async (kind) => {
    const { leadId, commentId } = await lead();
    await ask(leadId, kind, 'Schön! Schreiben Sie uns 🦷');
    const row = await becomes(leadId, kind, isSent);
    expect(row).toMatchObject({
      error_code: null,
      text_sealed: null,
      sent_by: 'user',
      platform_id: expect.any(String),
    });
    expect(await standing(commentId, kind)).toEqual(['Schön! Schreiben Sie uns 🦷']);
    expect(await get(leadId)).toMatchObject({
      state: 'contacted',
      [`${kind}Reply`]: { status: 'sent', errorCode: null },
    });
    expect((await ask(leadId, kind, 'Once more')).body.code).toBe('already-replied');
    expect(await meta.count(callOf[kind])).toBe(1);
  });

  it('leaves a lead dismissed that was dismissed meanwhile', async () => {
    const { leadId } = await lead();
    await meta.fault({ on: 'comment.reply', kind: 'rate-limited', retryAfter: 1 });
    await ask(leadId, 'public', 'Hello');
    await becomes(leadId, 'public', isPutOff);
    await service.call('PATCH', `/messenger/leads/${leadId}`, { token, body: { state: 'dismissed' } });
    await becomes(leadId, 'public', isSent);
    expect((await get(leadId)).state).toBe('dismissed');
  });

  it('says that a message was sent there, for the health of the connection', async () => {
    await sql('UPDATE doctor_instagram SET instagram_last_dm_success_at = NULL');
    const { leadId } = await lead();
    await ask(leadId, 'private', 'Hello');
    await becomes(leadId, 'private', isSent);
    await pause(300);
    const [row] = await sql('SELECT instagram_last_dm_success_at AS at FROM doctor_instagram');
    expect(row?.at).toBeInstanceOf(Date);
  });
});

describe('A reply by itself', () => {
  it('is sent once in public and once in private, where the doctor has set it, and to no comment of ours', async () => {
    await setLeads(service.database, doctor.doctorId, {
      ...{ publicReply: 'We have written to you about your appointment', privateReply: 'When suits you?' },
    });
    const { leadId, commentId } = await lead('Appointment please');
    for (const kind of kinds) {
      expect(await becomes(leadId, kind, isSent)).toMatchObject({ sent_by: 'automation' });
      expect(await standing(commentId, kind)).toHaveLength(1);
    }
    expect((await ask(leadId, 'public', 'By hand')).body.code).toBe('already-replied');
    // Meta tells of the reply as of any comment: it asks for an appointment, too.
    const all = (await meta.control(`comments?instagramId=${doctor.instagramId}`)) as Standing[];
    const reply = all.find(({ parentId }) => parentId === commentId);
    const from = { id: doctor.instagramId, username: doctor.username };
    const value = { id: reply?.id, text: reply?.text, media: { id: '1' }, from };
    await tell(service, doctor.instagramId, [{ field: 'comments', value }]);
    expect(await sql('SELECT FROM comment_leads WHERE comment_id = $1', [reply?.id])).toEqual([]);
  });

  it('is sent to one person once a day: two accounts that answer by themselves do not go on for ever', async () => {
    await setLeads(service.database, doctor.doctorId, { publicReply: 'Tell us when, and we book it' });
    const answered = async ({ leadId }: Told) => (await replyRow(service.database, leadId, 'public')) !== undefined;
    const robot = () => lead('We book, too!', 'A robot');
    expect([await answered(await robot()), await answered(await robot())]).toEqual([true, false]);
    expect(await answered(await lead('We book, too!', 'A person'))).toBe(true);
    const twice = await Promise.all(
      [1, 2].map(() =>
        meta.comment({ instagramId: doctor.instagramId, from: 'In a hurry', text: 'book', deliver: false }),
      ),
    );
    const changes = twice.flatMap(({ payload }) => (payload.entry as { changes: unknown[] }[])[0]?.changes ?? []);
    await tell(service, doctor.instagramId, changes);
    const replies = `SELECT r.id FROM comment_replies r JOIN comment_leads l ON l.id = r.lead_id WHERE l.comment_id = ANY ($1)`;
    expect(await sql(replies, [twice.map(({ commentId }) => commentId)])).toHaveLength(1);
    await sql(`UPDATE comment_replies SET asked_at = asked_at - interval '25 hours'`);
    expect(await answered(await robot())).toBe(true);
  });

  it('is not sent while answers are paused, nor long after the comment; the lead is there', async () => {
    await setLeads(service.database, doctor.doctorId, { publicReply: 'Hello', isPaused: true });
    const paused = await lead('book', 'Alan Turing');
    expect(await replyRow(service.database, paused.leadId, 'public')).toBeUndefined();
    await setLeads(service.database, doctor.doctorId, { publicReply: 'Hello' });
    const told = await meta.comment({ instagramId: doctor.instagramId, from: 'Bob', text: 'book', deliver: false });
    const [entry] = told.payload.entry as { changes: unknown[] }[];
    await tell(service, doctor.instagramId, entry?.changes ?? [], new Date(Date.now() - 7_200_000));
    const [late] = await sql<{ id: string }>('SELECT id FROM comment_leads WHERE comment_id = $1', [told.commentId]);
    expect(await replyRow(service.database, late?.id ?? '', 'public')).toBeUndefined();
  });
});

describe('A reply that Meta does not take', () => {
  it.each([
    ['permission', 'meta-permission-missing'],
    ['refused', 'meta-refused'],
    ['not-found', 'comment-gone'],
  ] as const)('fails for certain, and can be asked for again: %s', async (fault, code) => {
    for (const kind of kinds) {
      const { leadId, commentId } = await lead();
      await meta.fault({ on: callOf[kind], kind: fault });
      await ask(leadId, kind, 'Hello');
      expect(await becomes(leadId, kind, isFailed)).toMatchObject({ error_code: code, text_sealed: null });
      expect(await standing(commentId, kind)).toEqual([]);
      expect(await get(leadId)).toMatchObject({
        state: 'new',
        [`${kind}Reply`]: { status: 'failed', errorCode: code },
      });
      if (code === 'comment-gone') {
        expect(await get(leadId)).toMatchObject({ text: null, deletedAt: expect.any(String) });
        expect((await ask(leadId, kind, 'Hello again')).body.code).toBe('comment-gone');
        continue;
      }
      expect((await ask(leadId, kind, 'Hello again')).status).toBe(202);
      await becomes(leadId, kind, isSent);
      expect(await standing(commentId, kind)).toEqual(['Hello again']);
    }
  });

  it('because the person does not want messages, or was answered in the app, says so', async () => {
    const { leadId, commentId } = await lead();
    await meta.control('block', { pageId: doctor.instagramId, from: 'Ada Lovelace', isBlocked: true });
    await ask(leadId, 'private', 'Hello');
    expect((await becomes(leadId, 'private', isFailed)).error_code).toBe('recipient-unavailable');
    await meta.control('block', { pageId: doctor.instagramId, from: 'Ada Lovelace', isBlocked: false });
    await ask(leadId, 'private', 'Hello');
    await becomes(leadId, 'private', isSent);
    await sql(`UPDATE comment_replies SET status = 'sent' WHERE lead_id = $1`, [leadId]);
    await sql('DELETE FROM comment_replies WHERE lead_id = $1', [leadId]);
    await ask(leadId, 'private', 'Hello, once more');
    expect((await becomes(leadId, 'private', isFailed)).error_code).toBe('private-reply-refused');
    expect(await standing(commentId, 'private')).toEqual(['Hello']);
  });

  it.each(['rate-limited', 'page-rate-limited'] as const)('for now is sent later: %s', async (fault) => {
    const { leadId, commentId } = await lead();
    await meta.fault({ on: 'comment.reply', kind: fault, retryAfter: 2 });
    await ask(leadId, 'public', 'Patience');
    await becomes(leadId, 'public', isPutOff);
    await becomes(leadId, 'public', isSent);
    expect(await standing(commentId, 'public')).toEqual(['Patience']);
  });

  it('for a whole day is given up', async () => {
    const { leadId } = await lead();
    await meta.fault({ on: 'comment.reply', kind: 'rate-limited', retryAfter: 3 });
    await ask(leadId, 'public', 'Too late');
    const { id } = await becomes(leadId, 'public', isPutOff);
    await meta.fault({ on: 'comment.reply', kind: 'rate-limited', retryAfter: 1, times: 5 });
    await hastenReply(service.database, id, '25 hours');
    expect((await becomes(leadId, 'public', isFailed)).error_code).toBe('meta-unavailable');
    await meta.control('faults/clear');
    await pause(3_500);
  });

  it('to an account that was let go meanwhile fails', async () => {
    const { leadId } = await lead();
    await meta.fault({ on: 'comment.reply', kind: 'rate-limited', retryAfter: 1 });
    await ask(leadId, 'public', 'Hello');
    const { id } = await becomes(leadId, 'public', isPutOff);
    await sql('UPDATE doctor_instagram SET instagram_page_id = instagram_page_id || 1');
    await hastenReply(service.database, id);
    expect((await becomes(leadId, 'public', isFailed)).error_code).toBe('not-connected');
    await sql('UPDATE doctor_instagram SET instagram_page_id = left(instagram_page_id, -1)');
    await pause(1_000);
  });
});

describe('A reply whose answer is lost', () => {
  const lost: FaultKind[] = ['cut-after', 'internal-after', 'truncated', 'malformed', 'html'];

  it.each(lost)('is found below the comment, and not sent again: %s', async (fault) => {
    const { leadId, commentId } = await lead();
    await meta.fault({ on: 'comment.reply', kind: fault });
    await ask(leadId, 'public', `Lost by ${fault}`);
    const row = await becomes(leadId, 'public', isSent);
    expect(row.platform_id).toEqual(expect.any(String));
    expect(await standing(commentId, 'public')).toEqual([`Lost by ${fault}`]);
    expect(await meta.count('comment.reply')).toBe(1);
    expect((await get(leadId)).state).toBe('contacted');
  });

  it('is known by its echo when it was private', async () => {
    const { leadId, commentId } = await lead();
    await meta.fault({ on: 'page.message', kind: 'cut-after' });
    await ask(leadId, 'private', 'Grüß Gott');
    const row = await becomes(leadId, 'private', isInDoubt);
    const [sent] = (await meta.sent(doctor.instagramId)).filter((message) => message.commentId === commentId);
    const conversationId = await insertConversation(service.database, doctor.doctorId, {
      ...{ channel: 'instagram', page_id: doctor.instagramId, participant_id: await commenterOf(leadId) },
    });
    const echoed = { direction: 'out', status: 'sent', sent_by: null };
    await insertMessage(service, conversationId, { ...echoed, text: 'Something else' });
    await insertMessage(service, conversationId, { ...echoed, text: 'Grüß Gott', platform_message_id: sent?.mid });
    await hastenReply(service.database, row.id);
    expect((await becomes(leadId, 'private', isSent)).platform_id).toBe(sent?.mid);
    expect(await meta.count('page.message')).toBe(1);
    await sql('DELETE FROM conversations WHERE id = $1', [conversationId]);
  });

  it.each(kinds)(
    'and that stands nowhere is unknown in the end, and sent again when somebody has looked: %s',
    async (kind) => {
      const { leadId, commentId } = await lead();
      await meta.fault({ on: callOf[kind], kind: 'internal' });
      await ask(leadId, kind, 'Perhaps');
      const row = await becomes(leadId, kind, isInDoubt);
      await hastenReply(service.database, row.id, '11 minutes');
      expect((await becomes(leadId, kind, isFailed)).error_code).toBe('outcome-unknown');
      expect(await meta.count(callOf[kind])).toBe(1);
      expect((await ask(leadId, kind, 'Perhaps')).body.code).toBe('reply-outcome-unknown');
      expect((await ask(leadId, kind, 'Now', { confirmNotSent: true })).status).toBe(202);
      await becomes(leadId, kind, isSent);
      expect(await standing(commentId, kind)).toEqual(['Now']);
    },
  );

  it('is looked for until Meta can be asked', async () => {
    const { leadId, commentId } = await lead();
    await meta.fault({ on: 'comment.reply', kind: 'cut-after' });
    await meta.fault({ on: 'comment.replies', kind: 'internal', times: 3 });
    await ask(leadId, 'public', 'Patience');
    await becomes(leadId, 'public', isSent);
    expect(await standing(commentId, 'public')).toEqual(['Patience']);
  });

  it("is not taken for somebody else's, for one of before, or for other words of the account", async () => {
    const { leadId, commentId } = await lead();
    const given = { instagramId: doctor.instagramId, text: 'Same words', parentId: commentId, deliver: false };
    await meta.comment({ ...given, from: 'Bob' });
    await meta.comment({ ...given, from: doctor.username, at: Date.now() - 3_600_000 });
    await meta.comment({ ...given, from: doctor.username, text: 'Other words' });
    const below = (await meta.control(`comments?instagramId=${doctor.instagramId}`)) as Standing[];
    const names = below.filter(({ parentId }) => parentId === commentId).map(({ from }) => from.username);
    expect(names).toEqual(['bob', doctor.username, doctor.username]);
    await meta.fault({ on: 'comment.reply', kind: 'internal' });
    await ask(leadId, 'public', 'Same words');
    const row = await becomes(leadId, 'public', isInDoubt);
    await hastenReply(service.database, row.id, '11 minutes');
    expect((await becomes(leadId, 'public', isFailed)).error_code).toBe('outcome-unknown');
  });
});

describe('A reply to an account whose consent has ended', () => {
  it('is not sent, and says that it has to be connected again', async () => {
    const other = await connectDoctor(service, meta, demoAddress('staff', 'northside'));
    const { commentId } = await comment(service, meta, other, { text: 'I want to book' });
    const [row] = await sql<{ id: string }>('SELECT id FROM comment_leads WHERE comment_id = $1', [commentId]);
    await meta.fault({ on: 'comment.reply', kind: 'token-revoked' });
    const body = { text: 'Hello' };
    const as = await service.tokenOf(other.email);
    await service.call('POST', `/messenger/leads/${row?.id}/public-reply`, { token: as, body });
    expect((await becomes(row?.id ?? '', 'public', isFailed)).error_code).toBe('not-connected');
    expect(await standing(commentId, 'public')).toEqual([]);
  });
});

describe('A reply whose worker is lost', () => {
  /** As a worker leaves it that is killed: pending, and no job for it. */
  async function abandoned(leadId: string, startedAt: Date | null): Promise<string> {
    const id = randomUUID();
    const sealed = service.application.get(LeadSeals, { strict: false }).sealReply(id, 'Left behind');
    await sql(
      `INSERT INTO comment_replies (id, owner_id, lead_id, kind, text_sealed, started_at, next_attempt_at)
       VALUES ($1, $2, $3, 'public', $4, $5, now() - interval '2 minutes')`,
      [id, doctor.doctorId, leadId, sealed, startedAt],
    );
    return id;
  }

  it('before it was sent is sent by another; after that it is looked for', async () => {
    const before = await lead();
    const after = await lead();
    await abandoned(before.leadId, null);
    await abandoned(after.leadId, new Date(Date.now() - 180_000));
    await sql(`SELECT graphile_worker.add_job('messenger.find-lost-replies', '{}')`);
    await becomes(before.leadId, 'public', isSent);
    await becomes(after.leadId, 'public', ({ next_attempt_at }) => next_attempt_at > new Date());
    await until(async () => (await meta.count('comment.replies')) === 1);
    expect([await standing(before.commentId, 'public'), await standing(after.commentId, 'public')]).toEqual([
      ['Left behind'],
      [],
    ]);
    expect([await meta.count('comment.reply'), await meta.count('comment.replies')]).toEqual([1, 1]);
  });

  it('is taken by one worker, however many come for it at once', async () => {
    const told = await Promise.all(Array.from({ length: 5 }, () => lead()));
    const ids = await Promise.all(told.map(({ leadId }) => abandoned(leadId, null)));
    await meta.fault({ on: 'comment.reply', kind: 'slow', delayMs: 500, times: 50 });
    await sql(
      `SELECT graphile_worker.add_job('messenger.reply-to-comment', json_build_object('replyId', id))
         FROM unnest($1::text[]) AS id, generate_series(1, 8)`,
      [ids],
    );
    for (const { leadId } of told) await becomes(leadId, 'public', isSent);
    await until(async () => (await sql('SELECT FROM graphile_worker.jobs WHERE locked_at IS NOT NULL')).length === 0);
    for (const { commentId } of told) expect(await standing(commentId, 'public')).toEqual(['Left behind']);
    expect(await meta.count('comment.reply')).toBe(5);
  });
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error('It does not become so.');
    await pause(25);
  }
}

async function commenterOf(leadId: string): Promise<string> {
  const [row] = await sql<{ commenter_id: string }>('SELECT commenter_id FROM comment_leads WHERE id = $1', [leadId]);
  return row?.commenter_id ?? '';
}
