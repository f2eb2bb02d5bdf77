import pg from 'pg';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { insertConversation, insertMessage, userOf } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let clinicId: string;
let ownerId: string;
let conversationId: string;
const tokens = new Map<string, string>();
const ids = new Map<string, string>();

beforeAll(async () => {
  service = await startService();
  for (const [name, address] of Object.entries(people)) {
    tokens.set(name, await service.tokenOf(address));
    ids.set(name, await userOf(service.database, address));
  }
  ownerId = idOf('doctor');
  clinicId = (await call('doctor', 'GET', '/clinics')).body.data[0].id;
});
afterAll(() => service.stop());

beforeEach(async () => {
  await service.database.sql('DELETE FROM conversations');
  conversationId = await insertConversation(service.database, ownerId, { clinic_id: clinicId, unread_count: 1 });
  await insertMessage(service, conversationId, { text: 'A secret of the patient' });
});

const people = {
  doctor: demoAddress('provider', 'northside'),
  staff: demoAddress('staff', 'northside'),
  viewer: demoAddress('viewer', 'northside'),
  clinicAdmin: demoAddress('clinic_admin', 'northside'),
  owner: demoAddress('owner', 'northside'),
  manager: demoAddress('manager', 'northside'),
  elsewhere: demoAddress('provider', 'southbank'),
  patient: demoAddress('patient', 'northside'),
  admin: demoAdmin,
};
const idOf = (name: string) => ids.get(name) as string;
const call = (name: string, method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  service.call(method, path, { token: tokens.get(name), body, headers });
const path = (rest = '') => `/messenger/conversations/${conversationId}${rest}`;
const assign = (assignedTo: string | null, by = 'doctor') => call(by, 'PATCH', path(), { assignedTo });
const listed = async (name: string) => (await call(name, 'GET', '/messenger/conversations')).body.data.length;
const reads = (name: string) =>
  service.database.sql<{ route: string }>(
    `SELECT route FROM audit.events
      WHERE action = 'read' AND table_name = 'public.conversations' AND row_id = $1 AND actor_id = $2
      ORDER BY occurred_at`,
    [conversationId, idOf(name)],
  );

const routes: [string, string, object | undefined][] = [
  ['GET', '', undefined],
  ['GET', '/messages', undefined],
  ['POST', '/read', undefined],
  ['PATCH', '', { status: 'closed' }],
];
const others = Object.keys(people).filter((name) => name !== 'doctor');

describe.each(others)('To %s, to whom it is not assigned, a conversation', (name) => {
  it.each(routes)('looks as if it were not there: %s %s', async (method, rest, body) => {
    const there = await call(name, method, path(rest), body);
    const nowhere = await call(name, method, `/messenger/conversations/${ownerId}${rest}`, body);
    const { instance: _, requestId: __, ...problem } = there.body;
    expect(there.status).toBe(404);
    expect(nowhere.body).toMatchObject(problem);
    expect(there.text).not.toContain('secret');
  });

  it('is in no list, and nothing of it changes', async () => {
    const before = await service.database.sql('SELECT * FROM conversations');
    expect(await listed(name)).toBe(0);
    expect((await assign(idOf(name), name)).status).toBe(404);
    expect(await service.database.sql('SELECT * FROM conversations')).toEqual(before);
    expect(await reads(name)).toEqual([]);
  });
});

it('Nobody reads one without logging in', async () => {
  for (const [method, rest, body] of routes)
    expect((await service.call(method, path(rest), { body })).body.code).toBe('unauthenticated');
});

describe('A conversation is handed', () => {
  it.each(['staff', 'clinicAdmin', 'owner', 'manager', 'doctor'])('to %s', async (name) => {
    const answer = await assign(idOf(name));
    expect([answer.status, answer.body.assignedTo]).toEqual([200, idOf(name)]);
    const { data } = (await call(name, 'GET', path('/messages'))).body;
    expect(data[0].text).toBe('A secret of the patient');
    expect(await listed(name)).toBe(1);
  });

  it.each(['viewer', 'elsewhere', 'patient'])('not to %s, who does not work there', async (name) => {
    const answer = await assign(idOf(name));
    expect([answer.status, answer.body.code]).toEqual([422, 'assignee-not-in-clinic']);
    expect(answer.body.errors).toMatchObject([{ path: 'assignedTo' }]);
    expect((await call('doctor', 'GET', path())).body.assignedTo).toBeNull();
  });

  it('not to somebody who does not exist, which looks the same', async () => {
    const nobody = await assign('00000000-0000-7000-8000-000000000000');
    expect([nobody.status, nobody.body.code]).toEqual([422, 'assignee-not-in-clinic']);
  });

  it('to nobody, where it belongs to no clinic, but its owner', async () => {
    await service.database.sql('UPDATE conversations SET clinic_id = NULL WHERE id = $1', [conversationId]);
    expect((await assign(idOf('staff'))).body.code).toBe('assignee-not-in-clinic');
    expect((await assign(ownerId)).status).toBe(200);
  });

  it('back to nobody, and then is its owner’s alone', async () => {
    await assign(idOf('staff'));
    expect((await assign(null)).body.assignedTo).toBeNull();
    expect((await call('staff', 'GET', path())).status).toBe(404);
    expect(await listed('staff')).toBe(0);
  });

  it('by its owner alone', async () => {
    await assign(idOf('staff'));
    for (const to of [idOf('clinicAdmin'), idOf('staff'), null]) {
      const answer = await assign(to, 'staff');
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
    }
    expect((await call('doctor', 'GET', path())).body.assignedTo).toBe(idOf('staff'));
  });
});

describe('A colleague who was handed a conversation', () => {
  beforeEach(() => assign(idOf('staff')));

  it('reads it, marks it as read and closes it', async () => {
    expect((await call('staff', 'POST', path('/read'))).body.unreadCount).toBe(0);
    expect((await call('staff', 'PATCH', path(), { status: 'closed' })).body.status).toBe('closed');
    expect((await call('staff', 'GET', '/messenger/conversations?assigned=me')).body.data).toHaveLength(1);
  });

  it('leaves a trace with each read, while the owner leaves none', async () => {
    for (const name of ['staff', 'doctor']) {
      await call(name, 'GET', '/messenger/conversations');
      await call(name, 'GET', path());
      await call(name, 'GET', path('/messages'));
      await call(name, 'PATCH', path(), {});
    }
    const base = 'GET /api/v1/messenger/conversations';
    expect((await reads('staff')).map(({ route }) => route)).toEqual([
      base,
      `${base}/:conversationId`,
      `${base}/:conversationId/messages`,
      'PATCH /api/v1/messenger/conversations/:conversationId',
    ]);
    expect(await reads('doctor')).toEqual([]);
  });

  it('cannot read it where the trace cannot be left', async () => {
    await service.database.sql(`ALTER FUNCTION audit.read RENAME TO read_no_more`);
    const answers = [await call('staff', 'GET', path()), await call('staff', 'GET', path('/messages'))];
    const own = await call('doctor', 'GET', path());
    await service.database.sql(`ALTER FUNCTION audit.read_no_more RENAME TO read`);
    expect(answers.map(({ status }) => status)).toEqual([500, 500]);
    expect(own.status).toBe(200);
    expect(answers.map(({ text }) => text).join()).not.toContain('secret');
  });

  it('loses it with the role, at the next request', async () => {
    const roles = await service.database.sql(
      'SELECT role FROM user_clinic_roles WHERE user_id = $1 AND clinic_id = $2',
      [idOf('staff'), clinicId],
    );
    const setRole = (role: unknown) =>
      service.database.sql('UPDATE user_clinic_roles SET role = $3 WHERE user_id = $1 AND clinic_id = $2', [
        idOf('staff'),
        clinicId,
        role,
      ]);
    await setRole('viewer');
    expect((await call('staff', 'GET', path())).status).toBe(404);
    expect((await call('staff', 'GET', path('/messages'))).status).toBe(404);
    expect(await listed('staff')).toBe(0);
    await setRole(roles[0]?.role);
    expect((await call('staff', 'GET', path())).status).toBe(200);
  });
});

describe('In the database itself', () => {
  const asUser = async (name: string, statement: string) => {
    const client = new pg.Client(service.database.apiUrl);
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SELECT set_config('role', app.begin_work($1, 'a test', 'x'), true)`, [idOf(name)]);
      return (await client.query(statement)).rows;
    } finally {
      await client.end();
    }
  };

  it.each(['text_sealed', 'attachments_sealed'])('nobody who is signed in reads %s', async (column) => {
    await expect(asUser('doctor', `SELECT ${column} FROM public.messages`)).rejects.toMatchObject({ code: '42501' });
    await expect(asUser('admin', `SELECT ${column} FROM public.messages`)).rejects.toMatchObject({ code: '42501' });
  });

  it('a colleague cannot hand it on, nor take one', async () => {
    await assign(idOf('staff'));
    const handOn = `UPDATE public.conversations SET assigned_to = '${idOf('clinicAdmin')}'`;
    await expect(asUser('staff', handOn)).rejects.toMatchObject({ code: '42501' });
    const take = `UPDATE public.conversations SET assigned_to = '${idOf('clinicAdmin')}' RETURNING id`;
    expect(await asUser('clinicAdmin', take)).toEqual([]);
  });

  it('nobody moves one to another owner, or changes what was said', async () => {
    const refused = { code: '42501' };
    await expect(
      asUser('doctor', `UPDATE public.conversations SET owner_id = '${idOf('staff')}'`),
    ).rejects.toMatchObject(refused);
    await expect(asUser('doctor', `UPDATE public.messages SET text_sealed = 'x'`)).rejects.toMatchObject(refused);
    await expect(asUser('doctor', 'DELETE FROM public.messages')).rejects.toMatchObject(refused);
  });

  it('what went out is marked by nobody but the service', async () => {
    const sent = await insertMessage(service, conversationId, { direction: 'out', status: 'sent' });
    const marked = `UPDATE public.messages SET status = 'read' WHERE id = '${sent}' RETURNING id`;
    expect(await asUser('doctor', marked)).toEqual([]);
  });
});
