import type { z } from 'zod';
import {
  AlreadyExists,
  InvalidCursor,
  PayloadTooLarge,
  PreconditionFailed,
  RuleViolated,
  UnknownReference,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { DateOutOfRange } from './facts.errors.js';

interface FactOperations {
  /** `FinancialMetric`: what the operations and schemas of the kind are called after. */
  name: string;
  /** In sentences: `financial metric`. */
  words: string;
  /** The part of the path that names the kind. */
  path: string;
  /** Who may enter and change them, beyond the role that the route asks for. */
  rights: string;
  schemas: { one: z.ZodType; page: z.ZodType; written: z.ZodType; writtenAll: z.ZodType; outcomes: z.ZodType };
}

const refusedWrites = [AlreadyExists, DateOutOfRange, RuleViolated, UnknownReference];

/** The declarations of the six routes that every kind of facts has. */
export function factOperations({ name, words, path, rights, schemas }: FactOperations) {
  return {
    list: Operation({
      id: `list${name}s`,
      summary: `List the ${words}s of a clinic, newest day first`,
      access: clinicRole('viewer'),
      answers: schemas.page,
      refusals: [InvalidCursor],
    }),
    create: Operation({
      id: `create${name}`,
      summary: `Enter a ${words}`,
      description: `${rights} What looks unusual is taken, and said in \`warnings\`.`,
      access: clinicRole('staff'),
      status: 201,
      answers: schemas.written,
      location: `/clinics/{clinicId}/metrics/${path}/{id}`,
      idempotent: true,
      etag: true,
      refusals: refusedWrites,
    }),
    createAll: batchOperation({ name, words, path, rights, schemas }),
    get: Operation({
      id: `get${name}`,
      summary: `Read a ${words}`,
      access: clinicRole('viewer'),
      answers: schemas.one,
      etag: true,
    }),
    change: Operation({
      id: `update${name}`,
      summary: `Change a ${words}`,
      description: rights,
      access: clinicRole('staff'),
      answers: schemas.written,
      etag: true,
      refusals: [...refusedWrites, PreconditionFailed],
    }),
    remove: Operation({
      id: `delete${name}`,
      summary: `Delete a ${words}`,
      access: clinicRole('clinic_admin'),
    }),
  };
}

function batchOperation({ name, words, rights, schemas }: FactOperations): MethodDecorator {
  return Operation({
    id: `create${name}s`,
    summary: `Enter up to 1,000 ${words}s`,
    description: `All of them or, when one is refused, none; with \`?mode=partial\` each for itself, answered with 207. ${rights}`,
    access: clinicRole('staff'),
    status: 201,
    answers: schemas.writtenAll,
    alsoAnswers: { 207: schemas.outcomes },
    idempotent: true,
    refusals: [...refusedWrites, PayloadTooLarge],
  });
}
