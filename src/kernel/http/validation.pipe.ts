import { StandardSchemaValidationPipe } from '@nestjs/common';
import type { FieldError } from '../errors/domain-error.js';
import { InvalidRequest } from './http.errors.js';

interface Issue {
  message: string;
  code?: string;
  keys?: string[];
  path?: readonly (PropertyKey | { key: PropertyKey })[];
}

/** Checks path, query and body against the schemas that the route gives; a misfit names its fields, not their values. */
export const validationPipe = new StandardSchemaValidationPipe({
  exceptionFactory: (issues) =>
    new InvalidRequest(undefined, { errors: (issues as readonly Issue[]).flatMap(fieldErrors) }),
});

function fieldErrors(issue: Issue): FieldError[] {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => ({
      path: [...path, key].join('.'),
      code: 'unknown-field',
      message: 'There is no such field.',
    }));
  }
  return [{ path: path.join('.'), code: (issue.code ?? 'invalid').replaceAll('_', '-'), message: issue.message }];
}
