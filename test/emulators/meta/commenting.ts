import type { GraphCall } from './call.ts';
import type { Comment } from './comments.ts';
import { type Node, select } from './fields.ts';
import { invalidParameter, unknownObject } from './graph-errors.ts';
import { demandPageToken, type MetaState } from './meta-state.ts';
import { pageOf } from './paging.ts';
import { tell } from './telling.ts';
import { commentEvent } from './webhook-events.ts';
import { graphTime } from './world.ts';

/**
 * Comments are read and answered where everybody sees it.
 * Sources: https://developers.facebook.com/docs/instagram-platform/comment-moderation,
 * https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-comment and its edge replies.
 */

const longest = 2200;

/** GET /{comment} */
export function readComment(state: MetaState, call: GraphCall): object {
  const comment = reachedComment(state, call);
  return select(commentNode(state, comment), call.params.get('fields'), 'timestamp,text,id', 'IGComment');
}

/** GET /{comment}/replies */
export function listReplies(state: MetaState, call: GraphCall): object {
  const { id } = reachedComment(state, call);
  const { params, url, token } = call;
  const { items, paging } = pageOf(state.comments.repliesTo(id), { params, url, accessToken: token.value });
  const nodes = items.map((reply) => commentNode(state, reply));
  return { data: nodes.map((node) => select(node, params.get('fields'), 'timestamp,text,id', 'IGComment')), paging };
}

/** POST /{comment}/replies: comes back by webhook as any comment does, from the account itself. */
export function replyToComment(state: MetaState, call: GraphCall): object {
  const comment = reachedComment(state, call);
  const text = call.params.get('message') ?? '';
  if (text === '') throw invalidParameter('The parameter message is required');
  if ([...text].length > longest) throw invalidParameter(`The comment has more than ${longest} characters`);
  const { accountId, mediaId } = comment;
  const username = state.world.instagram.get(accountId)?.username ?? '';
  const parentId = comment.parentId ?? comment.id;
  const reply = state.comments.add({ accountId, mediaId, text, from: { id: accountId, username }, parentId });
  tell(state, commentEvent(reply), accountId);
  return { id: reply.id };
}

function reachedComment(state: MetaState, { id, token, method }: GraphCall): Comment {
  const comment = state.comments.all.get(id);
  if (!comment) throw unknownObject(id, method);
  state.demandReach(token, comment.accountId, method);
  demandPageToken(token);
  state.demandScopes(token, method, 'instagram_basic', 'instagram_manage_comments', 'pages_read_engagement');
  return comment;
}

function commentNode(state: MetaState, comment: Comment): Node {
  return {
    id: () => comment.id,
    text: () => comment.text,
    username: () => comment.from.username,
    from: () => comment.from,
    timestamp: () => graphTime(comment.at),
    media: () => ({ id: comment.mediaId }),
    parent_id: () => comment.parentId,
    hidden: () => false,
    like_count: () => 0,
    replies: () => ({ data: state.comments.repliesTo(comment.id).map(({ id, text }) => ({ id, text })) }),
  };
}
