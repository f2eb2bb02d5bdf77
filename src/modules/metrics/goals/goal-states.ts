import { GoalTransition } from './goals.errors.js';

export const goalStatuses = ['draft', 'active', 'achieved', 'missed', 'cancelled'] as const;
export type GoalStatus = (typeof goalStatuses)[number];

/** Which state may follow which. The trigger `app.check_goal` holds the same table, whoever writes. */
export const goalTransitions: Record<GoalStatus, readonly GoalStatus[]> = {
  draft: ['active', 'cancelled'],
  active: ['achieved', 'missed', 'cancelled'],
  achieved: [],
  missed: [],
  cancelled: [],
};

/** What only the closing job may say of a goal, by its value. */
const byValueAlone: readonly GoalStatus[] = ['achieved', 'missed'];

/** A step that a person asks for. To stay where it is is no step. @throws GoalTransition */
export function assertTransition(from: GoalStatus, to: GoalStatus): void {
  if (from === to) return;
  if (!goalTransitions[from].includes(to)) throw new GoalTransition(`A goal that is ${from} cannot become ${to}.`);
  if (byValueAlone.includes(to)) throw new GoalTransition(`A goal becomes ${to} by its value, the day after its end.`);
}

export function isClosed(status: GoalStatus): boolean {
  return goalTransitions[status].length === 0;
}
