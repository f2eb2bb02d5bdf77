import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { GoogleClient } from '../../../integrations/google/google-client.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { GoogleNotConfigured, GoogleReauthorize, SyncUnderWay } from './sheets.errors.js';
import { SyncQueue } from './sync-queue.js';
import type { SyncRun, SyncRuns, SyncRunsQuery } from './sync-runs.schemas.js';

const purposeOf = (connectionId: string) => `sync-runs ${connectionId}`;

/** The history of a connection, and a run that somebody asks for. */
@Injectable()
export class SyncRunsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly queue: SyncQueue,
    private readonly google: GoogleClient,
  ) {}

  /** Newest first. */
  async list(clinicId: string, connectionId: string, { cursor, limit }: SyncRunsQuery): Promise<SyncRuns> {
    const purpose = purposeOf(connectionId);
    const [before] = cursor ? this.cursors.decode(cursor, purpose) : [null];
    if (!(await this.database.first(findConnection, [clinicId, connectionId]))) throw new NotFound();
    const rows = await this.database.query<SyncRun>(listRuns, [clinicId, connectionId, before, limit + 1]);
    return toPage(rows, limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(clinicId: string, connectionId: string, runId: string): Promise<SyncRun> {
    const run = await this.database.first<SyncRun>(getRun, [clinicId, connectionId, runId]);
    if (!run) throw new NotFound();
    return run;
  }

  /**
   * Lets a run begin in the background. The caller's right to the connection is asked first; the run itself is the
   * service's, as all runs are.
   *
   * @throws SyncUnderWay while another run of the connection has not ended
   */
  async request(clinicId: string, connectionId: string, caller: Caller | null): Promise<SyncRun> {
    const values = [clinicId, connectionId];
    const found = await this.database.separately(() => this.database.first<Readiness>(findConnection, values));
    if (!found || !caller) throw new NotFound();
    if (!this.google.isConfigured) throw new GoogleNotConfigured();
    if (!found.googleCredentialId) throw new GoogleReauthorize();
    const run = { id: uuidv7(), clinicId, connectionId, cause: 'person' as const, requestedBy: caller.userId };
    if (!(await this.queue.begin(run))) throw new SyncUnderWay();
    return this.get(clinicId, connectionId, run.id);
  }
}

interface Readiness {
  googleCredentialId: string | null;
}

const columns = `id, clinic_id, spreadsheet_connection_id AS connection_id, cause, requested_by, status, attempts, started_at,
  finished_at, rows_read, rows_inserted, rows_updated, rows_unchanged, rows_rejected, imports, problem, errors, created_at,
  updated_at`;

const findConnection = `
  SELECT google_credential_id FROM public.spreadsheet_connections WHERE clinic_id = $1 AND id = $2`;

const listRuns = `
  SELECT ${columns} FROM public.sync_runs
   WHERE clinic_id = $1 AND spreadsheet_connection_id = $2 AND ($3::uuid IS NULL OR id < $3)
   ORDER BY id DESC LIMIT $4`;

const getRun = `
  SELECT ${columns} FROM public.sync_runs WHERE clinic_id = $1 AND spreadsheet_connection_id = $2 AND id = $3`;
