import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { asRole, userOf } from '../support/messenger.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** A doctor's settings: own row alone, whatever else two doctors share. */

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterEach(() => service.database.sql('DELETE FROM doctor_settings'));
afterAll(() => service.stop());

const doctor = demoAddress('provider', 'northside');
const colleague = demoAddress('clinic-admin', 'northside');

async function call(method: string, body?: object, email = doctor, headers = {}, path = '/settings/doctor') {
  return service.call(method, path, { token: await service.tokenOf(email), body, headers });
}
const read = (email = doctor) => call('GET', undefined, email);
const change = (body: object, headers = {}, email = doctor) => call('PATCH', body, email, headers);
const codes = ({ status, body }: Answer) => [
  status,
  ...(body.errors ?? [body]).map(({ code }: { code: string }) => code),
];
const rows = () => service.database.sql('SELECT * FROM doctor_settings ORDER BY doctor_id');

const defaults = {
  ...{ practiceName: null, specialty: null, addressSummary: null, appointmentFee: null, country: null },
  ...{ timeZone: 'UTC', businessHours: {}, slotIntervalMinutes: 15, minAdvanceHours: 0, maxAdvanceBookingDays: 90 },
  ...{ cancellationPolicyHours: null, maxAppointmentsPerDay: null, welcomeMessage: null, awayMessage: null },
  ...{ instagramReceptionistPaused: false, instagramReceptionistPauseMessage: null, leadKeywords: [] },
  ...{ leadPublicReply: null, leadPrivateReply: null, updatedAt: null },
};

const everything = {
  practiceName: 'Praxis am Ring',
  specialty: 'Orthodontics',
  addressSummary: 'Ring 1\nsecond floor',
  appointmentFee: { amount: '80.50', currency: 'EUR' },
  country: 'DE',
  timeZone: 'Europe/Berlin',
  businessHours: {
    monday: [
      { from: '08:00', to: '12:00' },
      { from: '13:00', to: '24:00' },
    ],
    sunday: [],
  },
  slotIntervalMinutes: 20,
  minAdvanceHours: 4,
  maxAdvanceBookingDays: 60,
  cancellationPolicyHours: 24,
  maxAppointmentsPerDay: 12,
  welcomeMessage: 'Grüß Gott 🦷',
  awayMessage: 'We are closed.\nPlease write again tomorrow.',
  instagramReceptionistPaused: true,
  instagramReceptionistPauseMessage: 'Back on Monday',
  leadKeywords: ['Termin', 'cita'],
  leadPublicReply: 'We have written to you.',
  leadPrivateReply: 'When would it suit you?',
};

describe('Settings that nobody has changed', () => {
  it('are the defaults, as the table has them, and leave no row', async () => {
    const { status, body, headers } = await read();
    expect([status, body]).toEqual([200, defaults]);
    expect(headers.get('etag')).toMatch(/^".+"$/);
    expect(await rows()).toEqual([]);
    const { body: kept } = await change({});
    expect({ ...kept, updatedAt: null }).toEqual(defaults);
  });
});

describe('A change', () => {
  it('of everything is kept and read again', async () => {
    const { status, body } = await change(everything);
    expect([status, body]).toEqual([200, { ...everything, updatedAt: expect.any(String) }]);
    expect((await read()).body).toEqual(body);
    expect((await rows())[0]).toMatchObject({ appointment_fee_minor: '8050', appointment_fee_currency: 'EUR' });
  });

  it('leaves alone what it does not name, and takes null for nothing', async () => {
    await change(everything);
    const { body } = await change({ specialty: null, appointmentFee: null, leadKeywords: [], businessHours: {} });
    const emptied = { specialty: null, appointmentFee: null, leadKeywords: [], businessHours: {} };
    expect(body).toMatchObject({ ...everything, ...emptied });
  });

  it('keeps spans in the order of the day', async () => {
    const [late, early] = [
      { from: '14:00', to: '18:00' },
      { from: '08:00', to: '14:00' },
    ];
    const { body } = await change({ businessHours: { friday: [late, early] } });
    expect(body.businessHours).toEqual({ friday: [early, late] });
  });

  it.each([
    ['80', 'EUR', '80.00', '8000'],
    ['0.05', 'EUR', '0.05', '5'],
    ['8000', 'JPY', '8000', '8000'],
    ['12.5', 'KWD', '12.500', '12500'],
    ['0', 'EUR', '0.00', '0'],
    ['999999999999.99', 'USD', '999999999999.99', '99999999999999'],
  ])('of the fee to %s %s is kept in the smallest unit', async (amount, currency, answered, minor) => {
    expect((await change({ appointmentFee: { amount, currency } })).body.appointmentFee).toEqual({
      amount: answered,
      currency,
    });
    expect((await rows())[0]).toMatchObject({ appointment_fee_minor: minor });
  });

  it('may take the messages to the last byte that Instagram takes', async () => {
    const text = `${'ß'.repeat(499)}ab`;
    expect((await change({ welcomeMessage: text })).body.welcomeMessage).toBe(text);
    expect((await change({ welcomeMessage: `${text}c` })).status).toBe(400);
  });

  it('may take a reply below a comment to the length that people’s own may have', async () => {
    const text = 'ß'.repeat(2_200);
    expect((await change({ leadPublicReply: text })).body.leadPublicReply).toBe(text);
  });
});

