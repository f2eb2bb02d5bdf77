import { applyDecorators, HttpCode, SetMetadata } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiConsumes, ApiHeader, ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';
import type { ProblemClass } from '../errors/domain-error.js';
import { type Access, describeAccess } from '../tenancy/access.js';
import type { RawBodyOptions } from './raw-body.js';

export const OPERATION = 'polyclinic:operation';

export interface UploadOptions {
  /** The fields before the file, all of them text; a strict object. */
  fields: z.ZodType;
  /** Of the whole body, where that is less than the installation's `UPLOAD_LIMIT_BYTES`. */
  maxBytes?: number;
}

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
  /**
   * The answer carries an ETag made of its `updatedAt`, or of the stamp that the function takes from the body. A GET
   * whose `If-None-Match` names it is answered 304.
   */
  etag?: boolean | ((body: never) => string);
  /** Bodies for other statuses of success than `status`, which a handler answers through `withStatus`. */
  alsoAnswers?: Partial<Record<207, z.ZodType>>;
  /**
   * The handler returns a `StreamedAnswer` of one of these types in place of a body. Where one of them is JSON, `answers`
   * documents it; the handler itself sees to it that nothing else is in it.
   */
  streams?: { contentTypes: readonly string[] };
  /** Takes multipart/form-data, which a parameter with `@Upload()` reads; every other route refuses it. */
  uploads?: UploadOptions;
  /** Takes a body of `application/x-www-form-urlencoded`, and no other. */
  forms?: boolean;
  /** Takes JSON that is signed: unread until its signature is checked, by a parameter with `@RawBody()`. */
  rawBody?: RawBodyOptions;
  /** Answers text in place of JSON: the handler returns it, and `answers` is a schema of strings. */
  text?: boolean;
  /** The handler may return its body through `withCookie`: the answer binds what comes later to this browser. */
  setsCookie?: boolean;
  /** For a browser that navigates: the handler returns a `Redirect`, and may write although it is a GET. */
  redirects?: boolean;
  /** Usable before the caller's address is verified. */
  allowsUnverified?: boolean;
  /** Usable on an inactive clinic although it writes. */
  allowsInactiveClinic?: boolean;
  /** A read that leaves a trace in the audit log, and therefore needs a transaction that may write. */
  recordsReads?: boolean;
  /**
   * Not counted against any limit: for probes, which come often and from one address. `unless-refused`: what is refused
   * is counted for its address, for a caller who proves only in the request itself who it is.
   */
  unlimited?: boolean | 'unless-refused';
}

/**
 * Declares a route. One without this declaration stops the start: nothing is open by oversight. What it answers is
 * documented once its method is known (`documentedAnswers`).
 */
export function Operation(options: OperationOptions): MethodDecorator {
  const status = statusOf(options);
  // An unread body cannot be compared, and a stream cannot be stored: neither could be replayed.
  if (options.idempotent && (options.uploads || options.streams || options.setsCookie))
    throw new Error(
      `${options.id}: an Idempotency-Key needs a body that can be compared and an answer that can be stored.`,
    );
  const documented = [
    ApiOperation({
      operationId: options.id,
      summary: options.summary,
      ...(options.access.kind === 'public' && { security: [] }),
      description: [options.description, `Who may: ${describeAccess(options.access)}.`].filter(Boolean).join('\n\n'),
    }),
  ];
  if (options.access.kind !== 'public') documented.push(ApiBearerAuth());
  if (options.idempotent) documented.push(ApiHeader(idempotencyKeyHeader));
  if (options.uploads) documented.push(...uploadDecorators(options.uploads));
  if (options.forms) documented.push(RouteConfig({ forms: true }), ApiConsumes('application/x-www-form-urlencoded'));
  if (options.rawBody) documented.push(RouteConfig({ rawBody: options.rawBody }), ApiBody(signedBody));
  return applyDecorators(SetMetadata(OPERATION, options), HttpCode(status), ...documented);
}

/** The status of success: 204 for a route that answers nothing, unless it says otherwise. */
export function statusOf(options: OperationOptions): number {
  if (options.redirects) return 302;
  return options.status ?? (options.answers || options.streams ? 200 : 204);
}

/** The file stands last in the form: when it comes, the fields that say what it is are known. */
function uploadDecorators(uploads: UploadOptions): MethodDecorator[] {
  const { $schema: _, ...fields } = z.toJSONSchema(uploads.fields, { target: 'openapi-3.0', io: 'input' });
  const schema = {
    ...fields,
    properties: { ...fields.properties, file: { type: 'string', format: 'binary', description: 'The last part.' } },
    required: [...(fields.required ?? []), 'file'],
  };
  return [
    RouteConfig({ uploads }),
    ApiConsumes('multipart/form-data'),
    ApiBody({ schema: schema as Parameters<typeof ApiBody>[0] extends { schema: infer S } ? S : never }),
  ];
}

const signedBody = { schema: { type: 'object' }, description: 'JSON, as the bytes that were signed.' } as const;

const idempotencyKeyHeader = {
  name: 'Idempotency-Key',
  required: false,
  description: 'Any text of up to 200 characters: the same key with the same body is done once and answered again.',
  schema: { type: 'string', maxLength: 200 },
} as const;
