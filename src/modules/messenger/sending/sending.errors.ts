import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const OutsideMessagingWindow = defineProblem({
  code: 'outside-messaging-window',
  status: 422,
  title: 'They wrote too long ago to be answered',
  meaning:
    'Meta lets a page answer within 24 hours of what somebody wrote last; `detail` says when that was over. They have to ' +
    'write again. Where the app has been granted the tag `HUMAN_AGENT`, a person may answer with it for seven days.',
});
export const HumanAgentNotGranted = defineProblem({
  code: 'human-agent-not-granted',
  status: 422,
  title: 'The tag HUMAN_AGENT is not granted here',
  meaning: "Meta grants it to an app on request, and then the installation's operator turns it on (META_HUMAN_AGENT).",
});
export const MessageNotFailed = defineProblem({
  code: 'message-not-failed',
  status: 409,
  title: 'The message has not failed',
  meaning: 'Only a message that was to be sent from here and has failed is sent again.',
});
export const MessageOutcomeUnknown = defineProblem({
  code: 'message-outcome-unknown',
  status: 409,
  title: 'Nobody knows whether it was sent',
  meaning:
    "Meta's answer to the call that sends was lost, and no echo of it came. Look at the conversation in Meta's own inbox: " +
    'if the message is not there, retry it with `confirmNotSent`.',
});
export const MessageRetried = defineProblem({
  code: 'message-already-retried',
  status: 409,
  title: 'The message has been sent again already',
  meaning: 'Another message stands in its place. If that one has failed, retry that one.',
});
export const MessageUnreadable = defineProblem({
  code: 'message-unreadable',
  status: 409,
  title: 'What the message says cannot be read',
  meaning: 'It rests under a key that is lost. Write it anew.',
});