describe('What cannot be a setting is refused, and nothing of its request is kept', () => {
  const on = (...spans: [string, string][]) => ({
    businessHours: { monday: spans.map(([from, to]) => ({ from, to })) },
  });

  it.each([
    ['a zone that is none', { timeZone: 'Mars/Olympus' }],
    ['a zone of null', { timeZone: null }],
    ['a country that is none', { country: 'XX' }],
    ['a country in small letters', { country: 'de' }],
    ['a country that is no more', { country: 'DD' }],
    ['a union of countries', { country: 'EU' }],
    ['a currency that is none', { appointmentFee: { amount: '1', currency: 'ABC' } }],
    ['a fee without its currency', { appointmentFee: { amount: '1' } }],
    ['a fee below nothing', { appointmentFee: { amount: '-1', currency: 'EUR' } }],
    ['a fee of a number', { appointmentFee: { amount: 80, currency: 'EUR' } }],
    ['a fee finer than its currency', { appointmentFee: { amount: '80.001', currency: 'EUR' } }],
    ['half a yen', { appointmentFee: { amount: '80.5', currency: 'JPY' } }],
    ['a day that is none', { businessHours: { someday: [] } }],
    ['an hour that is none', on(['25:00', '26:00'])],
    ['a minute that is none', on(['09:60', '10:00'])],
    ['a time without its zero', on(['9:00', '17:00'])],
    ['24:00 as a beginning', on(['24:00', '24:00'])],
    ['a span over midnight', on(['22:00', '02:00'])],
    ['a span without length', on(['09:00', '09:00'])],
    ['spans that overlap', on(['09:00', '13:00'], ['12:59', '15:00'])],
    ['a span within another, out of order', on(['10:00', '11:00'], ['09:00', '13:00'])],
    ['the same span twice', on(['10:00', '11:00'], ['10:00', '11:00'])],
    [
      'more spans than a day has',
      on(...Array.from({ length: 13 }, (_, i): [string, string] => [`${10 + i}:00`, `${10 + i}:30`])),
    ],
    ['slots of no length', { slotIntervalMinutes: 0 }],
    ['slots of half a minute', { slotIntervalMinutes: 7.5 }],
    ['slots of a day', { slotIntervalMinutes: 1_440 }],
    ['an advance below nothing', { minAdvanceHours: -1 }],
    ['a horizon of no days', { maxAdvanceBookingDays: 0 }],
    ['a horizon of three years', { maxAdvanceBookingDays: 1_000 }],
    ['no appointments at all', { maxAppointmentsPerDay: 0 }],
    ['an empty message', { awayMessage: '   ' }],
    ['a message with a control character', { awayMessage: 'bell\u0007' }],
    ['a message longer than Instagram takes', { awayMessage: '🦷'.repeat(251) }],
    ['a name of two lines', { practiceName: 'two\nlines' }],
    ['a word twice', { leadKeywords: ['Termin', 'termin'] }],
    ['a word with nothing to look for', { leadKeywords: ['Termin', '*'] }],
    ['a word of marks alone', { leadKeywords: ['\u200b'] }],
    ['a private reply longer than Instagram takes', { leadPrivateReply: '🦷'.repeat(251) }],
    ['a public reply longer than any comment', { leadPublicReply: 'x'.repeat(2_201) }],
    ['too many words', { leadKeywords: Array.from({ length: 51 }, (_, i) => `word ${i}`) }],
    ['an unknown field', { doctorId: '00000000-0000-7000-8000-000000000000' }],
    ['a field of the table', { updatedAt: new Date().toISOString() }],
  ])('%s', async (_name, body) => {
    const { status, body: problem } = await change({ specialty: 'Surgery', ...body });
    expect([status, problem.code]).toEqual([400, 'invalid-request']);
    expect(problem.errors.length).toBeGreaterThan(0);
    expect(await rows()).toEqual([]);
  });
});

