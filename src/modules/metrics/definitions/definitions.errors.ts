import { type DomainError, defineProblem } from '../../../kernel/errors/domain-error.js';

export const InvalidFormula = defineProblem({
  code: 'invalid-formula',
  status: 422,
  title: 'The formula cannot be used',
  meaning:
    'It cannot be read, names a metric that is not there, rests on itself or is too long; `errors` names the field and ' +
    'the column in it, counted from 1.',
});
export const BaseMetric = defineProblem({
  code: 'base-metric',
  status: 409,
  title: 'The metric is taken from the facts',
  meaning: 'Only metrics that are formulas can be changed or deleted.',
});

/** A refusal that points into a formula. @param offset counted from 0 */
export function formulaRefusal(path: string, offset: number, why: string): DomainError {
  const message = `Column ${offset + 1}: ${why}`;
  return new InvalidFormula(message, { errors: [{ path, code: InvalidFormula.definition.code, message }] });
}
