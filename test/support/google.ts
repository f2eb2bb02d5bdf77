import { once } from 'node:events';
import type { CallName, Fault } from '../emulators/google/faults.ts';
import type { Spreadsheet } from '../emulators/google/spreadsheets.ts';
import type { TestDatabase } from './database.js';
import { startEmulator } from './emulator.ts';

/** Google as a process of its own, and the strings that a test pulls. */
export interface Google {
  url: string;
  /** What makes a service call it. */
  variables: Record<string, string>;
  control(what: string, given?: object): Promise<unknown>;
  person(email: string): Promise<unknown>;
  spreadsheet(file: Spreadsheet): Promise<unknown>;
  fault(fault: Fault): Promise<unknown>;
  /** How often a call was made since the counts were cleared; all of them unless one is named. */
  count(name?: CallName): Promise<number>;
  calls(): Promise<{ name: CallName; url: string }[]>;
  /** Follows the consent page as a person does, and answers what the browser is sent back with. */
  consent(authorizationUrl: string, choice: Consent): Promise<URLSearchParams>;
  stop(): Promise<void>;
}

interface Consent {
  email: string;
  denies?: boolean;
  /** Scopes whose box is unticked: those that end so. */
  withholds?: string;
}

export async function startGoogle(): Promise<Google> {
  const { child, url } = await startEmulator('google');
  const control = async (what: string, given?: object): Promise<unknown> => {
    const method = given || what !== 'calls' ? 'POST' : 'GET';
    const body = method === 'POST' ? JSON.stringify(given ?? {}) : undefined;
    const response = await fetch(`${url}/_control/${what}`, { method, body });
    if (response.status !== 200) throw new Error(`The emulator refuses ${what}: ${await response.text()}`);
    return response.json();
  };
  const calls = async () => ((await control('calls')) as { calls: { name: CallName; url: string }[] }).calls;
  return {
    url,
    variables: variablesFor(url),
    control,
    person: (email) => control('people', { email }),
    spreadsheet: (file) => control('spreadsheets', file),
    fault: (fault) => control('faults', fault),
    calls,
    count: async (name) => (await calls()).filter((call) => !name || call.name === name).length,
    consent: (authorizationUrl, choice) => consent(url, authorizationUrl, choice),
    stop: async () => {
      child.kill();
      await once(child, 'close');
    },
  };
}

function variablesFor(url: string): Record<string, string> {
  return {
    GOOGLE_CLIENT_ID: 'emulator-client',
    GOOGLE_CLIENT_SECRET: 'emulator-secret',
    GOOGLE_BASE_URL: url,
    GOOGLE_TIMEOUT_MS: '2000',
  };
}

async function consent(url: string, authorizationUrl: string, choice: Consent): Promise<URLSearchParams> {
  const page = await fetch(authorizationUrl);
  const html = await page.text();
  if (page.status !== 200) throw new Error(`Google shows: ${html}`);
  const form = new URLSearchParams();
  for (const [, name = '', value = ''] of html.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g))
    form.set(name, value.replaceAll('&amp;', '&'));
  for (const [, scope = ''] of html.matchAll(/name="granted" value="([^"]*)"/g))
    if (!choice.withholds || !scope.endsWith(choice.withholds)) form.append('granted', scope);
  form.set('email', choice.email);
  form.set('decision', choice.denies ? 'deny' : 'allow');
  const decided = await fetch(`${url}/o/oauth2/v2/consent`, { method: 'POST', body: form, redirect: 'manual' });
  return new URL(decided.headers.get('location') ?? '').searchParams;
}

/** A spreadsheet as if somebody had connected it long ago, with a run behind it; Google is not asked. */
export async function insertSpreadsheet(
  database: TestDatabase,
  clinicId: string,
  email: string,
): Promise<{ credentialId: string; connectionId: string; runId: string }> {
  const [row] = await database.sql<{ credentialId: string; connectionId: string; runId: string }>(
    `WITH credential AS (
       INSERT INTO google_credentials (clinic_id, user_id, google_email)
       SELECT $1::uuid, id, 'google.' || email FROM profiles WHERE email = $2::text RETURNING id
     ), connection AS (
       INSERT INTO spreadsheet_connections (clinic_id, google_credential_id, spreadsheet_id, name, sheet_names)
       SELECT $1::uuid, id, 'spreadsheet-of-' || $1::uuid, 'Of ' || $2::text, '{Sheet1}' FROM credential RETURNING id
     ), run AS (
       INSERT INTO sync_runs (clinic_id, spreadsheet_connection_id, cause, status, finished_at)
       SELECT $1::uuid, id, 'schedule', 'done', now() FROM connection RETURNING id
     )
     SELECT credential.id AS "credentialId", connection.id AS "connectionId", run.id AS "runId"
       FROM credential, connection, run`,
    [clinicId, email],
  );
  if (!row) throw new Error(`There is no ${email}.`);
  return row;
}
