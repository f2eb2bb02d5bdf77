/** The states of leads and of replies to them. The same tables guard the rows (migration 1795219205400). */

export const leadStates = ['new', 'contacted', 'dismissed'] as const;
export type LeadState = (typeof leadStates)[number];

export const leadTransitions: Record<LeadState, readonly LeadState[]> = {
  // To contacted: by a reply that was sent, or by hand, as when somebody telephones.
  new: ['contacted', 'dismissed'],
  contacted: ['dismissed'],
  dismissed: ['new'],
};

/** One below the comment, for all to see; one to its writer alone. */
export const replyKinds = ['public', 'private'] as const;
export type ReplyKind = (typeof replyKinds)[number];

export const replyStates = ['pending', 'sent', 'failed'] as const;
export type ReplyState = (typeof replyStates)[number];

export const replyTransitions: Record<ReplyState, readonly ReplyState[]> = {
  pending: ['sent', 'failed'],
  sent: [],
  // Asked for once more.
  failed: ['pending'],
};

/** Why a reply was not sent. */
export const replyErrors = [
  'comment-gone',
  'meta-not-configured',
  'meta-permission-missing',
  'meta-refused',
  'meta-unavailable',
  'not-connected',
  'outcome-unknown',
  'private-reply-refused',
  'recipient-unavailable',
] as const;
export type ReplyError = (typeof replyErrors)[number];

/**
 * How long after a comment its writer can be answered in private:
 * https://developers.facebook.com/docs/messenger-platform/instagram/features/private-replies
 */
export const privateReplyMs = 7 * 86_400_000;
