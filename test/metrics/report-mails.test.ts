import { randomUUID } from 'node:crypto';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { ReportSchedule } from '../../src/modules/metrics/reports/report-schedule.jobs.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** Two workers on one database, and a mail server that can be told to misbehave. */

let database: TestDatabase;
let mailbox: Mailbox;
let service: Service;
let other: Service;
let clinicId: string;
let foreignClinicId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  mailbox = await openMailbox();
  const options = { withWorker: true, database, variables: { SMTP_URL: mailbox.smtpUrl } };
  service = await startService(options);
  other = await startService(options);
  clinicId = await firstClinicOf('northside');
  foreignClinicId = await firstClinicOf('southbank');
});
afterAll(async () => {
  await Promise.all([service.stop(), other.stop()]);
  await mailbox.stop();
  await database.drop();
});
beforeEach(async () => {
  mailbox.refusing = false;
  mailbox.mails.length = 0;
  await database.sql('DELETE FROM report_deliveries');
  await database.sql('DELETE FROM report_subscriptions');
  await database.sql('DELETE FROM graphile_worker._private_jobs');
});

const person = (role: string) => demoAddress(role, 'northside');
const outcome = ({ status, body }: Answer) => [status, body?.code];

async function firstClinicOf(slug: string): Promise<string> {
  const token = await service.tokenOf(demoAddress('viewer', slug));
  return (await service.call('GET', '/clinics', { token })).body.data[0].id;
}
async function call(email: string, method: string, path: string, body?: unknown, clinic = clinicId): Promise<Answer> {
  return service.call(method, `/clinics/${clinic}/reports/${path}`, { token: await service.tokenOf(email), body });
}
const subscribe = (role: string, wanted = { weekly: true, monthly: false }) =>
  call(person(role), 'PUT', 'subscriptions', wanted);

/** A moment after 06:00 in Berlin: Monday of next week, or the 1st of next month. */
async function morning(of: 'week' | 'month', offset = '6 hours 4 minutes'): Promise<Date> {
  const [row] = await database.sql<{ at: Date }>(
    `SELECT (date_trunc($1, now() AT TIME ZONE 'Europe/Berlin') + ('1 ' || $1)::interval + $2::interval) AT TIME ZONE 'Europe/Berlin' AS at`,
    [of, offset],
  );
  if (!row) throw new Error('The database knows no time.');
  return row.at;
}
const tick = (at: Date, on = service) => on.application.get(ReportSchedule, { strict: false }).enqueueDue(at);

