import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import {
  leadStates,
  leadTransitions,
  replyStates,
  replyTransitions,
} from '../../src/modules/messenger/leads/lead-states.js';
import { type ConnectedDoctor, comment, connectDoctor, setLeads, tell } from '../support/leads.js';
import { insertLead, metaId, userOf } from '../support/messenger.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** Comments that become leads, and who sees them. No worker runs: nothing is sent. */

let meta: Meta;
let service: Service;
let doctor: ConnectedDoctor;
let colleague: ConnectedDoctor;
let token: string;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  doctor = await connectDoctor(service, meta, demoAddress('provider', 'northside'));
  colleague = await connectDoctor(service, meta, demoAddress('staff', 'northside'));
  token = await service.tokenOf(doctor.email);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
beforeEach(async () => {
  await service.database.sql('DELETE FROM comment_leads');
  await setLeads(service.database, doctor.doctorId);
});

const call = (method: string, path: string, body?: object, as = token): Promise<Answer> =>
  service.call(method, `/messenger/leads${path}`, { token: as, body });
const leads = async (query = '') => (await call('GET', query)).body.data;
const outcome = ({ status, body }: Answer) => [status, body?.code];
const sql = <Row extends Record<string, unknown>>(text: string, values: unknown[] = []) =>
  service.database.sql<Row>(text, values);
const change = (value: object) => ({
  field: 'comments',
  value: { id: metaId(), from: { id: metaId(), username: 'ada' }, media: { id: metaId() }, text: 'book', ...value },
});

describe('A comment', () => {
  it('that asks for an appointment becomes a lead of the account it is under', async () => {
    const told = await comment(service, meta, doctor, { text: 'I would like an appointment 🦷', from: 'Ada Lovelace' });
    const [lead, ...others] = await leads();
    expect(others).toEqual([]);
    expect(lead).toMatchObject({
      ...{ commentId: told.commentId, state: 'new', text: 'I would like an appointment 🦷', deletedAt: null },
      ...{ publicReply: null, privateReply: null, username: expect.any(String) },
    });
    expect(Date.parse(lead.privateReplyUntil) - Date.parse(lead.commentedAt)).toBe(7 * 86_400_000);
    expect(await leads()).toEqual([(await call('GET', `/${lead.id}`)).body]);
    expect((await call('GET', '', undefined, await service.tokenOf(colleague.email))).body.data).toEqual([]);
  });

  it('that asks for nothing becomes none', async () => {
    await comment(service, meta, doctor, { text: 'What a lovely smile!' });
    expect(await leads()).toEqual([]);
  });

  it("is measured by the doctor's own words, where there are any", async () => {
    await setLeads(service.database, doctor.doctorId, { keywords: ['zahnspange*', 'cuánto cuesta'] });
    for (const text of ['I want an appointment', 'Zahnspangen?', 'CUANTO CUESTA?', 'Termin bitte'])
      await comment(service, meta, doctor, { text });
    expect((await leads()).map(({ text }: { text: string }) => text)).toEqual(['CUANTO CUESTA?', 'Zahnspangen?']);
  });

  it('that is told twice, in one batch or in several at once, is one lead', async () => {
    const { change: told } = await comment(service, meta, doctor, { text: 'Book me in' });
    await tell(service, doctor.instagramId, [told, told, told]);
    await Promise.all(Array.from({ length: 8 }, () => tell(service, doctor.instagramId, [told])));
    expect(await leads()).toHaveLength(1);
    const fresh = change({});
    await Promise.all(Array.from({ length: 8 }, () => tell(service, doctor.instagramId, [fresh, fresh])));
    expect(await leads()).toHaveLength(2);
  });

  it('of the account itself is none, whatever it says and however it is signed', async () => {
    await tell(service, doctor.instagramId, [
      change({ from: { id: doctor.instagramId, username: doctor.username } }),
      change({ from: { id: doctor.pageId, username: 'page' } }),
      change({ from: { id: metaId(), username: doctor.username.toUpperCase() } }),
    ]);
    expect(await leads()).toEqual([]);
  });

  it.each([
    ['of another field', { field: 'live_comments', value: change({}).value }],
    ['without a text', change({ text: undefined })],
    ['without a writer', change({ from: undefined })],
    ['without an id', change({ id: undefined })],
    ['whose id is none', change({ id: '../me' })],
    ['of no object', 'comments'],
    ['of nothing', null],
    ['of an endless text', change({ text: 'book '.repeat(10_000) })],
  ])('that cannot be one does not spoil those beside it: %s', async (_, odd) => {
    await tell(service, doctor.instagramId, [
      change({ text: 'Booking before' }),
      odd,
      change({ text: 'Booking after' }),
    ]);
    expect(await leads()).toHaveLength(2);
  });

  it('may have a writer without a name', async () => {
    await tell(service, doctor.instagramId, [
      change({ from: { id: metaId() } }),
      change({ from: { id: metaId(), username: 'a\0b' } }),
    ]);
    expect((await leads()).map(({ username }: { username: unknown }) => username).sort()).toEqual(['ab', null]);
  });

  it('may hold what no text of the database can', async () => {
    await tell(service, doctor.instagramId, [change({ text: 'book \0 me \ud800' })]);
    expect((await leads())[0].text).toMatch(/^book \0 me /);
  });

  it('rests sealed: its text stands nowhere in the database, the log of changes included', async () => {
    await comment(service, meta, doctor, { text: 'an unmistakable appointment' });
    const tables = await sql<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    for (const { name } of tables)
      expect(await sql(`SELECT FROM ${name} AS t WHERE t::text LIKE '%unmistakable%'`)).toEqual([]);
    const [lead] = await leads();
    await call('PATCH', `/${lead.id}`, { state: 'dismissed' });
    const audit = JSON.stringify(await sql(`SELECT * FROM audit.events WHERE table_name = 'public.comment_leads'`));
    expect(audit).toContain('dismissed');
    expect(audit).not.toContain(lead.username);
  });
});

