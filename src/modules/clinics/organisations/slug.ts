import { randomInt } from 'node:crypto';

/** A slug made of a name: `Zahnärzte am Süd-Ufer` -> `zahnarzte-am-sud-ufer`. */
export function slugOf(name: string): string {
  const ascii = name.normalize('NFKD').replace(/[\u0300-\u036f]/g, '');
  const slug = ascii
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-+|-+$/g, '');
  return slug || 'organisation';
}

/** The same slug with a tail, for when it is taken: who took it is not told. */
export function withTail(slug: string): string {
  return `${slug}-${randomInt(36 ** 5)
    .toString(36)
    .padStart(5, '0')}`;
}
