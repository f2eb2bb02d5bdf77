import { randomUUID } from 'node:crypto';
import {
  connectionStates,
  connectionTransitions,
  runStates,
  runTransitions,
} from '../../src/modules/metrics/sheets/sync-states.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** The tables of transitions in the code, and the same ones as the database guards them. */

let database: TestDatabase;
let clinicId: string;
let credentialId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const [clinic] = await database.sql<{ id: string }>('SELECT id FROM clinics LIMIT 1');
  clinicId = clinic?.id ?? '';
  const [credential] = await database.sql<{ id: string }>(
    'INSERT INTO google_credentials (clinic_id, user_id) SELECT $1, id FROM auth.users LIMIT 1 RETURNING id',
    [clinicId],
  );
  credentialId = credential?.id ?? '';
});
afterAll(() => database.drop());

async function newConnection(status = 'idle'): Promise<string> {
  const [row] = await database.sql<{ id: string }>(
    `INSERT INTO spreadsheet_connections (clinic_id, google_credential_id, spreadsheet_id, name, sheet_names, sync_status)
     VALUES ($1, $2, $3, 'A spreadsheet', '{Sheet1}', $4) RETURNING id`,
    [clinicId, credentialId, randomUUID(), status],
  );
  return row?.id ?? '';
}
async function newRun(status: string): Promise<string> {
  const [row] = await database.sql<{ id: string }>(
    `INSERT INTO sync_runs (clinic_id, spreadsheet_connection_id, cause, status, finished_at)
     VALUES ($1, $2, 'schedule', $3, CASE WHEN $3 IN ('done', 'failed') THEN now() END) RETURNING id`,
    [clinicId, await newConnection(), status],
  );
  return row?.id ?? '';
}
const pairs = <State extends string>(states: readonly State[]) =>
  states.flatMap((from) => states.map((to) => [from, to] as const));
const goes = (text: string, values: unknown[]) =>
  database.sql(text, values).then(
    () => true,
    (error: Error) => {
      expect(error.message).toBe('sync-over');
      return false;
    },
  );

it.each(pairs(runStates))('A run that is %s becomes %s only if the table says so', async (from, to) => {
  const text = `UPDATE sync_runs SET status = $2, finished_at = CASE WHEN $2 IN ('done', 'failed') THEN now() END WHERE id = $1`;
  expect(await goes(text, [await newRun(from), to])).toBe(runTransitions[from].includes(to));
});

it.each(pairs(connectionStates))('A connection that is %s becomes %s only if the table says so', async (from, to) => {
  const text = 'UPDATE spreadsheet_connections SET sync_status = $2 WHERE id = $1';
  expect(await goes(text, [await newConnection(from), to])).toBe(
    from === to || connectionTransitions[from].includes(to),
  );
});

it('A connection whose account is disconnected needs a consent, whatever its state', async () => {
  const ids = await Promise.all(connectionStates.map(newConnection));
  await database.sql('DELETE FROM google_credentials WHERE id = $1', [credentialId]);
  const rows = await database.sql<{ status: string }>(
    'SELECT DISTINCT sync_status AS status FROM spreadsheet_connections WHERE id = ANY ($1)',
    [ids],
  );
  expect(rows).toEqual([{ status: 'reauthorize' }]);
});
