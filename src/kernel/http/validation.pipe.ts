import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { FieldError } from '../errors/domain-error.js';
import { InvalidRequest } from './http.errors.js';

type Schema = NonNullable<ArgumentMetadata['schema']>;

interface Issue {
  message: string;
  code?: string;
  keys?: string[];
  path?: readonly (PropertyKey | { key: PropertyKey })[];
}

/**
 * Checks path, query and body against the schemas that the route gives; a misfit names its fields, not their values.
 *
 * Nest's own pipe for such schemas does not tell which parameter did not fit, and walks through every body once more
 * for keys that the JSON parser has refused already.
 */
export class ValidationPipe implements PipeTransform<unknown, Promise<unknown>> {
  async transform(value: unknown, { schema, data }: ArgumentMetadata): Promise<unknown> {
    return schema ? fitted(schema, value, data) : value;
  }
}

/**
 * The value as the schema makes it.
 *
 * @param within the one parameter that is checked by itself, as `@Param('userId', ...)` is
 * @throws InvalidRequest that names what does not fit
 */
export async function fitted(schema: Schema, value: unknown, within?: string): Promise<unknown> {
  const result = await schema['~standard'].validate(value);
  if (!result.issues) return result.value;
  const issues = result.issues as readonly Issue[];
  throw new InvalidRequest(undefined, { errors: issues.flatMap((issue) => fieldErrors(issue, within)) });
}

function fieldErrors(issue: Issue, within: string | undefined): FieldError[] {
  const inner = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  const path = within === undefined ? inner : [within, ...inner];
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => ({
      path: [...path, key].join('.'),
      code: 'unknown-field',
      message: 'There is no such field.',
    }));
  }
  return [{ path: path.join('.'), code: (issue.code ?? 'invalid').replaceAll('_', '-'), message: issue.message }];
}
