import { applyDecorators, HttpCode, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import type { ProblemClass } from '../errors/domain-error.js';
import { type Access, describeAccess } from '../tenancy/access.js';

export const OPERATION = 'polyclinic:operation';

/** All that a route promises: who may call it, what it answers, how it refuses. One source for guard, answer and OpenAPI. */
export interface OperationOptions {
  /** Stable name in the OpenAPI document, e.g. `listClinics`. */
  id: string;
  summary: string;
  description?: string;
  access: Access;
  /** The only columns that leave: whatever the schema does not name is dropped. Without one the answer is empty. */
  answers?: z.ZodType;
  /** 200 unless given; 204 where nothing is answered. */
  status?: 200 | 201 | 202 | 204;
  /** Where the created thing is found, e.g. `/clinics/{id}`, filled from the answer and then from the path. */
  location?: string;
  /** The problems of the domain that this route can answer with. */
  refusals?: readonly ProblemClass[];
  /** Honours `Idempotency-Key`: the answer is stored with what it did and replayed. */
  idempotent?: boolean;
  /** The answer carries an ETag made of its `updatedAt`. */
  etag?: boolean;
  /** Usable before the caller's address is verified. */
  allowsUnverified?: boolean;
  /** Usable on an inactive clinic although it writes. */
  allowsInactiveClinic?: boolean;
  /** A read that leaves a trace in the audit log, and therefore needs a transaction that may write. */
  recordsReads?: boolean;
  /** Not counted against any limit: for probes, which come often and from one address. */
  unlimited?: boolean;
}

/** Declares a route. One without this declaration stops the start: nothing is open by oversight. */
export function Operation(options: OperationOptions): MethodDecorator {
  const status = statusOf(options);
  const documented = [
    ApiOperation({
      operationId: options.id,
      summary: options.summary,
      ...(options.access.kind === 'public' && { security: [] }),
      description: [options.description, `Who may: ${describeAccess(options.access)}.`].filter(Boolean).join('\n\n'),
    }),
    ApiResponse({ status, description: 'Done.', ...(options.answers && { standardSchema: options.answers }) }),
    ...refusalResponses(options),
  ];
  if (options.access.kind !== 'public') documented.push(ApiBearerAuth());
  if (options.idempotent) documented.push(ApiHeader(idempotencyKeyHeader));
  return applyDecorators(SetMetadata(OPERATION, options), HttpCode(status), ...documented);
}

/** The status of success: 204 for a route that answers nothing, unless it says otherwise. */
export function statusOf(options: OperationOptions): number {
  return options.status ?? (options.answers ? 200 : 204);
}

const idempotencyKeyHeader = {
  name: 'Idempotency-Key',
  required: false,
  description: 'Any text of up to 200 characters: the same key with the same body is done once and answered again.',
  schema: { type: 'string', maxLength: 200 },
} as const;

function refusalResponses({ access, idempotent, unlimited, refusals = [] }: OperationOptions) {
  const codes = new Map<number, string[]>([[400, ['invalid-request']]]);
  const add = (status: number, code: string) => codes.set(status, [...new Set([...(codes.get(status) ?? []), code])]);
  if (access.kind !== 'public') add(401, 'unauthenticated');
  if (access.kind === 'admin') add(403, 'forbidden');
  if (access.kind === 'clinic' || access.kind === 'organisation') {
    add(403, 'role-too-low');
    add(404, 'not-found');
  }
  if (!unlimited) add(429, 'too-many-requests');
  add(503, 'database-unavailable');
  if (idempotent) {
    add(409, 'idempotency-key-busy');
    add(422, 'idempotency-key-reused');
  }
  for (const { definition } of refusals) add(definition.status, definition.code);
  return [...codes].map(([status, names]) =>
    ApiResponse({
      status,
      description: names.map((name) => `\`${name}\``).join(', '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    }),
  );
}
