import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Forbidden, InvalidRequest, Unauthenticated } from '../http/http.errors.js';
import { OPERATION, type OperationOptions } from '../http/operation.decorator.js';
import { RateLimits } from '../http/rate-limits.js';
import type { Access } from './access.js';
import { AccessTokens } from './access-tokens.js';
import type { DatabaseRole } from './actor.js';
import type { Caller, RequestContext, Scope } from './request-context.js';
import { traceOf } from './request-trace.js';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Decides the context of a request: who calls, as which database role, in which tenant. Whether that is true, and
 * whether the role there suffices, is for `app.begin_request` to say.
 */
@Injectable()
export class TenancyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: AccessTokens,
    private readonly rateLimits: RateLimits,
  ) {}

  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const http = execution.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const operation = this.reflector.get<OperationOptions>(OPERATION, execution.getHandler());
    const context = await this.identify(request, operation).catch(async (refusal: unknown) => {
      await this.rateLimits.limitAddress(request.ip, reply);
      throw refusal;
    });
    traceOf(request).context = context;
    if (!operation.unlimited) await this.rateLimits.limit(context, reply);
    return true;
  }

  private async identify(request: FastifyRequest, operation: OperationOptions): Promise<RequestContext> {
    const caller = isTokenIgnored(operation.access) ? null : await this.callerOf(request);
    requireAccess(operation.access, caller);
    return contextOf(request, operation, caller);
  }

  private async callerOf(request: FastifyRequest): Promise<Caller | null> {
    const header = request.headers.authorization;
    if (header === undefined) return null;
    const [scheme, token] = header.split(' ');
    if (scheme?.toLowerCase() !== 'bearer' || !token)
      throw new Unauthenticated('Send `Authorization: Bearer <token>`.');
    return this.tokens.verify(token);
  }
}

function isTokenIgnored(access: Access): boolean {
  return access.kind === 'public' && !access.honoursToken;
}

function requireAccess(access: Access, caller: Caller | null): void {
  if (access.kind === 'public') return;
  if (!caller) throw new Unauthenticated();
  if (access.kind === 'user-type' && caller.userType !== access.userType) throw new Forbidden();
}

function contextOf(request: FastifyRequest, operation: OperationOptions, caller: Caller | null): RequestContext {
  const role = roleOf(caller);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  return {
    role,
    caller,
    scope: scopeOf(request, operation.access),
    requestId: String(request.id),
    address: request.ip ?? null,
    route: `${request.method} ${request.routeOptions.url ?? ''}`,
    // An admin's reads are recorded in the audit log, so their transaction must be able to write.
    readOnly: isRead && role !== 'super_admin' && operation.recordsReads !== true && operation.redirects !== true,
    allowsUnverified: operation.access.kind === 'public' || operation.allowsUnverified === true,
    allowsInactiveClinic: operation.allowsInactiveClinic === true,
  };
}

function roleOf(caller: Caller | null): DatabaseRole {
  if (!caller) return 'anon';
  return caller.userType === 'admin' ? 'super_admin' : 'authenticated';
}

function scopeOf(request: FastifyRequest, access: Access): Scope {
  if (access.kind === 'clinic') return { kind: 'clinic', id: pathId(request, 'clinicId'), role: access.role };
  if (access.kind === 'organisation') {
    const { role, clinicRole } = access;
    return { kind: 'organisation', id: pathId(request, 'organisationId'), role, clinicRole };
  }
  return { kind: 'none' };
}

function pathId(request: FastifyRequest, name: string): string {
  const value = (request.params as Record<string, string | undefined>)[name] ?? '';
  if (uuidPattern.test(value)) return value;
  const error = { path: name, code: 'invalid-format', message: 'Not a UUID.' };
  throw new InvalidRequest('The path holds an id that is not one.', { errors: [error] });
}