describe('Leads', () => {
  it('are listed by state, page by page, the newest first', async () => {
    for (let count = 0; count < 5; count += 1) await comment(service, meta, doctor, { text: `Booking ${count}` });
    const all = await leads();
    expect(all.map(({ text }: { text: string }) => text)).toEqual([4, 3, 2, 1, 0].map((count) => `Booking ${count}`));
    await call('PATCH', `/${all[1].id}`, { state: 'contacted' });
    expect(await leads('?state=contacted')).toMatchObject([{ id: all[1].id }]);
    const first = (await call('GET', '?state=new&limit=2')).body;
    const second = (await call('GET', `?state=new&limit=2&cursor=${first.nextCursor}`)).body;
    expect([...first.data, ...second.data].map(({ text }: { text: string }) => text)).toEqual(
      [4, 2, 1, 0].map((count) => `Booking ${count}`),
    );
    expect(second.nextCursor).toBeNull();
    expect(outcome(await call('GET', `?cursor=${first.nextCursor}x`))).toEqual([400, 'invalid-cursor']);
    expect((await call('GET', '?state=lost')).status).toBe(400);
  });

  it("are nobody else's: those of others look as if they were not there", async () => {
    const leadId = await insertLead(service.database, doctor.doctorId);
    const others = [
      colleague.email,
      ...['owner', 'manager', 'clinic_admin', 'viewer', 'patient'].map((role) => demoAddress(role, 'northside')),
      demoAddress('provider', 'southbank'),
      demoAdmin,
    ];
    for (const email of others) {
      const as = await service.tokenOf(email);
      const asked: [string, string, object?][] = [
        ['GET', ''],
        ['PATCH', '', { state: 'dismissed' }],
        ['POST', '/public-reply', { text: 'Hello' }],
        ['POST', '/private-reply', { text: 'Hello' }],
      ];
      for (const [method, path, body] of asked) {
        const foreign = await call(method, `/${leadId}${path}`, body, as);
        const absent = await call(method, `/00000000-0000-7000-8000-000000000000${path}`, body, as);
        expect([email, method, ...outcome(foreign)]).toEqual([email, method, 404, 'not-found']);
        expect(foreign.body.detail).toEqual(absent.body.detail);
      }
    }
    expect((await call('GET', `/${leadId}`)).body.state).toBe('new');
    expect(await sql('SELECT FROM comment_replies')).toEqual([]);
    expect((await service.call('GET', '/messenger/leads')).status).toBe(401);
  });

  it('go from state to state as the table says, and no other way', async () => {
    for (const from of leadStates)
      for (const to of leadStates) {
        const leadId = await insertLead(service.database, doctor.doctorId, { state: from });
        const isAllowed = from === to || leadTransitions[from].includes(to);
        const answer = await call('PATCH', `/${leadId}`, { state: to });
        expect([from, to, ...outcome(answer)]).toEqual(
          isAllowed ? [from, to, 200, undefined] : [from, to, 409, 'lead-state-invalid'],
        );
        expect((await call('GET', `/${leadId}`)).body.state).toBe(isAllowed ? to : from);
        const behind = sql('UPDATE comment_leads SET state = $2 WHERE id = $1', [
          await insertLead(service.database, doctor.doctorId, { state: from }),
          to,
        ]);
        if (isAllowed) await behind;
        else await expect(behind).rejects.toThrow('lead-state-invalid');
      }
    const leadId = await insertLead(service.database, doctor.doctorId);
    for (const body of [{}, { state: 'lost' }, { state: 'new', username: 'x' }])
      expect((await call('PATCH', `/${leadId}`, body)).status).toBe(400);
  });

  it('do not tell their text or tokens to the roles of people', async () => {
    for (const [table, column] of [
      ['comment_leads', 'comment_sealed'],
      ['comment_leads', 'commenter_id'],
      ['comment_replies', 'text_sealed'],
    ])
      for (const role of ['anon', 'authenticated', 'super_admin'])
        expect(
          await sql('SELECT has_column_privilege($1, $2, $3, $4) AS may', [role, table, column, 'SELECT']),
        ).toEqual([{ may: false }]);
  });
});

