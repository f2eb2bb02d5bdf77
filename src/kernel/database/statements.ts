import { createHash } from 'node:crypto';
import type { QueryConfig } from 'pg';

/** How many statements a connection may hold prepared. Texts beyond it are sent unnamed. */
const maximumNames = 500;

const names = new Map<string, string>();

/**
 * Gives a parameterised statement the name under which the server keeps its plan.
 *
 * The name carries the database role: a plan holds the policies of the role it was made for, and one statement used as
 * `authenticated` and `super_admin` in turn would be planned anew each time.
 */
export function namedStatement(role: string, text: string, values: readonly unknown[]): QueryConfig {
  const name = nameOf(`${role}:${text}`);
  return name === undefined ? { text, values: [...values] } : { name, text, values: [...values] };
}

function nameOf(key: string): string | undefined {
  const known = names.get(key);
  if (known !== undefined) return known;
  if (names.size >= maximumNames) return undefined;
  const name = `p_${createHash('sha256').update(key).digest('base64url').slice(0, 24)}`;
  names.set(key, name);
  return name;
}
