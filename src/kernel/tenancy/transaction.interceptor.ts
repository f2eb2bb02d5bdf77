import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { z } from 'zod';
import { isTransient } from '../database/failures.js';
import { DomainError } from '../errors/domain-error.js';
import { type Answer, AnswerWithCookie, AnswerWithStatus, type StreamedAnswer, withStatus } from '../http/answer.js';
import { setCookie } from '../http/cookies.js';
import { etagOf, isKnown } from '../http/etag.js';
import { Idempotency } from '../http/idempotency.js';
import { OPERATION, type OperationOptions, statusOf } from '../http/operation.decorator.js';
import { RateLimits } from '../http/rate-limits.js';
import { Redirect, sendOn } from '../http/redirect.js';
import { asStreamed, readied, release } from '../http/streams.js';
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
    const reply = http.getResponse<FastifyReply>();
    const operation = this.reflector.get<OperationOptions>(OPERATION, execution.getHandler());
    const trace = traceOf(request);
    if (operation.uploads) await this.letIn(trace, reply);
    let made: Answer | undefined;
    const handle = async (): Promise<Answer> => {
      release(made);
      made = answerOf(operation, request, await lastValueFrom(next.handle(), { defaultValue: undefined }));
      return made;
    };
    const work = () => (operation.idempotent ? this.idempotency.once(request, operation.id, handle) : handle());
    try {
      return await sent(operation, request, reply, await this.conduct(operation, trace, reply, work));
    } catch (error) {
      release(made);
      if (operation.unlimited === 'unless-refused' && isRefusal(error))
        await this.rateLimits.limitAddress(request.ip, reply);
      throw error;
    }
  }

  /**
   * A body that arrives for minutes is read before the request's transaction opens. So that nobody sends one in vain, the
   * database is asked first, in a transaction of its own, whether the caller may.
   */
  private letIn(trace: RequestTrace, reply: FastifyReply): Promise<unknown> {
    const context = contextOf(trace);
    const transaction = this.transactions.forRequest(context, () => this.rateLimits.limitTenant(context, reply));
    return this.transactions.conduct(context, transaction, () => transaction.query('SELECT', []));
  }

  /** Once more from the start when the database failed in passing before anything was written or committed. */
  private async conduct(
    { uploads }: OperationOptions,
    trace: RequestTrace,
    reply: FastifyReply,
    work: () => Promise<Answer>,
  ): Promise<Answer> {
    const context = contextOf(trace);
    const count = () => this.rateLimits.limitTenant(context, reply);
    // An upload was counted when it was let in, and its body comes once.
    const open = () => this.transactions.forRequest(context, uploads ? undefined : count);
    const first = open();
    try {
      return await this.attempt(trace, context, first, work);
    } catch (error) {
      const isUndone = context.readOnly || !(first.wrote || first.committing);
      if (uploads || !isTransient(error) || !isUndone) throw error;
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

/** Of what the database could not do the caller is not to blame. */
function isRefusal(error: unknown): boolean {
  return error instanceof DomainError && error.definition.status < 500;
}

function contextOf(trace: RequestTrace): RequestContext {
  if (!trace.context) throw new Error('The guard did not run before the interceptor.');
  return trace.context;
}

/** Only what the route's schema names goes out: a column that nobody declared cannot leak. */
function answerOf(operation: OperationOptions, request: FastifyRequest, value: unknown): Answer {
  if (value instanceof AnswerWithStatus) return otherAnswerOf(operation, value);
  if (operation.streams) return { status: statusOf(operation), body: asStreamed(operation, value) };
  if (operation.redirects) return { status: statusOf(operation), body: asRedirect(operation, value) };
  if (value instanceof AnswerWithCookie) return cookieAnswerOf(operation, request, value);
  const body = operation.answers ? operation.answers.parse(value) : undefined;
  return { status: statusOf(operation), body, location: locationOf(operation, request, body) };
}

function otherAnswerOf({ id, alsoAnswers }: OperationOptions, { status, body }: AnswerWithStatus): Answer {
  const schema = (alsoAnswers as Record<number, z.ZodType | undefined> | undefined)?.[status];
  if (!schema) throw new Error(`${id} does not declare that it answers ${status}.`);
  return { status, body: schema.parse(body) };
}

function cookieAnswerOf(operation: OperationOptions, request: FastifyRequest, value: AnswerWithCookie): Answer {
  if (!operation.setsCookie) throw new Error(`${operation.id} does not declare that it sets a cookie.`);
  return { ...answerOf(operation, request, value.body), cookie: value.cookie };
}

function asRedirect({ id }: OperationOptions, value: unknown): Redirect {
  if (value instanceof Redirect) return value;
  throw new Error(`${id} declares that it redirects, and has nowhere to.`);
}

function locationOf(operation: OperationOptions, request: FastifyRequest, body: unknown): string | undefined {
  if (!operation.location) return undefined;
  const values = { ...(request.params as object), ...(body as object) } as Record<string, unknown>;
  return `/api/v1${operation.location.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]))}`;
}

async function sent(
  operation: OperationOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  { status, body, location, cookie, replayed }: Answer,
): Promise<unknown> {
  if (location) reply.header('location', location);
  if (replayed) reply.header('idempotent-replayed', 'true');
  if (cookie) setCookie(reply, cookie);
  if (operation.streams) return readied(request, reply, body as StreamedAnswer);
  if (operation.redirects) return sendOn(reply, body as Redirect);
  if (status !== statusOf(operation)) return withStatus(status, body);
  if (!operation.etag) return body;
  const tag = etagOf(stampOf(operation.etag, body));
  reply.header('etag', tag);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  return isRead && isKnown(request.headers['if-none-match'], tag) ? withStatus(304, undefined) : body;
}

function stampOf(etag: NonNullable<OperationOptions['etag']>, body: unknown): string {
  return typeof etag === 'function' ? etag(body as never) : (body as { updatedAt: string }).updatedAt;
}
