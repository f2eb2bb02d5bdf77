import type { CallName, GraphCall } from './call.ts';
import { listReplies, readComment, replyToComment } from './commenting.ts';
import type { Fault } from './faults.ts';
import { type Node, select } from './fields.ts';
import { GraphRefusal, unknownObject } from './graph-errors.ts';
import { readInsights } from './insights.ts';
import {
  createContainer,
  listMedia,
  publish,
  publishingLimit,
  readAccount,
  readContainer,
  readMedia,
} from './instagram.ts';
import type { MetaState, NodeKind } from './meta-state.ts';
import {
  accounts,
  deletePost,
  listPosts,
  listVideos,
  publishFeed,
  publishPhoto,
  publishVideo,
  readPage,
  readPost,
} from './pages.ts';
import { readParticipant, sendMessage } from './sending.ts';
import { subscribe, subscriptions, unsubscribe } from './subscriptions.ts';

/** Which call a method, a kind of node and an edge are; what is not here does not exist. */
const names: Record<string, CallName> = {
  'GET person': 'me',
  'GET person/accounts': 'accounts',
  'GET person/permissions': 'permissions',
  'DELETE person/permissions': 'permissions.revoke',
  'GET page': 'page',
  'POST page/feed': 'page.feed',
  'POST page/photos': 'page.photo',
  'POST page/videos': 'page.video',
  'GET page/feed': 'page.posts',
  'GET page/posts': 'page.posts',
  'GET page/published_posts': 'page.posts',
  'GET page/videos': 'page.videos',
  'POST page/messages': 'page.message',
  'POST page/subscribed_apps': 'page.subscribe',
  'GET page/subscribed_apps': 'page.subscriptions',
  'DELETE page/subscribed_apps': 'page.unsubscribe',
  'GET post': 'post',
  'DELETE post': 'post.delete',
  'GET video': 'video',
  'DELETE video': 'post.delete',
  'GET photo': 'photo',
  'DELETE photo': 'post.delete',
  'GET participant': 'participant.profile',
  'GET comment': 'comment',
  'GET comment/replies': 'comment.replies',
  'POST comment/replies': 'comment.reply',
  'GET instagram': 'instagram',
  'POST instagram/media': 'instagram.container',
  'POST instagram/media_publish': 'instagram.publish',
  'GET instagram/content_publishing_limit': 'instagram.limit',
  'GET instagram/media': 'instagram.media',
  'GET instagram/stories': 'instagram.stories',
  'POST instagram/subscribed_apps': 'instagram.subscribe',
  'GET instagram/subscribed_apps': 'instagram.subscriptions',
  'DELETE instagram/subscribed_apps': 'instagram.unsubscribe',
  'GET container': 'instagram.status',
  'GET media': 'media',
  'GET media/insights': 'insights',
  'GET post/insights': 'insights',
  'GET video/video_insights': 'insights',
};

export const callNameOf = (method: string, kind: NodeKind, edge: string): CallName =>
  names[`${method} ${kind}${edge && `/${edge}`}`] ?? 'object';

/** Carries the call out, or throws what Meta refuses it with. */
export function carryOut(state: MetaState, call: GraphCall, fault: Fault | undefined): object {
  if (call.name === 'instagram.container') return createContainer(state, call, fault);
  const handle = handlers[call.name];
  if (!handle) throw unknownObject(call.id, call.method);
  return handle(state, call);
}

const handlers: Partial<Record<CallName, (state: MetaState, call: GraphCall) => object>> = {
  me: readPerson,
  accounts,
  permissions: listPermissions,
  'permissions.revoke': revokePermissions,
  page: (state, call) => {
    state.demandReach(call.token, call.id, call.method);
    return readPage(state, call);
  },
  'page.feed': publishFeed,
  'page.photo': publishPhoto,
  'page.video': publishVideo,
  'page.posts': listPosts,
  'page.videos': listVideos,
  'page.message': sendMessage,
  'page.subscribe': subscribe,
  'page.subscriptions': subscriptions,
  'page.unsubscribe': unsubscribe,
  'participant.profile': readParticipant,
  comment: readComment,
  'comment.replies': listReplies,
  'comment.reply': replyToComment,
  post: readPost,
  'post.delete': deletePost,
  video: readPost,
  photo: readPost,
  instagram: readAccount,
  'instagram.publish': publish,
  'instagram.limit': publishingLimit,
  'instagram.media': listMedia,
  'instagram.stories': listMedia,
  'instagram.status': readContainer,
  'instagram.subscribe': subscribe,
  'instagram.subscriptions': subscriptions,
  'instagram.unsubscribe': unsubscribe,
  media: readMedia,
  insights: readInsights,
};

/** GET /me: the e-mail address only where it was allowed, and where there is one. */
function readPerson(state: MetaState, call: GraphCall): object {
  const person = state.world.people.get(call.id);
  if (!person || call.token.grant?.personId !== call.id) throw unknownObject(call.id, call.method);
  const { id, name, firstName, lastName, email } = person;
  const node: Node = {
    id: () => id,
    name: () => name,
    first_name: () => firstName || undefined,
    last_name: () => lastName || undefined,
    email: () => (call.token.grant?.scopes.has('email') ? (email ?? undefined) : undefined),
    picture: () => ({ data: { is_silhouette: true, url: `https://scontent.example/people/${id}.jpg` } }),
  };
  return select(node, call.params.get('fields'), 'name,id', 'User');
}

function demandOneself({ token, id, method }: GraphCall): void {
  if (token.kind !== 'USER' || token.grant?.personId !== id) throw unknownObject(id, method);
}

function listPermissions(_: MetaState, call: GraphCall): object {
  demandOneself(call);
  const { scopes = [], declined = [] } = call.token.grant ?? {};
  const granted = [...scopes].map((permission) => ({ permission, status: 'granted' }));
  return { data: [...granted, ...[...declined].map((permission) => ({ permission, status: 'declined' }))] };
}

/** DELETE /me/permissions removes the app from the person's account; one permission is named in the path or query. */
function revokePermissions(state: MetaState, call: GraphCall): object {
  const { token, id, params } = call;
  const isByApp = token.kind === 'APP';
  if (!isByApp) demandOneself(call);
  const permission = params.get('permission');
  const grant = state.tokens.grantOf(id);
  if (isByApp && !grant) throw new GraphRefusal('(#100) The user has not authorised the application', 100);
  if (permission) grant?.scopes.delete(permission);
  else state.tokens.revoke(id, 458);
  return { success: true };
}
