import { GraphRefusal } from './graph-errors.ts';

/**
 * `fields=id,picture{url},likes.limit(0).summary(true)`: what a reader picks of a node.
 * Source: https://developers.facebook.com/docs/graph-api/guides/field-expansion.
 */
export interface Field {
  name: string;
  /** `limit` -> `0` */
  modifiers: Record<string, string>;
  fields: Field[];
}

/** What a node can say of itself; undefined is left out of the answer, as Meta leaves out what is empty. */
export type Node = Record<string, (field: Field) => unknown>;

/** @returns the fields asked for, and `id` always */
export function select(node: Node, asked: string | null | Field[], byDefault: string, type: string): object {
  const fields = Array.isArray(asked) && asked.length > 0 ? asked : parseFields(String(asked || byDefault));
  const names = new Map([['id', { name: 'id', modifiers: {}, fields: [] } as Field]]);
  for (const field of fields) names.set(field.name, field);
  const picked: Record<string, unknown> = {};
  for (const field of [...names.values()].slice(1)) picked[field.name] = resolve(node, field, type);
  picked['id'] = resolve(node, { name: 'id', modifiers: {}, fields: [] }, type);
  return picked;
}

function resolve(node: Node, field: Field, type: string): unknown {
  const known = node[field.name];
  if (known) return known(field);
  if (field.name === 'id') return undefined;
  throw new GraphRefusal(`(#100) Tried accessing nonexisting field (${field.name}) on node type (${type})`, 100);
}

export function parseFields(text: string): Field[] {
  return splitOutside(text, ',').map((part) => {
    const [, head = '', inner] = /^([^{]*)(?:\{(.*)\})?$/s.exec(part) ?? [];
    const [name = '', ...modifiers] = splitOutside(head, '.');
    if (!/^\w+$/.test(name)) throw new GraphRefusal(`Syntax error "Field expected." at: ${part}`, 2500);
    return { name, modifiers: Object.fromEntries(modifiers.map(modifier)), fields: inner ? parseFields(inner) : [] };
  });
}

function modifier(text: string): [string, string] {
  const [, name = '', value = ''] = /^(\w+)\((.*)\)$/s.exec(text) ?? [];
  return [name, value];
}

/** Splits at separators that stand in no bracket. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if ('{('.includes(character)) depth += 1;
    if ('})'.includes(character)) depth -= 1;
    if (character === separator && depth === 0) {
      parts.push(part.trim());
      part = '';
    } else part += character;
  }
  return [...parts, part.trim()].filter((each) => each !== '');
}
