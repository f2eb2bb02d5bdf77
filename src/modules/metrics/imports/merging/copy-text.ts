/** Rows in the text format of COPY: tabs between values, \N for null, backslashes before what would end a value. */

const special = /[\\\t\n\r]/g;
const hasSpecial = /[\\\t\n\r]/;
const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

export function copyLine(values: readonly (string | number | null)[]): string {
  let line = '';
  for (let index = 0; index < values.length; index += 1) {
    line += (index > 0 ? '\t' : '') + copyValue(values[index] ?? null);
  }
  return `${line}\n`;
}

function copyValue(value: string | number | null): string | number {
  if (value === null) return '\\N';
  if (typeof value === 'number' || !hasSpecial.test(value)) return value;
  return value.replace(special, (character) => escapes[character] ?? character);
}
