import { randomUUID } from 'node:crypto';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let otherClinicId: string;

beforeAll(async () => {
  service = await startService();
  clinicId = await clinicOf('northside');
  otherClinicId = await clinicOf('southbank');
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') =>
  service.tokenOf(role === 'admin' ? demoAdmin : demoAddress(role, slug));
async function clinicOf(slug: string): Promise<string> {
  return (await service.call('GET', '/clinics', { token: await as('viewer', slug) })).body.data[0].id;
}
async function own(role: string, method: string, rest = '', body?: unknown, headers?: Record<string, string>) {
  return service.call(method, `/clinics/${clinicId}/metrics/definitions${rest}`, {
    token: await as(role),
    ...(body !== undefined && { body }),
    ...(headers && { headers }),
  });
}
async function system(role: string, method: string, rest = '', body?: unknown) {
  return service.call(method, `/metrics/definitions${rest}`, {
    token: await as(role),
    ...(body !== undefined && { body }),
  });
}
const outcome = ({ status, body }: Answer) => [status, body?.code];
const message = ({ body }: Answer) => body.errors?.[0];

let number = 0;
function definition(calculationFormula: string, code = `own_${++number}`) {
  return { code, name: 'Own', dataType: 'decimal', calculationFormula };
}
async function define(calculationFormula: string): Promise<{ id: string; code: string }> {
  const { status, body, text } = await own('clinic_admin', 'POST', '', definition(calculationFormula));
  if (status !== 201) throw new Error(text);
  return body;
}
async function postfixOf(code: string): Promise<string | undefined> {
  const [row] = await service.database.sql<{ postfix: string[] }>(
    'SELECT postfix FROM metric_definitions WHERE code = $1',
    [code],
  );
  return row?.postfix.join(' ');
}

describe("A clinic's own metric", () => {
  it('is defined by a clinic_admin, read by every member, changed against the version that was seen, and deleted', async () => {
    const sent = definition('collections / net_production * 100');
    const created = await own('clinic_admin', 'POST', '', sent);
    expect(created.body).toMatchObject({
      ...sent,
      clinicId,
      isComposite: true,
      isSystem: false,
      behaviour: 'sum',
      description: null,
    });
    expect(created.headers.get('location')).toBe(`/api/v1/clinics/${clinicId}/metrics/definitions/${created.body.id}`);
    expect(await postfixOf(sent.code)).toBe('collections production adjustments - write_offs - / 100 *');
    const read = await own('viewer', 'GET', `/${created.body.id}`);
    expect(read.body).toEqual(created.body);
    const seen = { 'if-match': read.headers.get('etag') ?? '' };
    const changed = await own(
      'clinic_admin',
      'PATCH',
      `/${created.body.id}`,
      { name: 'Else', calculationFormula: '-calls' },
      seen,
    );
    expect([changed.status, changed.body.name, await postfixOf(sent.code)]).toEqual([200, 'Else', 'calls ~']);
    expect(outcome(await own('clinic_admin', 'PATCH', `/${created.body.id}`, { name: 'Again' }, seen))).toEqual([
      412,
      'precondition-failed',
    ]);
    expect((await own('clinic_admin', 'DELETE', `/${created.body.id}`)).status).toBe(204);
    expect((await own('viewer', 'GET', `/${created.body.id}`)).status).toBe(404);
  });

  it('is listed among the metrics of the system, by code', async () => {
    const { code } = await define('production');
    const codes: string[] = [];
    let cursor = '';
    do {
      const { body } = await own('viewer', 'GET', `?limit=20${cursor}`);
      codes.push(...body.data.map((each: { code: string }) => each.code));
      cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : '';
    } while (cursor);
    expect(codes).toEqual([...codes].sort());
    expect(codes).toEqual(expect.arrayContaining([code, 'production', 'collection_rate']));
    const financial = await own('viewer', 'GET', '?category=financial&limit=200');
    expect(new Set(financial.body.data.map((each: { category: string }) => each.category))).toEqual(
      new Set(['financial']),
    );
  });

  it.each(['viewer', 'staff', 'provider'])('is not defined by a %s', async (role) => {
    const { id } = await define('production');
    expect(outcome(await own(role, 'POST', '', definition('production')))).toEqual([403, 'role-too-low']);
    expect(outcome(await own(role, 'PATCH', `/${id}`, { name: 'x' }))).toEqual([403, 'role-too-low']);
    expect(outcome(await own(role, 'DELETE', `/${id}`))).toEqual([403, 'role-too-low']);
  });

  it('is not there for another clinic, whose formulas cannot name it, and who may use the code', async () => {
    const { id, code } = await define('production');
    const token = await as('owner', 'southbank');
    const theirs = `/clinics/${otherClinicId}/metrics/definitions`;
    for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const) {
      expect((await service.call(method, `${theirs}/${id}`, { token, ...(body && { body }) })).status).toBe(404);
    }
    const named = await service.call('POST', theirs, { token, body: definition(`${code} * 2`, 'a_guess') });
    expect(message(named)).toEqual({
      path: 'calculationFormula',
      code: 'invalid-formula',
      message: `Column 1: There is no metric '${code}'.`,
    });
    expect((await service.call('POST', theirs, { token, body: definition('production', code) })).status).toBe(201);
  });

  it('has a code of its own: none of the system, none twice, none that formulas cannot name', async () => {
    const { code } = await define('production');
    for (const taken of [code, 'production', 'net_production']) {
      const refused = await own('clinic_admin', 'POST', '', definition('calls', taken));
      expect([...outcome(refused), message(refused).path]).toEqual([409, 'already-exists', 'code']);
    }
    for (const bad of ['new', 'true', 'Own', '1a', 'a-b', '', 'x'.repeat(61)]) {
      expect(outcome(await own('clinic_admin', 'POST', '', definition('calls', bad)))).toEqual([
        400,
        'invalid-request',
      ]);
    }
  });

  it.each([
    ['production +', 'Column 13: This cannot be read as a formula.'],
    ['production / unheard_of', "Column 14: There is no metric 'unheard_of'."],
    ['production % 2', "Column 11: A formula knows + - * / and no '%'."],
  ])('whose formula is %j is refused at its column, and nothing is kept', async (formula, words) => {
    const sent = definition(formula);
    const refused = await own('clinic_admin', 'POST', '', sent);
    expect([...outcome(refused), message(refused)]).toEqual([
      422,
      'invalid-formula',
      { path: 'calculationFormula', code: 'invalid-formula', message: words },
    ]);
    expect(await postfixOf(sent.code)).toBeUndefined();
    const { id, code } = await define('calls');
    expect(
      message(await own('clinic_admin', 'PATCH', `/${id}`, { calculationFormula: formula, name: 'x' })).message,
    ).toBe(words);
    expect(await postfixOf(code)).toBe('calls');
  });

  it('takes along all that rests on it when it changes, and is kept while anything does', async () => {
    const base = await define('calls');
    const middle = await define(`${base.code} * 2`);
    const top = await define(`${middle.code} / production`);
    expect((await own('clinic_admin', 'PATCH', `/${base.id}`, { calculationFormula: 'voicemails + 1' })).status).toBe(
      200,
    );
    expect(await postfixOf(middle.code)).toBe('voicemails 1 + 2 *');
    expect(await postfixOf(top.code)).toBe('voicemails 1 + 2 * production /');
    const kept = await own('clinic_admin', 'DELETE', `/${base.id}`);
    expect([...outcome(kept), kept.body.detail]).toEqual([
      409,
      'still-referenced',
      `Formulas rest on it: ${[middle.code, top.code].sort().join(', ')}.`,
    ]);
    for (const { id } of [top, middle, base]) expect((await own('clinic_admin', 'DELETE', `/${id}`)).status).toBe(204);
  });

  it('cannot rest on itself, not even through others, and not when two are changed at once', async () => {
    const a = await define('calls');
    const b = await define(`${a.code} + 1`);
    const refused = await own('clinic_admin', 'PATCH', `/${a.id}`, { calculationFormula: `production - ${b.code}` });
    expect(message(refused).message).toBe(`Column 14: It leads back to itself: ${a.code} -> ${b.code} -> ${a.code}.`);
    const itself = await own('clinic_admin', 'PATCH', `/${a.id}`, { calculationFormula: `${a.code} + 1` });
    expect(outcome(itself)).toEqual([422, 'invalid-formula']);
    for (let round = 0; round < 5; round += 1) {
      const [one, other] = [await define('calls'), await define('calls')];
      const answers = await Promise.all([
        own('clinic_admin', 'PATCH', `/${one.id}`, { calculationFormula: `${other.code} + 1` }),
        own('owner', 'PATCH', `/${other.id}`, { calculationFormula: `${one.code} + 1` }),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
    }
  });
});

describe('A metric of the system', () => {
  it('is read by everybody who is signed in, and written by admins', async () => {
    for (const role of ['patient', 'viewer', 'owner', 'developer']) {
      const { status, body } = await system(role, 'GET', '?limit=200');
      expect([status, body.data.every((each: { clinicId: null }) => each.clinicId === null)]).toEqual([200, true]);
      expect((await system(role, 'GET', `/${body.data[0].id}`)).status).toBe(200);
      expect(outcome(await system(role, 'POST', '', definition('calls')))).toEqual([403, 'forbidden']);
      expect(outcome(await system(role, 'PATCH', `/${body.data[0].id}`, { name: 'x' }))).toEqual([403, 'forbidden']);
      expect(outcome(await system(role, 'DELETE', `/${body.data[0].id}`))).toEqual([403, 'forbidden']);
    }
    expect((await service.call('GET', '/metrics/definitions')).status).toBe(401);
  });

  it("that an admin changes changes the clinics' formulas over it, and cannot name a clinic's own", async () => {
    const created = await system('admin', 'POST', '', definition('production - refunds', 'kept_production'));
    expect(created.body).toMatchObject({ clinicId: null, isSystem: true });
    const { code } = await define('kept_production / 2');
    const path = `/${created.body.id}`;
    expect((await system('admin', 'PATCH', path, { calculationFormula: 'production' })).status).toBe(200);
    expect(await postfixOf(code)).toBe('production 2 /');
    expect(message(await system('admin', 'PATCH', path, { calculationFormula: `1 + ${code}` })).message).toBe(
      `Column 5: There is no metric '${code}'.`,
    );
    const kept = await system('admin', 'DELETE', path);
    expect(outcome(kept)).toEqual([409, 'still-referenced']);
    expect(outcome(await system('admin', 'POST', '', definition('calls', code)))).toEqual([409, 'already-exists']);
  });

  it('that is taken from the facts is changed by nobody', async () => {
    const { body } = await system('admin', 'GET', '?limit=200');
    const { id } = body.data.find((each: { code: string }) => each.code === 'production');
    expect(outcome(await system('admin', 'PATCH', `/${id}`, { name: 'x' }))).toEqual([409, 'base-metric']);
    expect(outcome(await system('admin', 'DELETE', `/${id}`))).toEqual([409, 'base-metric']);
    expect(outcome(await own('owner', 'PATCH', `/${id}`, { name: 'x' }))).toEqual([403, 'forbidden']);
    expect(outcome(await own('owner', 'DELETE', `/${id}`))).toEqual([403, 'forbidden']);
    expect((await system('admin', 'GET', `/${randomUUID()}`)).status).toBe(404);
  });
});
