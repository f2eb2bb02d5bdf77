import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const PostNotPublishable = defineProblem({
  code: 'post-not-publishable',
  status: 422,
  title: 'The post cannot be published as it is',
  meaning:
    'It is against a limit of the platform, or its media cannot be read; `errors` names each field. docs/social/posts.md ' +
    'has the limits.',
});
export const ScheduleTimeRefused = defineProblem({
  code: 'schedule-time-refused',
  status: 422,
  title: 'The time cannot be scheduled',
  meaning:
    'It lies more than fifteen minutes back or more than a year ahead, or the clocks of the zone skip it; `errors` names ' +
    'the field.',
});
export const PostOutcomeUnknown = defineProblem({
  code: 'post-outcome-unknown',
  status: 409,
  title: 'Nobody knows whether it was published',
  meaning:
    "Meta's answer to the call that publishes was lost. Look at the page: if the post is not there, retry it with " +
    '`confirmNotPublished`.',
});
export const PostChangedMeanwhile = defineProblem({
  code: 'post-changed-meanwhile',
  status: 409,
  title: 'The post was changed while it was being checked',
  meaning: 'Somebody changed it between its checks and its scheduling, so that they hold no longer. Send it again.',
});
