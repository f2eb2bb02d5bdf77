import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const PeriodAhead = defineProblem({
  code: 'period-ahead',
  status: 422,
  title: 'The period has not begun',
  meaning: 'In the clinic’s time zone the week or month lies in the future: there is nothing to report yet.',
});
export const DeliveryBusy = defineProblem({
  code: 'delivery-busy',
  status: 409,
  title: 'Another worker is sending it',
  meaning: 'A job found that its report is being mailed at this moment, and looks again later.',
});