describe('Two who change the same settings', () => {
  it('see it by the tag of the version that they read', async () => {
    const before = (await read()).headers.get('etag') ?? '';
    const first = await change({ specialty: 'Surgery' }, { 'if-match': before });
    expect(first.status).toBe(200);
    expect(codes(await change({ specialty: 'Prosthetics' }, { 'if-match': before }))).toEqual([
      412,
      'precondition-failed',
    ]);
    const again = await change({ specialty: 'Prosthetics' }, { 'if-match': first.headers.get('etag') ?? '' });
    expect([again.status, again.body.specialty]).toEqual([200, 'Prosthetics']);
    const known = await call('GET', undefined, doctor, { 'if-none-match': again.headers.get('etag') ?? '' });
    expect(known.status).toBe(304);
  });

  it('at once, and for the first time: one of them, when both name the version of before', async () => {
    const before = (await read()).headers.get('etag') ?? '';
    const both = ['Surgery', 'Prosthetics'].map((specialty) => change({ specialty }, { 'if-match': before }));
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(await rows()).toHaveLength(1);
  });

  it('at once, and for the first time: both, when they name none', async () => {
    const both = [{ specialty: 'Surgery' }, { practiceName: 'Ring' }].map((body) => change(body));
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await read()).body).toMatchObject({ specialty: 'Surgery', practiceName: 'Ring' });
  });

  it('leave no row behind when the first change is refused', async () => {
    expect(codes(await change({ specialty: 'Surgery' }, { 'if-match': '"another"' }))).toEqual([
      412,
      'precondition-failed',
    ]);
    expect(await rows()).toEqual([]);
  });
});

describe('Whose settings they are', () => {
  it('two doctors of one clinic neither see nor change each other’s', async () => {
    await change({ specialty: 'Surgery', welcomeMessage: 'Only mine' });
    expect((await read(colleague)).body).toEqual(defaults);
    await change({ specialty: 'Prosthetics' }, {}, colleague);
    expect((await read()).body).toMatchObject({ specialty: 'Surgery', welcomeMessage: 'Only mine' });
    expect(await rows()).toHaveLength(2);
  });

  it('the database lets a doctor reach their own row alone, and the service change none', async () => {
    await change({ specialty: 'Surgery' });
    const [own, other] = [await userOf(service.database, doctor), await userOf(service.database, colleague)];
    await expect(asRole(service.database, 'authenticated', own, 'SELECT FROM doctor_settings')).resolves.toBe(1);
    await expect(asRole(service.database, 'authenticated', other, 'SELECT FROM doctor_settings')).resolves.toBe(0);
    await expect(
      asRole(service.database, 'authenticated', other, `UPDATE doctor_settings SET specialty = 'x'`),
    ).resolves.toBe(0);
    await expect(
      asRole(service.database, 'authenticated', other, `INSERT INTO doctor_settings (doctor_id) VALUES ('${own}')`),
    ).rejects.toMatchObject({ code: '42501' });
    await expect(asRole(service.database, 'service_role', '', 'SELECT FROM doctor_settings')).resolves.toBe(1);
    await expect(
      asRole(service.database, 'service_role', '', `UPDATE doctor_settings SET specialty = 'x'`),
    ).rejects.toMatchObject({
      code: '42501',
    });
  });

  it.each([...['patient', 'research-partner', 'developer'].map((type) => demoAddress(type, 'northside')), demoAdmin])(
    '%s has none',
    async (email) => {
      for (const answer of [
        await read(email),
        await change({ specialty: 'x' }, {}, email),
        await call('POST', {}, email, {}, '/settings/instagram/pause'),
        await call('POST', undefined, email, {}, '/settings/instagram/resume'),
        await call('GET', undefined, email, {}, '/settings/instagram/status'),
      ])
        expect(codes(answer)).toEqual([403, 'forbidden']);
      expect(await rows()).toEqual([]);
    },
  );

  it('nobody who is not logged in has any', async () => {
    expect(codes(await service.call('GET', '/settings/doctor'))).toEqual([401, 'unauthenticated']);
    expect(codes(await service.call('PATCH', '/settings/doctor', { body: {} }))).toEqual([401, 'unauthenticated']);
  });
});

describe('A pause', () => {
  const pause = (body: object) => call('POST', body, doctor, {}, '/settings/instagram/pause');
  const resume = () => call('POST', undefined, doctor, {}, '/settings/instagram/resume');

  it('begins and ends, also before anything was set or connected, and again', async () => {
    expect((await pause({ message: 'Back soon' })).body).toMatchObject({
      instagramReceptionistPaused: true,
      instagramReceptionistPauseMessage: 'Back soon',
    });
    expect((await pause({})).body.instagramReceptionistPauseMessage).toBe('Back soon');
    expect((await call('GET', undefined, doctor, {}, '/settings/instagram/status')).body.paused).toBe(true);
    for (const _ of [1, 2]) {
      const { status, body } = await resume();
      expect([status, body.instagramReceptionistPaused, body.instagramReceptionistPauseMessage]).toEqual([
        ...[200, false, 'Back soon'],
      ]);
    }
    expect((await pause({ message: null })).body.instagramReceptionistPauseMessage).toBeNull();
  });

  it.each([{ message: '' }, { message: 'x'.repeat(1_001) }, { until: 'tomorrow' }])(
    'of %j is refused',
    async (body) => {
      expect((await pause(body)).status).toBe(400);
      expect(await rows()).toEqual([]);
    },
  );
});
