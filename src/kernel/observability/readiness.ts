import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { knownMigrations } from '../database/migrations.js';
import { NotReady } from '../http/http.errors.js';
import { Database } from '../tenancy/database.js';
import { Transactions } from '../tenancy/transactions.js';

export const ReadinessReport = z
  .object({
    status: z.literal('ready'),
    migrations: z.int().meta({ description: 'How many are applied.' }),
    queue: z.object({
      ready: z.int().meta({ description: 'Jobs that could run now.' }),
      oldestSeconds: z.int().meta({ description: 'How long the oldest of them has waited.' }),
      dead: z.int().meta({ description: 'Jobs that were given up.' }),
    }),
  })
  .meta({ id: 'ReadinessReport' });
export type ReadinessReport = z.infer<typeof ReadinessReport>;

/** Asks the database whether this process can serve. */
@Injectable()
export class Readiness {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  private asking: Promise<ReadinessReport> | undefined;

  /**
   * One question at a time, however many ask: anybody may, and must not take the pool from the others that way.
   *
   * @throws NotReady while migrations are missing; connection failures come through as 503 as everywhere
   */
  report(): Promise<ReadinessReport> {
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private ask(): Promise<ReadinessReport> {
    return this.transactions.runAs({ service: 'check readiness' }, async () => {
      const known = await knownMigrations();
      const [state] = await this.database.query<{ applied: string[] }>('SELECT app.applied_migrations() AS applied');
      const applied = new Set(state?.applied ?? []);
      const missing = known.filter((name) => !applied.has(name));
      if (missing.length > 0) throw new NotReady(`${missing.length} migrations are missing: run npm run migrate.`);
      const [queue] = await this.database.query<ReadinessReport['queue']>(
        'SELECT ready::int, oldest_seconds::int, dead::int FROM jobs.queue_health()',
      );
      return { status: 'ready', migrations: applied.size, queue: queue ?? { ready: 0, oldestSeconds: 0, dead: 0 } };
    });
  }
}
