import { randomUUID } from 'node:crypto';
import { demoAddress } from '../../src/demo/demo.js';
import { FactPartitions } from '../../src/modules/metrics/facts/fact-partitions.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let path: string;
let providerId: string;
let foreignProviderId: string;

beforeAll(async () => {
  service = await startService();
  clinicId = await clinicOf('northside');
  path = `/clinics/${clinicId}/metrics`;
  providerId = await providerOf(clinicId);
  foreignProviderId = await providerOf(await clinicOf('southbank'));
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
async function call(role: string, method: string, rest: string, body?: unknown, headers?: Record<string, string>) {
  return service.call(method, `${path}/${rest}`, {
    token: await as(role),
    ...(body !== undefined && { body }),
    ...(headers && { headers }),
  });
}
async function clinicOf(slug: string): Promise<string> {
  return (await service.call('GET', '/clinics', { token: await as('viewer', slug) })).body.data[0].id;
}
async function providerOf(clinic: string): Promise<string> {
  const [row] = await service.database.sql<{ id: string }>('SELECT id FROM providers WHERE clinic_id = $1 LIMIT 1', [
    clinic,
  ]);
  return row?.id ?? '';
}
const outcome = ({ status, body }: Answer) => [
  status,
  body?.code,
  body?.errors?.map((error: { path: string }) => error.path),
];
const countOf = async (table: string) =>
  (await service.database.sql<{ count: string }>(`SELECT count(*) FROM ${table}`))[0]?.count;

/** A day of its own for each test, so that days' totals do not meet. */
let day = 0;
function anotherDay(year = 2024): string {
  day += 1;
  return new Date(Date.UTC(year, 0, day)).toISOString().slice(0, 10);
}

const kinds = {
  financial: {
    table: 'financial_metrics',
    body: { metricType: 'expense', amount: '12.5' },
    change: { amount: '-3.25' },
  },
  appointments: {
    table: 'appointment_metrics',
    body: { scheduledCount: 5, completedCount: 3, utilizationRate: '80' },
    change: { noShowCount: 2 },
  },
  calls: {
    table: 'call_metrics',
    body: { totalCalls: 10, connectedCalls: 8, appointmentsScheduled: 2 },
    change: { voicemails: 2 },
  },
  patients: {
    table: 'patient_metrics',
    body: { activePatients: 900, patientRetentionRate: '91.5' },
    change: { newPatients: 4 },
  },
} as const;
const each = Object.entries(kinds).map(([noun, kind]) => ({ noun, ...kind }));

describe.each(each)('A fact of $noun', ({ noun, table, body, change }) => {
  it('is entered, read, listed, changed against the version that was seen, and deleted', async () => {
    const date = anotherDay();
    const created = await call('staff', 'POST', noun, { date, ...body });
    expect([created.status, created.body.warnings]).toEqual([201, []]);
    const { id } = created.body;
    expect(created.headers.get('location')).toBe(`/api/v1${path}/${noun}/${id}`);
    const read = await call('viewer', 'GET', `${noun}/${id}`);
    const { warnings: _, ...fact } = created.body;
    expect(read.body).toEqual(fact);
    expect(fact).toMatchObject({ id, clinicId, date, importId: null, sourceReference: null });
    const list = await call('viewer', 'GET', `${noun}?from=${date}&to=${date}`);
    expect(list.body).toEqual({ data: [fact], nextCursor: null });

    const seen = { 'if-match': read.headers.get('etag') ?? '' };
    const changed = await call('staff', 'PATCH', `${noun}/${id}`, change, seen);
    expect([changed.status, changed.body.updatedBy]).toEqual([200, fact.createdBy]);
    expect(outcome(await call('staff', 'PATCH', `${noun}/${id}`, change, seen)).slice(0, 2)).toEqual([
      412,
      'precondition-failed',
    ]);
    expect((await call('clinic_admin', 'DELETE', `${noun}/${id}`)).status).toBe(204);
    expect((await call('viewer', 'GET', `${noun}/${id}`)).status).toBe(404);
    expect((await call('clinic_admin', 'DELETE', `${noun}/${id}`)).status).toBe(404);
  });

  it('notes its days for the roll-ups, and leaves a trace when it is changed by hand', async () => {
    const [from, to] = [anotherDay(2018), anotherDay(2023)];
    const { id } = (await call('staff', 'POST', noun, { date: from, ...body })).body;
    await service.database.sql('DELETE FROM metric_dirty_days');
    expect((await call('staff', 'PATCH', `${noun}/${id}`, { date: to })).body.date).toBe(to);
    const days = await service.database.sql<{ date: string }>('SELECT date::text FROM metric_dirty_days ORDER BY date');
    expect(days.map(({ date }) => date)).toEqual([from, to]);
    const audited = await service.database.sql(
      `SELECT action FROM audit.events WHERE table_name = 'public.${table}' AND clinic_id = $1 AND changes ->> 'date' LIKE '%' || $2 || '%'`,
      [clinicId, to],
    );
    expect(audited).toHaveLength(1);
  });

  it('may be entered, changed and deleted by the roles that the table of rights names', async () => {
    const isCalls = noun === 'calls';
    const date = anotherDay();
    const { id } = (await call('staff', 'POST', noun, { date, ...body })).body;
    const statuses: Record<string, number[]> = {};
    for (const role of ['viewer', 'staff', 'provider', 'clinic_admin', 'manager', 'owner']) {
      const created = await call(role, 'POST', noun, { date, ...body });
      const own = created.status === 201 ? await call(role, 'PATCH', `${noun}/${created.body.id}`, change) : created;
      const others = await call(role, 'PATCH', `${noun}/${id}`, change);
      const removed = await call(role, 'DELETE', `${noun}/${created.body.id ?? id}`);
      statuses[role] = [created.status, own.status, others.status, removed.status];
    }
    const all = [201, 200, 200, 204];
    expect(statuses).toEqual({
      viewer: [403, 403, 403, 403],
      staff: [201, 200, 200, 403],
      provider: isCalls ? [403, 403, 403, 403] : [201, 200, 403, 403],
      clinic_admin: all,
      manager: all,
      owner: all,
    });
    expect((await call('viewer', 'GET', `${noun}/${id}`)).status).toBe(200);
    expect((await call('member', 'GET', `${noun}/${id}`)).status).toBe(404);
    expect((await call('patient', 'GET', `${noun}/${id}`)).status).toBe(404);
  });

  it('of another clinic looks like one that is not there', async () => {
    const { id } = (await call('staff', 'POST', noun, { date: anotherDay(), ...body })).body;
    const theirs = `/clinics/${await clinicOf('southbank')}/metrics/${noun}/${id}`;
    const token = await as('owner', 'southbank');
    for (const [method, sent] of [['GET'], ['PATCH', change], ['DELETE']] as const) {
      expect((await service.call(method, theirs, { token, ...(sent && { body: sent }) })).status).toBe(404);
    }
  });

  it('has its source reference alone in the clinic, over all years', async () => {
    const sourceReference = `ref-${randomUUID()}`;
    const one = await call('staff', 'POST', noun, { date: '2019-05-01', sourceReference, ...body });
    const taken = [409, 'already-exists', ['sourceReference']];
    expect(outcome(await call('staff', 'POST', noun, { date: '2024-05-01', sourceReference, ...body }))).toEqual(taken);
    const other = await call('staff', 'POST', noun, {
      date: '2024-05-01',
      sourceReference: `${sourceReference}b`,
      ...body,
    });
    expect(outcome(await call('staff', 'PATCH', `${noun}/${other.body.id}`, { sourceReference }))).toEqual(taken);
    await call('staff', 'PATCH', `${noun}/${one.body.id}`, { date: '2022-05-01' });
    expect(outcome(await call('staff', 'PATCH', `${noun}/${other.body.id}`, { sourceReference }))).toEqual(taken);
    await call('clinic_admin', 'DELETE', `${noun}/${one.body.id}`);
    expect((await call('staff', 'PATCH', `${noun}/${other.body.id}`, { sourceReference })).status).toBe(200);
  });

  it('is of a day from 1990 to tomorrow, where the clinic is', async () => {
    const refused = [422, 'date-out-of-range', ['date']];
    for (const date of ['1989-12-31', '9999-12-31']) {
      expect(outcome(await call('staff', 'POST', noun, { date, ...body }))).toEqual(refused);
    }
    const { id } = (await call('staff', 'POST', noun, { date: '1990-01-01', ...body })).body;
    for (const date of ['1989-12-31', '2100-01-01']) {
      expect(outcome(await call('staff', 'PATCH', `${noun}/${id}`, { date }))).toEqual(refused);
    }
    for (const date of ['2023-02-29', '01.02.2024', '2024-1-1', '', 'infinity', 20240101]) {
      expect(outcome(await call('staff', 'POST', noun, { date, ...body }))).toEqual([400, 'invalid-request', ['date']]);
    }
  });

  it('takes no field that is not its own, and none that says whose it is', async () => {
    for (const field of ['clinicId', 'id', 'createdBy', 'importId', 'conversionRate']) {
      const sent = { date: anotherDay(), ...body, [field]: randomUUID() };
      expect(outcome(await call('staff', 'POST', noun, sent))).toEqual([400, 'invalid-request', [field]]);
      expect(outcome(await call('staff', 'PATCH', `${noun}/${randomUUID()}`, { [field]: randomUUID() }))[0]).toBe(400);
    }
  });
});

describe('Tomorrow', () => {
  it.each(['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Berlin'])('is what it is in %s', async (timeZone) => {
    const token = await as('owner');
    const { organisationId } = (await service.call('GET', `/clinics/${clinicId}`, { token })).body;
    const clinic = { name: `In ${timeZone}`, timeZone, currency: 'EUR' };
    const { id } = (await service.call('POST', `/organisations/${organisationId}/clinics`, { token, body: clinic }))
      .body;
    const [row] = await service.database.sql<{ tomorrow: string; after: string }>(
      `SELECT ((now() AT TIME ZONE $1)::date + 1)::text AS tomorrow, ((now() AT TIME ZONE $1)::date + 2)::text AS after`,
      [timeZone],
    );
    const enter = (date?: string) =>
      service.call('POST', `/clinics/${id}/metrics/financial`, { token, body: { date, ...kinds.financial.body } });
    expect((await enter(row?.tomorrow)).status).toBe(201);
    expect(outcome(await enter(row?.after))).toEqual([422, 'date-out-of-range', ['date']]);
  });
});

describe('Values of facts', () => {
  const financial = (amount: unknown) =>
    call('staff', 'POST', 'financial', { date: anotherDay(), metricType: 'refund', amount });

  it('that are money are decimals as text, with two places on their way out', async () => {
    for (const [sent, kept] of [
      ['12', '12.00'],
      ['-0.5', '-0.50'],
      ['9999999999.99', '9999999999.99'],
    ]) {
      expect((await financial(sent)).body.amount).toBe(kept);
    }
    for (const amount of [12, '12.345', '1,5', '1e3', 'NaN', '', ' 1', '10000000000', '$1', null]) {
      expect(outcome(await financial(amount))).toEqual([400, 'invalid-request', ['amount']]);
    }
  });

  it('that do not add up are refused by the name of their field, in whichever year', async () => {
    for (const date of ['2005-03-01', '2024-03-01']) {
      const appointments = { date, scheduledCount: 5, completedCount: 3, noShowCount: 3 };
      expect(outcome(await call('staff', 'POST', 'appointments', appointments))).toEqual([
        422,
        'rule-violated',
        ['scheduledCount'],
      ]);
      const calls = { date, totalCalls: 5, connectedCalls: 3, voicemails: 3 };
      expect(outcome(await call('staff', 'POST', 'calls', calls))).toEqual([422, 'rule-violated', ['totalCalls']]);
      const rate = { date, scheduledCount: 1, utilizationRate: '100.01' };
      expect(outcome(await call('staff', 'POST', 'appointments', rate))).toEqual([
        422,
        'rule-violated',
        ['utilizationRate'],
      ]);
    }
    const { id } = (await call('staff', 'POST', 'appointments', { date: '2024-03-02', scheduledCount: 5 })).body;
    expect(outcome(await call('staff', 'PATCH', `appointments/${id}`, { completedCount: 6 }))).toEqual([
      422,
      'rule-violated',
      ['scheduledCount'],
    ]);
  });

  it('are at least one, of the patients of a day', async () => {
    const refused = [422, 'rule-violated', ['activePatients']];
    expect(outcome(await call('staff', 'POST', 'patients', { date: '2024-03-01' }))).toEqual(refused);
    const { id } = (await call('staff', 'POST', 'patients', { date: '2024-03-01', lostPatients: 0 })).body;
    expect(outcome(await call('staff', 'PATCH', `patients/${id}`, { lostPatients: null }))).toEqual(refused);
    expect((await call('staff', 'PATCH', `patients/${id}`, { lostPatients: null, newPatients: 1 })).status).toBe(200);
  });

  it('give the conversion of calls, and none of none', async () => {
    const calls = { date: '2024-03-01', totalCalls: 9, connectedCalls: 3, appointmentsScheduled: 2 };
    expect((await call('staff', 'POST', 'calls', calls)).body.conversionRate).toBe('66.67');
    expect(
      (await call('staff', 'POST', 'calls', { date: '2024-03-01', totalCalls: 9 })).body.conversionRate,
    ).toBeNull();
  });

  it('name a provider of the clinic: one of another clinic is as unknown as none at all', async () => {
    const answers = await Promise.all(
      [foreignProviderId, randomUUID()].flatMap((id) => [
        call('staff', 'POST', 'financial', { date: '2024-03-01', ...kinds.financial.body, providerId: id }),
        call('staff', 'POST', 'appointments', { date: '2005-03-01', scheduledCount: 1, providerId: id }),
        call('staff', 'POST', 'calls', { date: '2024-03-01', totalCalls: 1, staffMemberId: id }),
      ]),
    );
    const strip = ({ body: { instance: _, requestId: __, ...rest } }: Answer) => rest;
    expect(answers.slice(0, 3).map(strip)).toEqual(answers.slice(3).map(strip));
    expect(answers.map(outcome)).toEqual(
      ['providerId', 'providerId', 'staffMemberId', 'providerId', 'providerId', 'staffMemberId'].map((field) => [
        422,
        'unknown-reference',
        [field],
      ]),
    );
  });

  it('are texts without control characters', async () => {
    for (const category of ['a\u0000b', 'a\nb', '', ' ', 'x'.repeat(201)]) {
      expect(
        outcome(await call('staff', 'POST', 'financial', { date: '2024-03-01', ...kinds.financial.body, category })),
      ).toEqual([400, 'invalid-request', ['category']]);
    }
    const notes = await call('staff', 'POST', 'financial', {
      date: '2024-03-01',
      ...kinds.financial.body,
      notes: 'a\u0000b',
    });
    expect(outcome(notes)).toEqual([400, 'invalid-request', ['notes']]);
  });
});

describe('A list of facts', () => {
  it('is narrowed by day, provider, type and category, and goes through all pages once', async () => {
    const years = [2017, 2021, 2022, 2024];
    const items = years.flatMap((year) =>
      [1, 2, 3].map((n) => ({
        date: `${year}-07-0${n}`,
        metricType: n === 1 ? 'refund' : 'adjustment',
        amount: '1',
        category: `list-${n}`,
        providerId: n === 2 ? providerId : null,
      })),
    );
    const batch = await call('staff', 'POST', 'financial/batch', { items });
    expect(batch.status).toBe(201);
    const listed: { id: string; date: string }[] = [];
    let cursor = '';
    do {
      const page = await call(
        'viewer',
        'GET',
        `financial?from=2017-07-01&to=2024-07-31&type=adjustment&limit=3${cursor}`,
      );
      listed.push(...page.body.data);
      cursor = page.body.nextCursor ? `&cursor=${page.body.nextCursor}` : '';
    } while (cursor);
    expect(listed.map(({ date }) => date)).toEqual(
      [...years].reverse().flatMap((year) => [`${year}-07-03`, `${year}-07-02`]),
    );
    expect((await call('viewer', 'GET', `financial?provider=${providerId}&category=list-2`)).body.data).toHaveLength(4);
    expect(
      (await call('viewer', 'GET', 'financial?category=list-1&from=2021-07-01&to=2021-07-01')).body.data,
    ).toHaveLength(1);
    expect((await call('viewer', 'GET', 'financial?from=2024-07-02&to=2024-07-01&category=list-1')).body.data).toEqual(
      [],
    );
  });

  it('refuses a filter that the kind does not have, and a cursor of another kind', async () => {
    expect(outcome(await call('viewer', 'GET', `patients?provider=${providerId}`))).toEqual([
      400,
      'invalid-request',
      ['provider'],
    ]);
    await call('staff', 'POST', 'patients/batch', {
      items: [1, 2].map((n) => ({ date: anotherDay(), newPatients: n })),
    });
    const { nextCursor } = (await call('viewer', 'GET', 'patients?limit=1')).body;
    expect((await call('viewer', 'GET', `patients?limit=1&cursor=${nextCursor}`)).status).toBe(200);
    expect(outcome(await call('viewer', 'GET', `calls?cursor=${nextCursor}`)).slice(0, 2)).toEqual([
      400,
      'invalid-cursor',
    ]);
  });
});

describe('A warning', () => {
  const enter = (date: string, metricType: string, amount: string) =>
    call('staff', 'POST', 'financial', { date, metricType, amount });

  it("is said of a day's production above the limit, beside what was written", async () => {
    const date = anotherDay();
    expect((await enter(date, 'production', '100000')).body.warnings).toEqual([]);
    const { status, body } = await enter(date, 'production', '0.01');
    expect([status, body.warnings]).toEqual([
      201,
      [
        {
          code: 'production-unusually-high',
          message: `Production of ${date} is 100000.01, above 100000.`,
          path: 'amount',
        },
      ],
    ]);
  });

  it('is said of collections above twice the production of the day, when there is any', async () => {
    const date = anotherDay();
    const collection = await enter(date, 'collection', '100');
    expect(collection.body.warnings).toEqual([]);
    expect((await enter(date, 'production', '50')).body.warnings).toEqual([]);
    const changed = await call('staff', 'PATCH', `financial/${collection.body.id}`, { amount: '100.01' });
    expect(changed.body.warnings).toMatchObject([{ code: 'collections-above-production', path: 'amount' }]);
  });

  it('is said of the items of a batch', async () => {
    const [quiet, loud] = [anotherDay(), anotherDay()];
    const items = [quiet, loud, loud].map((date) => ({ date, metricType: 'production', amount: '60000' }));
    const { body } = await call('staff', 'POST', 'financial/batch', { items });
    expect(body.data).toHaveLength(3);
    expect(body.warnings).toMatchObject([{ code: 'production-unusually-high', path: 'items.1.amount' }]);
  });

  it('keeps to the limit of the installation', async () => {
    const strict = await startService({ database: service.database, variables: { PRODUCTION_WARNING_LIMIT: '10' } });
    const body = { date: anotherDay(), metricType: 'production', amount: '10.01' };
    const answer = await strict.call('POST', `${path}/financial`, {
      token: await strict.tokenOf(demoAddress('staff', 'northside')),
      body,
    });
    await strict.stop();
    expect([answer.status, answer.body.warnings?.[0]?.code ?? answer.text]).toEqual([201, 'production-unusually-high']);
  });
});

describe('A batch', () => {
  const good = () => ({ date: anotherDay(), ...kinds.financial.body });

  it('is answered in the order in which it was sent, up to a thousand', async () => {
    const one = good();
    const items = Array.from({ length: 1_000 }, (_, n) => ({ ...one, amount: `${n}.00` }));
    const { status, body } = await call('staff', 'POST', 'financial/batch', { items });
    expect([status, body.data.map(({ amount }: { amount: string }) => amount)]).toEqual([
      201,
      items.map(({ amount }) => amount),
    ]);
    const above = await call('staff', 'POST', 'financial/batch', { items: [...items, good()] });
    expect(outcome(above).slice(0, 2)).toEqual([413, 'payload-too-large']);
    expect((await call('staff', 'POST', 'financial/batch', { items: [] })).status).toBe(400);
  });

  it.each([
    ['an unknown provider', { providerId: randomUUID() }, 422, 'unknown-reference', 'items.2.providerId'],
    ['a day to come', { date: '2190-01-01' }, 422, 'date-out-of-range', 'items.2.date'],
    ['a day too long ago', { date: '1960-01-01' }, 422, 'date-out-of-range', 'items.2.date'],
    ['a reference twice', { sourceReference: 'twice' }, 409, 'already-exists', 'items.2.sourceReference'],
    ['a malformed field', { amount: 1 }, 400, 'invalid-request', 'items.2.amount'],
  ])('with %s is refused as a whole, by the place of the item', async (_name, wrong, status, code, field) => {
    const before = await countOf('financial_metrics');
    const items = [{ ...good(), sourceReference: 'twice' }, good(), { ...good(), ...wrong }, good()];
    expect(outcome(await call('staff', 'POST', 'financial/batch', { items }))).toEqual([status, code, [field]]);
    expect(await countOf('financial_metrics')).toBe(before);
  });

  it('that is taken in part tells of each item what became of it', async () => {
    const items = [
      good(),
      { ...good(), providerId: foreignProviderId },
      { ...good(), metricType: 'production', amount: '100001' },
      { ...good(), date: '1980-01-01' },
    ];
    const { status, body } = await call('staff', 'POST', 'financial/batch?mode=partial', { items });
    expect(status).toBe(207);
    expect(body.data).toMatchObject([
      { index: 0, status: 201, fact: { amount: '12.50' }, problem: null },
      { index: 1, status: 422, fact: null, problem: { code: 'unknown-reference', errors: [{ path: 'providerId' }] } },
      { index: 2, status: 201, problem: null },
      { index: 3, status: 422, fact: null, problem: { code: 'date-out-of-range', errors: [{ path: 'date' }] } },
    ]);
    expect(body.warnings).toMatchObject([{ path: 'items.2.amount' }]);
    for (const { fact } of body.data)
      if (fact) expect((await call('viewer', 'GET', `financial/${fact.id}`)).status).toBe(200);
  });

  it('of whoever may not enter one is refused as a whole, in either mode', async () => {
    const items = [{ date: '2024-01-01', totalCalls: 1 }];
    for (const mode of ['all', 'partial']) {
      expect((await call('provider', 'POST', `calls/batch?mode=${mode}`, { items })).status).toBe(403);
      expect((await call('viewer', 'POST', `calls/batch?mode=${mode}`, { items })).status).toBe(403);
    }
  });

  it('that is sent twice with one key is done once; two at once with one reference leave one', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const items = [good(), good()];
    const first = await call('staff', 'POST', 'financial/batch?mode=partial', { items }, key);
    const again = await call('staff', 'POST', 'financial/batch?mode=partial', { items }, key);
    expect([again.status, again.headers.get('idempotent-replayed'), again.body]).toEqual([207, 'true', first.body]);
    const sourceReference = randomUUID();
    const both = await Promise.all(
      [1, 2].map(() => call('staff', 'POST', 'financial/batch', { items: [{ ...good(), sourceReference }] })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
  });
});

describe('An inactive clinic', () => {
  it('keeps its facts to be read, and takes none', async () => {
    await service.database.sql(`UPDATE clinics SET status = 'inactive' WHERE id = $1`, [clinicId]);
    const refused = await call('staff', 'POST', 'financial', { date: '2024-01-01', ...kinds.financial.body });
    const read = await call('staff', 'GET', 'financial?limit=1');
    await service.database.sql(`UPDATE clinics SET status = 'active' WHERE id = $1`, [clinicId]);
    expect([refused.status, refused.body.code, read.status]).toEqual([409, 'clinic-inactive', 200]);
  });
});

describe('The partitions of a year', () => {
  it('are made in good time by a job, and take what lay in the default partition meanwhile', async () => {
    const year = new Date().getUTCFullYear();
    const { id } = (
      await call('staff', 'POST', 'calls', { date: `${year}-01-02`, totalCalls: 3, sourceReference: 'before' })
    ).body;
    // As if nobody had made them: the rows of the year go where rows without a partition go.
    await service.database.sql(`
      CREATE TEMP TABLE kept AS SELECT * FROM call_metrics_${year};
      DROP TABLE call_metrics_${year}, call_metrics_${year + 1};
      ALTER TABLE kept DROP COLUMN conversion_rate;
      ALTER TABLE call_metrics DISABLE TRIGGER track_insert`);
    await service.database.sql(
      `INSERT INTO call_metrics (id, clinic_id, date, total_calls, source_reference) SELECT id, clinic_id, date, total_calls, source_reference FROM kept`,
    );
    await service.database.sql('ALTER TABLE call_metrics ENABLE TRIGGER track_insert');
    expect(await countOf('call_metrics_default')).not.toBe('0');
    await service.application.get(FactPartitions).add();
    expect(await countOf('call_metrics_default')).toBe('0');
    expect(await countOf(`call_metrics_${year}`)).not.toBe('0');
    expect(await countOf(`call_metrics_${year + 1}`)).toBe('0');
    expect((await call('viewer', 'GET', `calls/${id}`)).body).toMatchObject({
      id,
      sourceReference: 'before',
      totalCalls: 3,
    });
    await service.application.get(FactPartitions).add();
    const denied = await service.database.sql<{ denied: boolean }>(
      `SELECT NOT has_table_privilege('authenticated', 'call_metrics_${year}', 'SELECT') AND relrowsecurity AND relforcerowsecurity AS denied
         FROM pg_class WHERE relname = 'call_metrics_${year}'`,
    );
    expect(denied).toEqual([{ denied: true }]);
    expect(
      outcome(
        await call('staff', 'POST', 'calls', { date: `${year}-01-02`, totalCalls: 3, sourceReference: 'before' }),
      )[0],
    ).toBe(409);
  });
});
