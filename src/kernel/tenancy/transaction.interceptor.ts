import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { isTransient } from '../database/failures.js';
import type { Answer } from '../http/answer.js';
import { etagOf } from '../http/etag.js';
import { Idempotency } from '../http/idempotency.js';
import { OPERATION, type OperationOptions, statusOf } from '../http/operation.decorator.js';
import { RateLimits } from '../http/rate-limits.js';
import { Metrics } from '../observability/metrics.js';
import type { RequestContext } from './request-context.js';
import { type RequestTrace, traceOf } from './request-trace.js';
import type { TenantTransaction } from './tenant-transaction.js';
import { Transactions } from './transactions.js';

/** Runs each handler in its request's transaction: commit first, answer afterwards; any error rolls back. */
@Injectable()
export class TransactionInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly transactions: Transactions,
    private readonly idempotency: Idempotency,
    private readonly metrics: Metrics,
    private readonly rateLimits: RateLimits,
  ) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.answer(execution, next));
  }

  private async answer(execution: ExecutionContext, next: CallHandler): Promise<unknown> {
    const http = execution.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const operation = this.reflector.get<OperationOptions>(OPERATION, execution.getHandler());
    const trace = traceOf(request);
    const handle = async (): Promise<Answer> =>
      answerOf(operation, request, await lastValueFrom(next.handle(), { defaultValue: undefined }));
    const reply = http.getResponse<FastifyReply>();
    const answer = await this.conduct(trace, reply, () =>
      operation.idempotent ? this.idempotency.once(request, operation.id, handle) : handle(),
    );
    writeHeaders(reply, operation, answer);
    return answer.body;
  }

  /** Once more from the start when the database failed in passing before anything was written or committed. */
  private async conduct(trace: RequestTrace, reply: FastifyReply, work: () => Promise<Answer>): Promise<Answer> {
    const context = contextOf(trace);
    const open = () => this.transactions.forRequest(context, () => this.rateLimits.limitTenant(context, reply));
    const first = open();
    try {
      return await this.attempt(trace, context, first, work);
    } catch (error) {
      const isUndone = context.readOnly || !(first.wrote || first.committing);
      if (!isTransient(error) || !isUndone) throw error;
      trace.retried = true;
      this.metrics.transactionEnded('retried');
      return this.attempt(trace, context, open(), work);
    }
  }

  private attempt(
    trace: RequestTrace,
    context: RequestContext,
    transaction: TenantTransaction,
    work: () => Promise<Answer>,
  ) {
    trace.cost = transaction.cost;
    return this.transactions.conduct(context, transaction, work);
  }
}

function contextOf(trace: RequestTrace): RequestContext {
  if (!trace.context) throw new Error('The guard did not run before the interceptor.');
  return trace.context;
}

/** Only what the route's schema names goes out: a column that nobody declared cannot leak. */
function answerOf(operation: OperationOptions, request: FastifyRequest, value: unknown): Answer {
  const body = operation.answers ? operation.answers.parse(value) : undefined;
  return { status: statusOf(operation), body, location: locationOf(operation, request, body) };
}

function locationOf(operation: OperationOptions, request: FastifyRequest, body: unknown): string | undefined {
  if (!operation.location) return undefined;
  const values = { ...(request.params as object), ...(body as object) } as Record<string, unknown>;
  return `/api/v1${operation.location.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]))}`;
}

function writeHeaders(reply: FastifyReply, operation: OperationOptions, answer: Answer): void {
  if (answer.location) reply.header('location', answer.location);
  if (answer.replayed) reply.header('idempotent-replayed', 'true');
  if (operation.etag) reply.header('etag', etagOf((answer.body as { updatedAt: string }).updatedAt));
}
