import { randomUUID } from 'node:crypto';
import { demoAddress } from '../../src/demo/demo.js';
import { Sweep } from '../../src/kernel/jobs/sweep.js';
import { type Answer, type Service, startService } from '../support/service.js';

let service: Service;
let token: string;
let organisationId: string;
let clinicIds: string[];
beforeAll(async () => {
  service = await startService();
  token = await service.tokenOf(demoAddress('owner', 'northside'));
  const clinics = (await service.call('GET', '/clinics', { token })).body.data;
  clinicIds = clinics.map(({ id }: { id: string }) => id);
  organisationId = clinics[0].organisationId;
});
afterAll(() => service.stop());

const outcome = ({ status, body }: Answer) => [status, body?.code];
const replayed = ({ headers }: Answer) => headers.get('idempotent-replayed');

function createOrganisation(key: string, name: string, by = token): Promise<Answer> {
  return service.call('POST', '/organisations', { token: by, body: { name }, headers: { 'idempotency-key': key } });
}
function createProvider(key: string, clinicId: string | undefined, name: string): Promise<Answer> {
  const headers = { 'idempotency-key': key };
  return service.call('POST', `/clinics/${clinicId}/providers`, { token, body: { name }, headers });
}
async function organisationsNamed(name: string): Promise<number> {
  const rows = await service.database.sql('SELECT id FROM organisations WHERE name = $1', [name]);
  return rows.length;
}

describe('An Idempotency-Key', () => {
  it.each([1, 200])('has up to 200 characters: %i', async (length) => {
    const key = 'k'.repeat(length);
    const [first, again] = [await createOrganisation(key, 'Keyed'), await createOrganisation(key, 'Keyed')];
    expect([first.status, replayed(first), again.status, replayed(again)]).toEqual([201, null, 201, 'true']);
  });

  it.each([
    ['none at all', ''],
    ['201 characters', 'k'.repeat(201)],
  ])('is refused with %s, and nothing is done', async (_name, key) => {
    const answer = await createOrganisation(key, 'Never to be');
    expect(outcome(answer)).toEqual([400, 'invalid-request']);
    expect(answer.body.errors).toMatchObject([{ path: 'Idempotency-Key', code: 'invalid-length' }]);
    expect(await organisationsNamed('Never to be')).toBe(0);
  });

  it('on another path of the same route is refused', async () => {
    const key = randomUUID();
    const [one, other] = clinicIds;
    expect((await createProvider(key, one, 'Dr. Here')).status).toBe(201);
    expect(outcome(await createProvider(key, other, 'Dr. Here'))).toEqual([422, 'idempotency-key-reused']);
    const rows = await service.database.sql(`SELECT clinic_id FROM providers WHERE name = 'Dr. Here'`);
    expect(rows).toEqual([{ clinic_id: one }]);
  });

  it('on another route is another key', async () => {
    const key = randomUUID();
    expect((await createOrganisation(key, 'Of a shared key')).status).toBe(201);
    const other = await createProvider(key, clinicIds[0], 'Dr. Of a shared key');
    expect([other.status, replayed(other)]).toEqual([201, null]);
  });

  it('does nothing on a route that does not know it', async () => {
    const headers = { 'idempotency-key': 'k'.repeat(500) };
    const change = { token, headers, body: { name: 'Northside Health Group' } };
    expect((await service.call('PATCH', `/organisations/${organisationId}`, change)).status).toBe(200);
  });
});

describe('A replay', () => {
  it('is the first answer in every part', async () => {
    const key = randomUUID();
    const [first, again] = [await createOrganisation(key, 'Replayed'), await createOrganisation(key, 'Replayed')];
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    for (const name of ['location', 'etag', 'content-type']) {
      expect(first.headers.get(name)).not.toBeNull();
      expect(again.headers.get(name)).toBe(first.headers.get(name));
    }
    expect([replayed(first), replayed(again)]).toEqual([null, 'true']);
    expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
  });

  it('is the answer of then, whatever has become of it', async () => {
    const key = randomUUID();
    const { body } = await createOrganisation(key, 'Soon renamed');
    await service.call('PATCH', `/organisations/${body.id}`, { token, body: { name: 'Renamed' } });
    expect((await createOrganisation(key, 'Soon renamed')).body.name).toBe('Soon renamed');
  });

  it('is for those only who may still ask', async () => {
    const key = randomUUID();
    const created = await createOrganisation(key, 'Keeps its answer');
    const path = `/organisations/${created.body.id}/clinics`;
    const body = { name: 'Annexe', timeZone: 'Europe/Berlin', currency: 'EUR' };
    const send = () => service.call('POST', path, { token, body, headers: { 'idempotency-key': key } });
    expect((await send()).status).toBe(201);
    await service.database.sql(
      `UPDATE organisation_members SET user_id = (SELECT id FROM auth.users WHERE email = $2) WHERE organisation_id = $1`,
      [created.body.id, demoAddress('owner', 'southbank')],
    );
    expect(outcome(await send())).toEqual([404, 'not-found']);
  });
});

describe('A request that failed', () => {
  it('with a fault of ours may be sent again under its key, and is done then', async () => {
    const key = randomUUID();
    await service.database.sql(`
      CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a fault'; END $$;
      CREATE TRIGGER a_fault BEFORE INSERT ON public.organisations FOR EACH ROW EXECUTE FUNCTION public.fail()`);
    expect(outcome(await createOrganisation(key, 'At last'))).toEqual([500, 'internal-error']);
    await service.database.sql('DROP TRIGGER a_fault ON public.organisations; DROP FUNCTION public.fail()');
    const later = await createOrganisation(key, 'At last');
    expect([later.status, replayed(later)]).toEqual([201, null]);
    expect(await organisationsNamed('At last')).toBe(1);
  });

  it('because its body was refused may be mended under its key', async () => {
    const key = randomUUID();
    expect((await createOrganisation(key, '')).status).toBe(400);
    expect((await createOrganisation(key, 'Mended')).status).toBe(201);
  });
});

describe('After a day', () => {
  /** As if that much time had passed since the key came. */
  async function age(key: string, interval: string): Promise<void> {
    await service.database.sql(
      `UPDATE app.idempotency_keys SET created_at = created_at - $2::interval, expires_at = expires_at - $2::interval
        WHERE key = $1`,
      [key, interval],
    );
    await service.application.get(Sweep).sweep();
  }

  it('a key is forgotten, and the same request is done anew', async () => {
    const key = randomUUID();
    const first = await createOrganisation(key, 'Daily');
    await age(key, '24 hours 1 second');
    const later = await createOrganisation(key, 'Daily');
    expect([later.status, replayed(later)]).toEqual([201, null]);
    expect(later.body.id).not.toBe(first.body.id);
    expect(replayed(await createOrganisation(key, 'Daily'))).toBe('true');
  });

  it('less a minute it is still known', async () => {
    const key = randomUUID();
    await createOrganisation(key, 'Nearly daily');
    await age(key, '23 hours 59 minutes');
    expect(replayed(await createOrganisation(key, 'Nearly daily'))).toBe('true');
  });
});