async function statesOnceSettled(): Promise<string[]> {
  for (const started = Date.now(); Date.now() - started < 20_000; ) {
    const rows = await database.sql<{ state: string }>('SELECT state FROM report_deliveries ORDER BY state');
    if (rows.every(({ state }) => state === 'sent' || state === 'skipped')) return rows.map(({ state }) => state);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('The deliveries did not settle.');
}

describe('A subscription', () => {
  it('is of each member for themself, set and ended as a whole', async () => {
    expect((await call(person('viewer'), 'GET', 'subscriptions')).body).toEqual({ weekly: false, monthly: false });
    expect((await subscribe('viewer', { weekly: true, monthly: true })).body).toEqual({ weekly: true, monthly: true });
    expect((await subscribe('viewer', { weekly: false, monthly: true })).body).toEqual({
      weekly: false,
      monthly: true,
    });
    expect((await call(person('staff'), 'GET', 'subscriptions')).body).toEqual({ weekly: false, monthly: false });
    expect((await call(person('viewer'), 'DELETE', 'subscriptions')).status).toBe(204);
    expect((await call(person('viewer'), 'GET', 'subscriptions')).body).toEqual({ weekly: false, monthly: false });
  });

  it('is refused to who is no member, to a clinic that is inactive, and for other people', async () => {
    const theirs = await call(
      person('viewer'),
      'PUT',
      'subscriptions',
      { weekly: true, monthly: true },
      foreignClinicId,
    );
    expect(outcome(theirs)).toEqual([404, 'not-found']);
    const forOther = { weekly: true, monthly: true, userId: randomUUID() };
    expect(outcome(await call(person('viewer'), 'PUT', 'subscriptions', forOther))).toEqual([400, 'invalid-request']);
    await database.sql(`UPDATE clinics SET status = 'inactive' WHERE id = $1`, [clinicId]);
    const inactive = await subscribe('viewer');
    await database.sql(`UPDATE clinics SET status = 'active' WHERE id = $1`, [clinicId]);
    expect(outcome(inactive)).toEqual([409, 'clinic-inactive']);
  });
});

describe('The weekly mail', () => {
  it('comes on the clinic’s Monday after six, once, however many tick and work', async () => {
    await subscribe('viewer');
    await subscribe('owner');
    const at = await morning('week');
    await Promise.all(Array.from({ length: 6 }, (_, index) => tick(at, index % 2 ? service : other)));
    expect(await statesOnceSettled()).toEqual(['sent', 'sent']);
    await tick(new Date(at.getTime() + 3_600_000));
    expect(await statesOnceSettled()).toEqual(['sent', 'sent']);
    expect(mailbox.mails.map(({ to }) => to).sort()).toEqual([person('owner'), person('viewer')]);
  });

  it('holds the report as text and as HTML, and the PDF', async () => {
    await subscribe('viewer');
    await tick(await morning('week'));
    const mail = await mailbox.next(person('viewer'));
    expect(mail.subject).toMatch(/^Northside Dental: Weekly report \d{4}-W\d\d$/);
    expect(mail.text).toContain('The whole report, with its charts, is attached.');
    expect(mail.html).toContain('<h1');
    expect(mail.html).not.toMatch(/<script|<svg|https?:/);
    expect(mail.attachments).toMatchObject([{ contentType: 'application/pdf' }]);
    expect(mail.attachments[0]?.fileName).toMatch(/^Northside Dental \d{4}-W\d\d\.pdf$/);
    expect(mail.attachments[0]?.content.subarray(0, 5).toString()).toBe('%PDF-');
    const [delivery] = await database.sql<{ id: string }>('SELECT id FROM report_deliveries');
    expect(mail.messageId).toContain(delivery?.id);
  });

  it.each([
    ['before six', '5 hours 59 minutes', 0],
    ['from six on', '6 hours', 1],
    ['two days later, after an outage', '2 days 10 hours', 1],
    ['not any more on Friday', '4 days 10 hours', 0],
  ])('is due %s: %s into the week', async (_when, offset, count) => {
    await subscribe('viewer');
    await tick(await morning('week', offset));
    expect(await statesOnceSettled()).toHaveLength(count);
  });

  it('is due by the clinic’s own clock', async () => {
    await subscribe('viewer');
    await database.sql(`UPDATE clinics SET time_zone = 'America/Los_Angeles' WHERE id = $1`, [clinicId]);
    const inBerlin = await morning('week');
    await tick(inBerlin);
    expect(await statesOnceSettled()).toEqual([]);
    await tick(new Date(inBerlin.getTime() + 9 * 3_600_000));
    expect(await statesOnceSettled()).toEqual(['sent']);
    await database.sql(`UPDATE clinics SET time_zone = 'Europe/Berlin' WHERE id = $1`, [clinicId]);
  });

  it('is due on the clinic’s own Monday, which begins in Auckland while it is Sunday in Berlin', async () => {
    await subscribe('viewer');
    await database.sql(`UPDATE clinics SET time_zone = 'Pacific/Auckland' WHERE id = $1`, [clinicId]);
    await tick(await morning('week', '-3 hours'));
    expect(await statesOnceSettled()).toEqual(['sent']);
    await database.sql(`UPDATE clinics SET time_zone = 'Europe/Berlin' WHERE id = $1`, [clinicId]);
  });

  it('waits for the next Monday of who subscribed after this one', async () => {
    const at = await morning('week');
    await subscribe('viewer');
    await database.sql(`UPDATE report_subscriptions SET created_at = $1`, [at]);
    await tick(new Date(at.getTime() + 3_600_000));
    expect(await statesOnceSettled()).toEqual([]);
  });

  it('waits for a mail server that is down, and is then sent once', async () => {
    mailbox.refusing = true;
    await subscribe('viewer');
    await tick(await morning('week'));
    await until(async () => {
      const [job] = await database.sql<{ last_error: string | null }>('SELECT last_error FROM graphile_worker.jobs');
      return (job?.last_error ?? null) !== null;
    });
    expect(await stateOfOne()).toBe('pending');
    mailbox.refusing = false;
    await database.sql('UPDATE graphile_worker._private_jobs SET run_at = now()');
    expect(await statesOnceSettled()).toEqual(['sent']);
    expect(mailbox.mails).toHaveLength(1);
  });

  it('is left to the worker that has claimed it, and taken over from one that was killed', async () => {
    await subscribe('viewer');
    const [sub] = await database.sql<{ user_id: string }>('SELECT user_id FROM report_subscriptions');
    const [delivery] = await database.sql<{ id: string }>(
      `INSERT INTO report_deliveries (clinic_id, user_id, kind, period, state, claimed_at)
       VALUES ($1, $2, 'weekly', '2026-W10', 'sending', now()) RETURNING id`,
      [clinicId, sub?.user_id],
    );
    await enqueue(delivery?.id);
    await until(async () => {
      const [job] = await database.sql<{ last_error: string }>('SELECT last_error FROM graphile_worker.jobs');
      return job?.last_error === 'delivery-busy';
    });
    expect(mailbox.mails).toEqual([]);
    await database.sql(`UPDATE report_deliveries SET claimed_at = now() - interval '3 minutes'`);
    await database.sql('UPDATE graphile_worker._private_jobs SET run_at = now()');
    expect(await statesOnceSettled()).toEqual(['sent']);
    expect(mailbox.mails).toHaveLength(1);
  });
});

describe('The monthly mail', () => {
  it('comes on the 1st, of the month before', async () => {
    await subscribe('viewer', { weekly: false, monthly: true });
    await tick(await morning('month'));
    expect((await mailbox.next(person('viewer'))).subject).toMatch(
      /^Northside Dental: Monthly report [A-Z][a-z]+ \d{4}$/,
    );
    expect(await statesOnceSettled()).toEqual(['sent']);
  });
});

describe('No mail is sent', () => {
  const due = async (): Promise<string[]> => {
    await tick(await morning('week'));
    const states = await statesOnceSettled();
    expect(mailbox.mails).toEqual([]);
    return states;
  };

  it('to who has no role in the clinic any more', async () => {
    await subscribe('viewer');
    await database.sql(`UPDATE user_clinic_roles SET is_active = false WHERE clinic_id = $1 AND role = 'viewer'`, [
      clinicId,
    ]);
    const states = await due();
    await database.sql(`UPDATE user_clinic_roles SET is_active = true WHERE clinic_id = $1 AND role = 'viewer'`, [
      clinicId,
    ]);
    expect(states).toEqual(['skipped']);
  });

  it('to who is disabled', async () => {
    await subscribe('staff');
    const set = 'UPDATE auth.users SET disabled_at = $1 WHERE email = $2';
    await database.sql(set, [new Date(), person('staff')]);
    const states = await due();
    await database.sql(set, [null, person('staff')]);
    expect(states).toEqual(['skipped']);
  });

  it('of a clinic that is inactive, whether before it was due or after', async () => {
    await subscribe('provider');
    const set = 'UPDATE clinics SET status = $2 WHERE id = $1';
    await database.sql(set, [clinicId, 'inactive']);
    expect(await due()).toEqual([]);
    const [sub] = await database.sql<{ user_id: string }>('SELECT user_id FROM report_subscriptions');
    const [delivery] = await database.sql<{ id: string }>(
      `INSERT INTO report_deliveries (clinic_id, user_id, kind, period) VALUES ($1, $2, 'weekly', '2026-W10') RETURNING id`,
      [clinicId, sub?.user_id],
    );
    await enqueue(delivery?.id);
    expect(await statesOnceSettled()).toEqual(['skipped']);
    await database.sql(set, [clinicId, 'active']);
    expect(mailbox.mails).toEqual([]);
  });

  it('to who has ended the subscription', async () => {
    await subscribe('viewer');
    await call(person('viewer'), 'DELETE', 'subscriptions');
    expect(await due()).toEqual([]);
  });
});

describe('The record of deliveries', () => {
  it('shows each member their own, and a clinic_admin all of the clinic’s', async () => {
    await subscribe('viewer');
    await subscribe('owner');
    await tick(await morning('week'));
    await statesOnceSettled();
    const listed = async (email: string) => (await call(email, 'GET', 'deliveries')).body.data;
    expect(await listed(person('viewer'))).toMatchObject([{ kind: 'weekly', state: 'sent' }]);
    expect(await listed(person('provider'))).toEqual([]);
    expect(await listed(person('clinic_admin'))).toHaveLength(2);
    expect(await listed(demoAdmin)).toHaveLength(2);
    expect(outcome(await call(demoAddress('owner', 'southbank'), 'GET', 'deliveries'))).toEqual([404, 'not-found']);
  });
});

describe('The monthly clean-up', () => {
  it('forgets deliveries after 90 days, and no younger ones', async () => {
    await subscribe('viewer');
    await subscribe('owner');
    await tick(await morning('week'));
    await statesOnceSettled();
    await database.sql(
      `UPDATE report_deliveries SET created_at = now() - interval '91 days'
        WHERE user_id = (SELECT id FROM auth.users WHERE email = $1)`,
      [person('viewer')],
    );
    await service.application.get(ReportSchedule, { strict: false }).clean();
    const listed = (await call(person('clinic_admin'), 'GET', 'deliveries')).body.data;
    expect(listed).toHaveLength(1);
  });
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const started = Date.now(); Date.now() - started < 15_000; ) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('It did not come to be.');
}

async function stateOfOne(): Promise<string | undefined> {
  const [row] = await database.sql<{ state: string }>('SELECT state FROM report_deliveries');
  return row?.state;
}

function enqueue(deliveryId: string | undefined): Promise<unknown> {
  return database.sql(
    `SELECT graphile_worker.add_job('reports.mail', json_build_object('deliveryId', $1::text), max_attempts => 12)`,
    [deliveryId],
  );
}
