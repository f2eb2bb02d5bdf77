import { Injectable } from '@nestjs/common';
import { GoogleSpreadsheets, type SpreadsheetProperties } from '../../../integrations/google/google-spreadsheets.js';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound, UnknownReference } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { GoogleConnectionService } from './google-connection.service.js';
import { forPerson } from './google-problems.js';
import { GoogleTokens } from './google-tokens.js';
import { SheetMissing } from './sheets.errors.js';
import type {
  ConnectionsQuery,
  NewSpreadsheetConnection,
  SpreadsheetConnection,
  SpreadsheetConnectionChanges,
  SpreadsheetConnections,
} from './spreadsheet-connections.schemas.js';

const purpose = 'spreadsheet-connections';
const columns = `id, clinic_id, google_credential_id, spreadsheet_id, name, sheet_names, sync_frequency, sync_status,
  last_problem, last_sync_at, next_sync_at, created_at, updated_at`;

/** Which spreadsheets become facts, which of their sheets, and how often. */
@Injectable()
export class SpreadsheetConnectionsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly google: GoogleConnectionService,
    private readonly tokens: GoogleTokens,
    private readonly spreadsheets: GoogleSpreadsheets,
  ) {}

  async list(clinicId: string, query: ConnectionsQuery): Promise<SpreadsheetConnections> {
    const [afterName, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const values = [clinicId, query.status ?? null, afterName, afterId, query.limit + 1];
    const rows = await this.database.query<SpreadsheetConnection>(listConnections, values);
    return toPage(rows, query.limit, ({ name, id }) => this.cursors.encode([name, id], purpose));
  }

  async get(clinicId: string, connectionId: string): Promise<SpreadsheetConnection> {
    const row = await this.database.first<SpreadsheetConnection>(getConnection, [clinicId, connectionId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** Google is asked whether the caller's account can read it, before anything is written. */
  async create(
    clinicId: string,
    caller: Caller | null,
    made: NewSpreadsheetConnection,
  ): Promise<SpreadsheetConnection> {
    const credentialId = await this.google.mine(clinicId, caller);
    const read = (token: string) => this.spreadsheets.describe(token, made.spreadsheetId);
    const file = await forPerson(() => this.tokens.call(credentialId, read));
    assertSheets(file, made.sheetNames);
    const { spreadsheetId, name = file.name, sheetNames, syncFrequency } = made;
    const values = [clinicId, credentialId, spreadsheetId, name.slice(0, 200), sheetNames, syncFrequency];
    const [row] = await this.database.query<SpreadsheetConnection>(insertConnection, values);
    if (!row) throw new NotFound();
    return row;
  }

  async change(
    clinicId: string,
    connectionId: string,
    changes: SpreadsheetConnectionChanges,
    ifMatch?: string,
  ): Promise<SpreadsheetConnection> {
    const present = await this.database.first<SpreadsheetConnection>(`${getConnection} FOR UPDATE`, [
      clinicId,
      connectionId,
    ]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    const update = partialUpdate({
      table: 'public.spreadsheet_connections',
      where: { clinic_id: clinicId, id: connectionId },
      changes: { ...changes, ...(await this.consequencesOf(clinicId, changes, present)) },
      columns: changeable,
      returning: columns,
    });
    if (!update) return present;
    const [row] = await this.database.query<SpreadsheetConnection>(update.text, update.values);
    if (!row) throw new NotFound();
    return row;
  }

  /** Its runs go with it; what they imported stays. */
  async remove(clinicId: string, connectionId: string): Promise<void> {
    const [removed] = await this.database.query(deleteConnection, [clinicId, connectionId]);
    if (!removed) throw new NotFound();
  }

  /** Another frequency begins anew; another account ends the waiting for one. */
  private async consequencesOf(
    clinicId: string,
    { syncFrequency, googleCredentialId }: SpreadsheetConnectionChanges,
    present: SpreadsheetConnection,
  ): Promise<{ nextSyncAt?: Date | null; syncStatus?: 'idle' }> {
    const isResumed = googleCredentialId !== undefined && present.syncStatus === 'reauthorize';
    if (googleCredentialId !== undefined) await this.assertOwn(clinicId, googleCredentialId);
    const isOther = syncFrequency !== undefined && syncFrequency !== present.syncFrequency;
    const row = isOther
      ? await this.database.first<{ nextSyncAt: Date | null }>(`SELECT ${nextSync('$1')} AS next_sync_at`, [
          syncFrequency,
        ])
      : undefined;
    return { ...(row && { nextSyncAt: row.nextSyncAt }), ...(isResumed && { syncStatus: 'idle' }) };
  }

  /** Nobody reads through an account that somebody else has connected for another purpose. */
  private async assertOwn(clinicId: string, credentialId: string): Promise<void> {
    if (await this.database.first(findOwn, [clinicId, credentialId])) return;
    const message = "This is not the caller's own Google account.";
    throw new UnknownReference(undefined, {
      errors: [{ path: 'googleCredentialId', code: 'unknown-reference', message }],
    });
  }
}

function assertSheets({ sheets }: SpreadsheetProperties, names: readonly string[]): void {
  const missing = names.filter((name) => !sheets.some(({ title }) => title === name));
  if (missing.length === 0) return;
  const message = `The spreadsheet has no sheet of this name.`;
  const errors = missing.map((name) => ({ path: `sheetNames.${names.indexOf(name)}`, code: 'sheet-missing', message }));
  throw new SheetMissing(`The spreadsheet has no sheet ${missing.map((name) => `'${name}'`).join(', ')}.`, { errors });
}

/** When a frequency lets the next run begin; never, for `manual`. */
export const nextSync = (frequency: string): string =>
  `now() + CASE ${frequency} WHEN 'hourly' THEN interval '1 hour' WHEN 'daily' THEN interval '1 day'
     WHEN 'weekly' THEN interval '7 days' END`;

const listConnections = `
  SELECT ${columns} FROM public.spreadsheet_connections
   WHERE clinic_id = $1 AND ($2::text IS NULL OR sync_status = $2)
     AND ($3::text IS NULL OR (name, id) > ($3, $4::uuid))
   ORDER BY name, id LIMIT $5`;

const getConnection = `SELECT ${columns} FROM public.spreadsheet_connections WHERE clinic_id = $1 AND id = $2`;

const insertConnection = `
  INSERT INTO public.spreadsheet_connections
    (clinic_id, google_credential_id, spreadsheet_id, name, sheet_names, sync_frequency, next_sync_at, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, ${nextSync('$6')}, app.user_id())
  RETURNING ${columns}`;

const deleteConnection = 'DELETE FROM public.spreadsheet_connections WHERE clinic_id = $1 AND id = $2 RETURNING id';

const findOwn = `
  SELECT id FROM public.google_credentials WHERE clinic_id = $1 AND id = $2 AND user_id = app.user_id() AND status = 'active'`;

const changeable = {
  name: 'name',
  sheetNames: 'sheet_names',
  syncFrequency: 'sync_frequency',
  googleCredentialId: 'google_credential_id',
  nextSyncAt: 'next_sync_at',
  syncStatus: 'sync_status',
};
