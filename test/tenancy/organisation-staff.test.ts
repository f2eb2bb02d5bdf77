import { demoAddress } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** What a role in one of its clinics allows in an organisation, and until when. */

let service: Service;
let token: string;
let organisationId: string;
beforeAll(async () => {
  service = await startService();
  token = await service.tokenOf(demoAddress('staff', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
});
afterEach(() => setRoles(`role = 'staff', is_active = true`).then(() => setClinics('active')));
afterAll(() => service.stop());

const person = `(SELECT id FROM auth.users WHERE email = '${demoAddress('staff', 'northside')}')`;
const setRoles = (change: string) =>
  service.database.sql(`UPDATE user_clinic_roles SET ${change} WHERE user_id = ${person}`);
const setClinics = (status: string) =>
  service.database.sql('UPDATE clinics SET status = $1 WHERE organisation_id = $2', [status, organisationId]);
const outcome = ({ status, body }: Answer) => [status, body?.code];
const plan = () =>
  service.call('POST', `/organisations/${organisationId}/social/videos`, { token, body: { prompt: 'Implants' } });

/** What the policies ask, behind the door's back. */
async function isStaffHere(): Promise<boolean | undefined> {
  const [row] = await service.database.sql<{ is_staff: boolean }>(
    `SELECT $1::uuid = ANY (app.staffed_organisation_ids('staff')) AS is_staff
       FROM (SELECT set_config('app.user_id', ${person}::text, true)) caller`,
    [organisationId],
  );
  return row?.is_staff;
}

describe('Staff of a clinic, in its organisation', () => {
  it('writes', async () => {
    expect((await plan()).status).toBe(201);
    expect(await isStaffHere()).toBe(true);
  });

  it('writes no more once the role is lower', async () => {
    await setRoles(`role = 'viewer'`);
    expect(outcome(await plan())).toEqual([403, 'role-too-low']);
    expect(await isStaffHere()).toBe(false);
  });

  it('knows of nothing any more once the role has ended', async () => {
    await setRoles('is_active = false');
    expect(outcome(await plan())).toEqual([404, 'not-found']);
    expect(await isStaffHere()).toBe(false);
  });

  it('writes no more once the clinic is not active', async () => {
    await setClinics('inactive');
    expect(outcome(await plan())).toEqual([403, 'role-too-low']);
    expect(await isStaffHere()).toBe(false);
  });
});
