import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { uuidv7 } from 'uuidv7';
import { CONFIG, type Config } from '../config/config.js';
import { POOL } from '../database/pool.js';
import { DomainError } from '../errors/domain-error.js';
import { Metrics } from '../observability/metrics.js';
import type { Actor } from './actor.js';
import { requestPrelude, workPrelude } from './prelude.js';
import { type RequestContext, runInContext } from './request-context.js';
import { type Prelude, TenantTransaction } from './tenant-transaction.js';

const silenceSlackMs = 5_000;

/** Work that is allowed to take longer than a request. */
interface WorkOptions {
  /** The longest that one statement may take, a wait for a lock included. The installation's own unless given. */
  statementTimeoutMs?: number;
}

/** Opens every transaction that the service ever runs: there is no other door to the database. */
@Injectable()
export class Transactions {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Config,
    private readonly metrics: Metrics,
  ) {}

  /** A transaction for a request, not yet opened. The interceptor ends it. */
  forRequest(context: RequestContext, onAccepted?: () => Promise<void>): TenantTransaction {
    return this.prepare(requestPrelude(context, this.config), onAccepted);
  }

  /** Runs work in its own transaction with a request's context; commits when it returns, rolls back when it throws. */
  async inContext<T>(context: RequestContext, work: () => Promise<T>): Promise<T> {
    if (!context.caller && context.role !== 'anon') throw new Error('A job opens its transactions itself: use runAs.');
    return this.conduct(context, this.forRequest(context), work);
  }

  /** Runs work outside a request: as the service for a listed reason, or as the user on whose behalf it happens. */
  runAs<T>(actor: Actor, work: () => Promise<T>, options: WorkOptions = {}): Promise<T> {
    const context = workContext(actor);
    const config = patient(this.config, options);
    const prelude = workPrelude(actor, context.requestId, config);
    return this.conduct(context, this.prepare(prelude, undefined, config), work);
  }

  /** Runs work in the given transaction and ends it: COMMIT before the result is known to anybody. */
  async conduct<T>(context: RequestContext, transaction: TenantTransaction, work: () => Promise<T>): Promise<T> {
    try {
      const result = await runInContext({ context, transaction }, work);
      await this.commit(transaction);
      return result;
    } catch (error) {
      if (error instanceof DomainError && error.keepsWrites) await this.commit(transaction);
      else await this.rollback(transaction);
      throw error;
    }
  }

  private async commit(transaction: TenantTransaction): Promise<void> {
    await transaction.commit();
    this.metrics.transactionEnded('committed');
    await Promise.allSettled(transaction.afterCommit.map((follow) => follow()));
  }

  private async rollback(transaction: TenantTransaction): Promise<void> {
    await transaction.rollback();
    this.metrics.transactionEnded('rolled-back');
  }

  private prepare(prelude: Prelude, onAccepted?: () => Promise<void>, config = this.config): TenantTransaction {
    const { namedStatements, statementTimeoutMs } = config.database;
    const silenceMs = statementTimeoutMs + silenceSlackMs;
    return new TenantTransaction(this.pool, prelude, { namedStatements, silenceMs, onAccepted });
  }
}

/** The configuration with the timeouts of work that takes long. */
function patient(config: Config, { statementTimeoutMs }: WorkOptions): Config {
  if (statementTimeoutMs === undefined) return config;
  const database = { ...config.database, statementTimeoutMs, lockTimeoutMs: statementTimeoutMs };
  return { ...config, database };
}

function workContext(actor: Actor): RequestContext {
  const isService = 'service' in actor;
  return {
    role: isService ? 'service_role' : 'authenticated',
    caller: null,
    scope: { kind: 'none' },
    requestId: uuidv7(),
    address: null,
    route: isService ? actor.service : actor.reason,
    readOnly: false,
    allowsUnverified: true,
    allowsInactiveClinic: false,
  };
}
