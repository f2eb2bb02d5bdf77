import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { nextSync } from './spreadsheet-connections.service.js';
import { connectionTransitions, statesBefore } from './sync-states.js';

export const syncJob = 'metrics.synchronise-sheet';

export interface NewRun {
  id: string;
  clinicId: string;
  connectionId: string;
  cause: 'person' | 'schedule';
  requestedBy: string | null;
}

/** As many as one tick lets begin; the next one is a minute away. */
const mostAtOnce = 200;

/** Lets runs begin: the row and its job are there together, or not at all. */
@Injectable()
export class SyncQueue {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  /** @returns whether it began; false while another run of the connection has not ended */
  begin(run: NewRun): Promise<boolean> {
    return this.transactions.runAs({ service: 'synchronise sheets' }, () => this.add(run));
  }

  /** Lets those begin whose time has come, and puts their next time ahead of them. */
  async beginDue(): Promise<void> {
    const ready = statesBefore(connectionTransitions, 'syncing').filter((state) => state !== 'reauthorize');
    await this.transactions.runAs({ service: 'synchronise sheets' }, async () => {
      const due = await this.database.query<{ clinicId: string; id: string }>(takeDue, [ready, mostAtOnce]);
      for (const { clinicId, id } of due)
        await this.add({ id: uuidv7(), clinicId, connectionId: id, cause: 'schedule', requestedBy: null });
    });
  }

  private async add({ id, clinicId, connectionId, cause, requestedBy }: NewRun): Promise<boolean> {
    const [added] = await this.database.query(insertRun, [id, clinicId, connectionId, cause, requestedBy]);
    if (added) await this.jobs.enqueue(syncJob, { runId: id });
    return added !== undefined;
  }
}

const insertRun = `
  INSERT INTO public.sync_runs (id, clinic_id, spreadsheet_connection_id, cause, requested_by)
  VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT DO NOTHING
  RETURNING id`;

const takeDue = `
  UPDATE public.spreadsheet_connections SET next_sync_at = ${nextSync('sync_frequency')}
   WHERE id IN (SELECT s.id FROM public.spreadsheet_connections s JOIN public.clinics c ON c.id = s.clinic_id
                 WHERE s.next_sync_at <= now() AND s.sync_status = ANY ($1) AND c.status = 'active'
                 ORDER BY s.next_sync_at LIMIT $2 FOR UPDATE OF s SKIP LOCKED)
  RETURNING clinic_id, id`;
