import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const AssigneeNotInClinic = defineProblem({
  code: 'assignee-not-in-clinic',
  status: 422,
  title: 'That person does not work in the clinic',
  meaning:
    'A conversation is handed to somebody with `staff` or above in its clinic. One that belongs to no clinic stays with ' +
    'its owner.',
});
export const ConversationClosed = defineProblem({
  code: 'conversation-closed',
  status: 409,
  title: 'The conversation is closed',
  meaning: 'What is done with cannot be put off. Open it first.',
});
export const MessageStatusFinal = defineProblem({
  code: 'message-status-final',
  status: 409,
  title: 'The message is further than that',
  meaning: 'What is known of a message only goes forward: sent, delivered, read.',
});
