import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const PeriodAhead = defineProblem({
  code: 'period-ahead',
  status: 422,
  title: 'The period has not begun',
  meaning: 'In the clinic’s time zone the week or month lies in the future: there is nothing to report yet.',
});
