import { camelName } from '../../../kernel/database/column-names.js';
import { type DomainError, type FieldError, problems } from '../../../kernel/errors/domain-error.js';
import { RuleViolated } from '../../../kernel/http/http.errors.js';
import { asRefusal } from '../../../kernel/http/problem-mapping.js';
import type { FactKind } from './fact-kinds.js';
import { DateOutOfRange } from './facts.errors.js';

const firstDay = '1990-01-01';
const dateError: FieldError = {
  path: 'date',
  code: DateOutOfRange.definition.code,
  message: "Give a day from 1990-01-01 to tomorrow in the clinic's time zone.",
};

/** Days before this are nobody's business any more; the end of the range depends on the clinic, so the database keeps it. */
export function assertDateIsKept({ date }: { date?: string | undefined }): void {
  if (date !== undefined && date < firstDay) throw new DateOutOfRange(undefined, { errors: [dateError] });
}

/** @throws RuleViolated for a fact that states nothing but its day */
export function assertSaysSomething({ values }: FactKind, fact: object): void {
  if (!values) return;
  const fields = values.map(camelName);
  if (fields.some((field) => (fact as Record<string, unknown>)[field] !== null)) return;
  const message = `Give at least one of ${fields.join(', ')}.`;
  const [path = ''] = fields;
  throw new RuleViolated(message, { errors: [{ path, code: RuleViolated.definition.code, message }] });
}

/**
 * What the database refused of a fact, with its fields named.
 *
 * @param at where the fact stands in the request, e.g. `items.3.`
 * @throws what was thrown, when it is no refusal
 */
export function refusalOf(thrown: unknown, at = ''): DomainError {
  const refusal = asRefusal(thrown);
  const { code } = refusal.definition;
  const Kind = problems.get(code);
  const errors = refusal.errors ?? (code === dateError.code ? [dateError] : undefined);
  if (!Kind || !errors) return refusal;
  const named = errors.map((error) => ({ ...error, path: `${at}${error.path}` }));
  return new Kind(refusal.message, { errors: named, cause: thrown });
}
