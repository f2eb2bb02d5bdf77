import { defineProblem } from '../../kernel/errors/domain-error.js';

export const AccountNotConnected = defineProblem({
  code: 'account-not-connected',
  status: 409,
  title: 'The account is not connected',
  meaning: 'It was disconnected, or its access has expired. Connect it again.',
});
export const PostState = defineProblem({
  code: 'post-state',
  status: 409,
  title: 'The post is in another state',
  meaning: 'From its present state it cannot go there; the page of the module shows which way is open.',
});
export const PostNotDraft = defineProblem({
  code: 'post-not-draft',
  status: 409,
  title: 'The post is not a draft',
  meaning: 'Its content can be changed as a draft only. Take it off the schedule first, or duplicate it.',
});