describe('A reply', () => {
  const ask = (leadId: string, kind = 'public', body: object = { text: 'Please write to us' }) =>
    call('POST', `/${leadId}/${kind}-reply`, body);
  const own = (columns: object = {}) =>
    insertLead(service.database, doctor.doctorId, { page_id: doctor.instagramId, ...columns });

  it('is on its way once it is asked for, and asked for once', async () => {
    const leadId = await own();
    const asked = await ask(leadId);
    expect(asked).toMatchObject({
      status: 202,
      body: { kind: 'public', status: 'pending', sentBy: 'user', errorCode: null, sentAt: null },
    });
    expect(asked.body).not.toHaveProperty('text');
    expect((await call('GET', `/${leadId}`)).body).toMatchObject({ publicReply: asked.body, privateReply: null });
    expect(outcome(await ask(leadId))).toEqual([409, 'already-replied']);
    expect((await ask(leadId, 'private')).status).toBe(202);
    expect(outcome(await ask(leadId, 'private'))).toEqual([409, 'already-replied']);
  });

  it('is one when ten ask at once', async () => {
    const leadId = await own();
    const all = await Promise.all(Array.from({ length: 10 }, () => ask(leadId, 'private')));
    expect(all.map(({ status }) => status).sort()).toEqual([202, ...Array(9).fill(409)]);
    expect(await sql('SELECT FROM comment_replies')).toHaveLength(1);
    expect(
      await sql(`SELECT FROM graphile_worker.jobs WHERE task_identifier = 'messenger.reply-to-comment'
      AND key LIKE '%' || (SELECT id FROM comment_replies)`),
    ).toHaveLength(1);
  });

  it('is answered again under the same Idempotency-Key', async () => {
    const leadId = await own();
    const send = (text: string) =>
      service.call('POST', `/messenger/leads/${leadId}/public-reply`, {
        ...{ token, body: { text }, headers: { 'idempotency-key': 'k1' } },
      });
    const first = await send('Hello');
    const again = await send('Hello');
    expect([again.status, again.body, again.headers.get('idempotent-replayed')]).toEqual([202, first.body, 'true']);
    expect((await send('Other')).status).toBe(422);
  });

  it('is not taken to a comment that is gone or dismissed, too old, or under an account that is let go', async () => {
    const week = new Date(Date.now() - 7 * 86_400_000 - 60_000);
    const gone = await own({ deleted_at: new Date() });
    const dismissed = await own({ state: 'dismissed' });
    const old = await own({ commented_at: week });
    const elsewhere = await own({ page_id: metaId() });
    for (const kind of ['public', 'private']) {
      expect(outcome(await ask(gone, kind))).toEqual([409, 'comment-gone']);
      expect(outcome(await ask(dismissed, kind))).toEqual([409, 'lead-state-invalid']);
      expect(outcome(await ask(elsewhere, kind))).toEqual([409, 'not-connected']);
    }
    expect(outcome(await ask(old, 'private'))).toEqual([422, 'private-reply-too-late']);
    expect((await ask(old)).status).toBe(202);
    expect(await sql('SELECT FROM comment_replies')).toHaveLength(1);
  });

  it.each([
    ['public', {}],
    ['public', { text: '' }],
    ['public', { text: ' \n ' }],
    ['public', { text: 'a\u0000b' }],
    ['public', { text: 'a'.repeat(2_201) }],
    ['public', { text: 'Hello', leadId: 'x' }],
    ['private', { text: '🦷'.repeat(251) }],
    ['private', { text: 'a'.repeat(1_001) }],
    ['private', { text: 12 }],
  ])('that cannot be sent is refused at once: %s %j', async (kind, body) => {
    expect((await ask(await own(), kind, body)).status).toBe(400);
    expect(await sql('SELECT FROM comment_replies')).toEqual([]);
  });

  it('may be as long as Instagram takes it', async () => {
    expect((await ask(await own(), 'private', { text: '🦷'.repeat(250) })).status).toBe(202);
    expect((await ask(await own(), 'public', { text: `${'a'.repeat(1_000)}\n${'b'.repeat(1_199)}` })).status).toBe(202);
  });

  it('goes from state to state as the table says, and no other way', async () => {
    for (const from of replyStates)
      for (const to of replyStates.filter((state) => state !== from)) {
        const id = await insertReply(from);
        const moved = sql(
          `UPDATE comment_replies SET status = $2::text, text_sealed = CASE $2::text WHEN 'pending' THEN 'x' END,
                  error_code = CASE $2::text WHEN 'failed' THEN 'meta-refused' END,
                  sent_at = CASE $2::text WHEN 'sent' THEN now() END
            WHERE id = $1`,
          [id, to],
        );
        if (replyTransitions[from].includes(to)) await moved;
        else await expect(moved).rejects.toThrow('already-replied');
      }
  });

  it('can be asked for by people, and nothing else be done to it', async () => {
    const failed = await insertReply('failed');
    const pending = await insertReply('pending');
    const as = (statement: string, id: string) =>
      sql(`
        DO $$ BEGIN
          PERFORM set_config('app.user_id', '${doctor.doctorId}', true);
          SET LOCAL ROLE authenticated;
          ${statement.replaceAll('$id', `'${id}'`)};
        END $$`);
    for (const forged of [
      `UPDATE comment_replies SET status = 'sent' WHERE id = $id`,
      `UPDATE comment_replies SET text_sealed = 'y' WHERE id = $id`,
      `UPDATE comment_replies SET sent_at = now() WHERE id = $id`,
      `UPDATE comment_replies SET started_at = NULL WHERE id = $id`,
      'DELETE FROM comment_replies WHERE id = $id',
    ])
      for (const id of [failed, pending])
        await expect(as(forged, id)).rejects.toThrow(/already-replied|permission denied/);
    await as(`UPDATE comment_replies SET status = 'pending', text_sealed = 'y' WHERE id = $id`, failed);
    expect(await sql('SELECT status, error_code, started_at FROM comment_replies WHERE id = $1', [failed])).toEqual([
      { status: 'pending', error_code: null, started_at: null },
    ]);
  });

  it('belongs to a lead of its owner', async () => {
    const foreign = await insertLead(service.database, colleague.doctorId);
    await expect(
      sql(`INSERT INTO comment_replies (owner_id, lead_id, kind, text_sealed) VALUES ($1, $2, 'public', 'x')`, [
        await userOf(service.database, doctor.email),
        foreign,
      ]),
    ).rejects.toThrow('comment_replies_lead_id_fkey');
  });

  async function insertReply(status: string): Promise<string> {
    const [row] = await sql<{ id: string }>(
      `INSERT INTO comment_replies (owner_id, lead_id, kind, text_sealed, status, error_code, sent_at, started_at)
       VALUES ($1, $2, 'public', CASE $3::text WHEN 'pending' THEN 'x' END, $3,
               CASE $3::text WHEN 'failed' THEN 'meta-refused' END, CASE $3::text WHEN 'sent' THEN now() END, now())
       RETURNING id`,
      [doctor.doctorId, await own(), status],
    );
    return row?.id ?? '';
  }
});
