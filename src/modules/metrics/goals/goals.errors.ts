import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const GoalTransition = defineProblem({
  code: 'goal-transition',
  status: 409,
  title: 'The goal cannot take this step',
  meaning:
    'A draft becomes active or cancelled, an active goal is cancelled, or achieved or missed by its value the day after ' +
    'its end. Nothing follows these.',
});
export const GoalClosed = defineProblem({
  code: 'goal-closed',
  status: 409,
  title: 'The goal is closed',
  meaning: 'It was achieved, missed or cancelled, and stays as it was then. Create another.',
});
export const TargetUnknown = defineProblem({
  code: 'target-unknown',
  status: 422,
  title: 'The formula gives no target',
  meaning:
    'There is no value for what the formula rests on, such as the period before; `errors` names for whom. Create the ' +
    'goal with a target of its own.',
});
