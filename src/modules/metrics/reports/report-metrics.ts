import type { ReportKind } from './period.js';
import type { Chart } from './reports.schemas.js';

/** What a report tells, in this order: heading -> codes of metrics. */
export const groups: readonly (readonly [string, readonly string[]])[] = [
  ['Money', ['production', 'net_production', 'collections', 'collection_rate']],
  [
    'Appointments',
    ['appointments', 'completed_appointments', 'completion_rate', 'no_show_rate', 'cancellation_rate', 'utilization'],
  ],
  ['Calls', ['calls', 'connected_calls', 'call_conversion']],
  ['Patients', ['new_patients', 'active_patients', 'lost_patients', 'treatment_acceptance']],
];

export const reportedMetrics = groups.flatMap(([, metrics]) => metrics);

/** The columns of the providers' table: what facts name a provider for. */
export const providerMetrics = ['production', 'collections', 'completed_appointments', 'no_show_rate', 'utilization'];

interface ChartPlan extends Pick<Chart, 'id' | 'shape'> {
  title: Record<ReportKind, string>;
  of: 'days' | 'periods';
  /** Where the legend needs a shorter name than the definition's, it is given. */
  metrics: readonly { metric: string; name?: string }[];
}

export const chartPlans: readonly ChartPlan[] = [
  {
    id: 'daily-money',
    shape: 'bars',
    of: 'days',
    title: { weekly: 'Production and collections by day', monthly: 'Production and collections by day' },
    metrics: [{ metric: 'production' }, { metric: 'collections' }],
  },
  {
    id: 'trend',
    shape: 'lines',
    of: 'periods',
    title: { weekly: 'Production and collections, twelve weeks', monthly: 'Production and collections, twelve months' },
    metrics: [{ metric: 'production' }, { metric: 'collections' }],
  },
  {
    id: 'appointments',
    shape: 'stack',
    of: 'days',
    title: { weekly: 'Appointments by outcome', monthly: 'Appointments by outcome' },
    metrics: [
      { metric: 'completed_appointments', name: 'Completed' },
      { metric: 'cancelled_appointments', name: 'Cancelled' },
      { metric: 'no_shows', name: 'No-shows' },
    ],
  },
  {
    id: 'calls',
    shape: 'stack',
    of: 'days',
    title: { weekly: 'Calls', monthly: 'Calls' },
    metrics: [
      { metric: 'connected_calls', name: 'Connected' },
      { metric: 'voicemails', name: 'Voicemails' },
    ],
  },
];
