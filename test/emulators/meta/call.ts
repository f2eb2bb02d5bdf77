import type { Token } from './tokens.ts';

/** The calls that can be counted and can go wrong, by name. */
export const callNames = [
  ...['oauth.code', 'oauth.extend', 'oauth.app', 'debug_token', 'batch', 'object'],
  ...['me', 'accounts', 'permissions', 'permissions.revoke'],
  ...['page', 'page.feed', 'page.photo', 'page.video', 'page.posts', 'page.videos', 'page.message'],
  ...['page.subscribe', 'page.subscriptions', 'page.unsubscribe', 'post', 'post.delete', 'video', 'photo'],
  ...['instagram', 'instagram.container', 'instagram.status', 'instagram.publish', 'instagram.limit'],
  ...['instagram.media', 'instagram.stories', 'media', 'insights'],
  ...['instagram.subscribe', 'instagram.subscriptions', 'instagram.unsubscribe'],
  ...['participant.profile', 'comment', 'comment.reply', 'comment.replies'],
] as const;
export type CallName = (typeof callNames)[number];

/** One call of the Graph API, alone or within a batch. */
export interface GraphCall {
  name: CallName;
  method: string;
  /** The node's id, `me` resolved. */
  id: string;
  params: URLSearchParams;
  token: Token;
  /** Address of node and edge, without the query. */
  url: string;
}

export interface RecordedCall {
  name: CallName;
  method: string;
  /** Path and query, without tokens. */
  url: string;
  /** The node that the call is about; the page's or account's id for what is published on it stands in `ownerId`. */
  objectId: string;
  ownerId: string;
  isInBatch: boolean;
  at: string;
}
