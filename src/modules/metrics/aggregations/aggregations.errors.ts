import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const UnknownMetric = defineProblem({
  code: 'unknown-metric',
  status: 422,
  title: 'There is no such metric',
  meaning:
    'A code is neither of the system nor of this clinic; `errors` names each. `GET .../metrics/definitions` lists them.',
});
export const RangeTooLong = defineProblem({
  code: 'range-too-long',
  status: 422,
  title: 'The range has too many periods',
  meaning: 'An answer holds at most 1,100 periods of a metric. Ask for a coarser granularity or a shorter range.',
});
