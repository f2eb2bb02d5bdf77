import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const LeadStateInvalid = defineProblem({
  code: 'lead-state-invalid',
  status: 409,
  title: 'The lead cannot go there',
  meaning:
    'A lead goes from new to contacted or dismissed, from contacted to dismissed, and from dismissed back to new. One ' +
    'that is dismissed is not replied to.',
});
export const AlreadyReplied = defineProblem({
  code: 'already-replied',
  status: 409,
  title: 'Replied already',
  meaning: 'A comment has one public and one private reply. This one is sent, or on its way.',
});
export const ReplyOutcomeUnknown = defineProblem({
  code: 'reply-outcome-unknown',
  status: 409,
  title: 'The reply may have been sent',
  meaning:
    'Meta gave no answer when the reply was sent, and it could not be found there. Look on Instagram; if it is not ' +
    'there, send it again with `confirmNotSent`.',
});
export const CommentGone = defineProblem({
  code: 'comment-gone',
  status: 409,
  title: 'The comment is gone',
  meaning: 'Its writer or somebody else has deleted it on Instagram: nothing can be replied to it.',
});
export const PrivateReplyTooLate = defineProblem({
  code: 'private-reply-too-late',
  status: 422,
  title: 'Too late for a private reply',
  meaning: 'Instagram takes a private reply within seven days of the comment.',
});
