import { createHash } from 'node:crypto';
import { PreconditionFailed } from './http.errors.js';

/** A strong entity tag made of the time of the last change. */
export function etagOf(updatedAt: Date | string): string {
  const stamp = updatedAt instanceof Date ? updatedAt.toISOString() : updatedAt;
  return `"${createHash('sha256').update(stamp).digest('base64url').slice(0, 22)}"`;
}

/**
 * Refuses a change that was made on top of another version. Without the header there is nothing to check.
 *
 * RFC 9110 section 13.1.1: a list of tags or `*`, compared strongly, so a weak tag never matches.
 *
 * @throws PreconditionFailed
 */
export function assertIfMatch(header: string | undefined, current: string): void {
  if (header === undefined || header.trim() === '*') return;
  if (!entityTags(header).includes(current)) throw new PreconditionFailed();
}

/**
 * Whether the client has this version already, so that 304 is the answer to a GET.
 *
 * RFC 9110 section 13.1.2: a list of tags or `*`, compared weakly, since caches on the way make tags weak.
 */
export function isKnown(header: string | undefined, current: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || entityTags(header).some((tag) => tag.replace(/^W\//, '') === current);
}

/** The tags of a list. What is not a list has none: `w/"tag"` is no tag, and must not pass for the strong one in it. */
function entityTags(list: string): string[] {
  const tag = /(W\/)?"[^"]*"/g;
  const isList = /^[\s,]*$/.test(list.replace(tag, ''));
  return isList ? (list.match(tag) ?? []) : [];
}
