import type { MetaState } from './meta-state.ts';

/**
 * How much of the allowance is used, as Meta says it with each answer.
 * Source: https://developers.facebook.com/docs/graph-api/overview/rate-limiting.
 */
export function usageHeaders({ usage }: MetaState, objectId: string): Record<string, string> {
  const ofApp = usage.get('') ?? { callCount: 1, totalTime: 1, minutes: 0 };
  const app = { call_count: ofApp.callCount, total_cputime: 1, total_time: ofApp.totalTime };
  const ofObject = usage.get(objectId);
  if (!ofObject) return { 'x-app-usage': JSON.stringify(app) };
  const { callCount, totalTime, minutes } = ofObject;
  const object = {
    type: objectId.startsWith('178') ? 'instagram' : 'pages',
    ...{ call_count: callCount, total_cputime: 1, total_time: totalTime, estimated_time_to_regain_access: minutes },
  };
  const byObject = JSON.stringify({ [objectId]: [object] });
  return { 'x-app-usage': JSON.stringify(app), 'x-business-use-case-usage': byObject };
}
