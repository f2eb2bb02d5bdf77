import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Database } from '../tenancy/database.js';
import { traceOf } from '../tenancy/request-trace.js';
import type { Answer } from './answer.js';
import { IdempotencyKeyBusy, IdempotencyKeyReused, InvalidRequest } from './http.errors.js';

interface StoredAnswer {
  fingerprint: string;
  status: number;
  location: string | null;
  body: unknown;
}

/**
 * Does a request with an `Idempotency-Key` once: its answer is stored in the transaction that did the work, so that
 * either both exist or neither does. A request that failed stored nothing and may be sent again.
 */
@Injectable()
export class Idempotency {
  constructor(private readonly database: Database) {}

  /** Replays the stored answer, or runs the work under a lock on the key and stores what it answers. */
  async once(request: FastifyRequest, operation: string, work: () => Promise<Answer>): Promise<Answer> {
    const key = keyOf(request);
    if (key === undefined) return work();
    const fingerprint = fingerprintOf(request);
    await this.lock(operation, key);
    const stored = await this.find(operation, key);
    if (stored) return replay(stored, fingerprint);
    const answer = await work();
    await this.database.query(insertAnswer, [
      operation,
      key,
      fingerprint,
      answer.status,
      answer.location ?? null,
      JSON.stringify(answer.body ?? null),
    ]);
    return answer;
  }

  private async lock(operation: string, key: string): Promise<void> {
    const row = await this.database.first<{ locked: boolean }>(lockKey, [operation, key]);
    if (!row?.locked) throw new IdempotencyKeyBusy();
  }

  private find(operation: string, key: string): Promise<StoredAnswer | undefined> {
    return this.database.first<StoredAnswer>(selectAnswer, [operation, key]);
  }
}

const lockKey = `
  SELECT pg_try_advisory_xact_lock(hashtextextended(app.user_id()::text || ' ' || $1 || ' ' || $2, 0)) AS locked`;

const selectAnswer = `
  SELECT fingerprint, status, location, body FROM app.idempotency_keys
   WHERE actor_id = app.user_id() AND operation = $1 AND key = $2`;

const insertAnswer = `
  INSERT INTO app.idempotency_keys (actor_id, operation, key, fingerprint, status, location, body)
  VALUES (app.user_id(), $1, $2, $3, $4, $5, $6)`;

function replay(stored: StoredAnswer, fingerprint: string): Answer {
  if (stored.fingerprint !== fingerprint) throw new IdempotencyKeyReused();
  return {
    status: stored.status,
    body: stored.body ?? undefined,
    location: stored.location ?? undefined,
    replayed: true,
  };
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  // Without a caller there is nobody whose key it could be.
  if (key === undefined || !traceOf(request).context?.caller) return undefined;
  if (typeof key === 'string' && key.length >= 1 && key.length <= 200) return key;
  const error = { path: 'Idempotency-Key', code: 'invalid-length', message: 'One key of 1 to 200 characters.' };
  throw new InvalidRequest('The Idempotency-Key cannot be used.', { errors: [error] });
}

/** The query belongs to it: a batch with another `mode` is another request. */
function fingerprintOf(request: FastifyRequest): string {
  return createHash('sha256')
    .update(`${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`)
    .digest('hex');
}
