import type { DataType, ReportGoal } from './reports.schemas.js';

/** What a report needs of a goal; the goals' own shape has it. */
interface Goal {
  id: string;
  metric: string;
  name: string;
  dataType: string;
  providerName: string | null;
  direction: 'at_least' | 'at_most';
  status: string;
  onTrack: boolean | null;
  targetValue: string;
  currentValue: string | null;
  progress: string | null;
  endDate: string;
}

/** A goal as a report shows it: as it stands when the report is made. */
export function reportedGoal(goal: Goal): ReportGoal {
  const { id, metric, name, providerName, direction, targetValue, currentValue, progress, endDate } = goal;
  return {
    ...{ id, metric, name, providerName, direction },
    dataType: goal.dataType as DataType,
    standing: standingOf(goal),
    target: targetValue,
    current: currentValue,
    progressPercent: progress,
    endsOn: endDate,
  };
}

function standingOf({ status, onTrack }: Goal): ReportGoal['standing'] {
  if (status === 'achieved' || status === 'missed') return status;
  if (onTrack === null) return 'no figures';
  return onTrack ? 'on track' : 'behind';
}
