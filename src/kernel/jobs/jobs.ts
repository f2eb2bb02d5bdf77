import { Injectable } from '@nestjs/common';
import { Database } from '../tenancy/database.js';
import { JobRegistry } from './job-registry.js';

interface EnqueueOptions {
  /** A job of the same key that still waits is replaced. */
  key?: string;
  runAt?: Date;
}

/** Work for later. A job is added by the caller's transaction: it exists exactly if the change was committed. */
@Injectable()
export class Jobs {
  constructor(
    private readonly database: Database,
    private readonly registry: JobRegistry,
  ) {}

  async enqueue(name: string, payload: object, { key, runAt }: EnqueueOptions = {}): Promise<void> {
    const { maxAttempts } = this.registry.get(name);
    const values = [name, JSON.stringify(payload), key ?? null, runAt ?? null, maxAttempts];
    await this.database.query('SELECT jobs.enqueue($1, $2, $3, $4, $5)', values);
  }
}
