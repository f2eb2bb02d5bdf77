import { Injectable } from '@nestjs/common';
import { Database } from '../tenancy/database.js';

export interface DeadJob {
  id: string;
  name: string;
  attempts: number;
  lastError: string | null;
  createdAt: Date;
  runAt: Date;
  key: string | null;
}

/** Jobs that were given up, for an operator. Needs the transaction of an admin. */
@Injectable()
export class DeadJobs {
  constructor(private readonly database: Database) {}

  /** Newest first, those older than `before`; without their payloads. */
  list(before: string | null, limit: number): Promise<DeadJob[]> {
    return this.database.query<DeadJob>('SELECT * FROM jobs.dead($1, $2)', [before, limit]);
  }

  /** Lets it run again from its first attempt; false when there is no dead job of that id. */
  async retry(id: string): Promise<boolean> {
    const row = await this.database.first<{ retried: boolean }>('SELECT jobs.retry($1) AS retried', [id]);
    return row?.retried ?? false;
  }
}
