import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const DateOutOfRange = defineProblem({
  code: 'date-out-of-range',
  status: 422,
  title: 'The day is out of range',
  meaning: "Facts are of days from 1990-01-01 to tomorrow in the clinic's time zone; `errors` names the field.",
});
