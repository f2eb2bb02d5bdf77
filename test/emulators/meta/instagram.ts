import type { GraphCall } from './call.ts';
import { type Container, mediaNotReady } from './containers.ts';
import type { Published, PublishedKind } from './content.ts';
import type { Fault } from './faults.ts';
import { type Node, select } from './fields.ts';
import { instagramError, invalidParameter, unknownObject } from './graph-errors.ts';
import { insightsField } from './insights.ts';
import type { MetaState } from './meta-state.ts';
import { pageOf } from './paging.ts';
import { graphTime, type InstagramAccount } from './world.ts';

/**
 * Instagram's accounts, what they publish and how much they may.
 * Sources: https://developers.facebook.com/docs/instagram-platform/content-publishing and
 * .../instagram-graph-api/reference (ig-user, its edges media, media_publish, stories, content_publishing_limit,
 * ig-container, ig-media).
 */

const windowMs = 24 * 3_600_000;
const publishes = ['instagram_basic', 'instagram_content_publish', 'pages_read_engagement'];

export function readAccount(state: MetaState, call: GraphCall): object {
  const { token, id, method, params } = call;
  state.demandReach(token, id, method);
  state.demandScopes(token, method, 'instagram_basic');
  return select(instagramNode(state, accountOf(state, id)), params.get('fields'), 'id', 'IGUser');
}

/** `account_type` is documented for the Instagram login alone; read with a page's token it is answered here too. */
export function instagramNode(state: MetaState, account: InstagramAccount): Node {
  return {
    id: () => account.id,
    username: () => account.username,
    name: () => account.name,
    account_type: () => account.accountType,
    profile_picture_url: () => `https://scontent.example/instagram/${account.id}.jpg`,
    followers_count: () => 100,
    media_count: () => state.content.of(account.id, ['instagram-feed', 'instagram-reel']).length,
  };
}

/** POST /{ig}/media */
export function createContainer(state: MetaState, call: GraphCall, fault: Fault | undefined): object {
  state.demandReach(call.token, call.id, call.method);
  state.demandScopes(call.token, call.method, ...publishes);
  return { id: state.containers.create(call.id, call.params, fault).id };
}

/** GET /{container} */
export function readContainer(state: MetaState, call: GraphCall): object {
  const container = state.containers.all.get(call.id);
  if (!container) throw unknownObject(call.id, call.method);
  state.demandReach(call.token, container.accountId, call.method);
  state.demandScopes(call.token, call.method, ...publishes);
  const status = state.containers.poll(container);
  const node: Node = {
    id: () => container.id,
    status_code: () => status,
    status: () => statusWords[status],
  };
  return select(node, call.params.get('fields'), 'id', 'IGContainer');
}

const statusWords = {
  IN_PROGRESS: 'In Progress: Media is still being processed.',
  FINISHED: 'Finished: Media has been uploaded and it is ready to be published.',
  PUBLISHED: 'Published: Media has been successfully published.',
  ERROR: 'Error: Media upload has failed with error code 2207026',
  EXPIRED: 'Expired: Media has not been published within 24 hours.',
};

/** POST /{ig}/media_publish: a container once, a finished one only, and no more than the account may in 24 hours. */
export function publish(state: MetaState, call: GraphCall): object {
  state.demandReach(call.token, call.id, call.method);
  state.demandScopes(call.token, call.method, ...publishes);
  const creationId = call.params.get('creation_id');
  if (!creationId) throw invalidParameter('The parameter creation_id is required');
  const container = state.containers.all.get(creationId);
  if (container?.accountId !== call.id || container.isPublished || container.isCarouselItem)
    throw missingContainer(creationId);
  const status = state.containers.statusOf(container);
  if (status === 'EXPIRED') throw missingContainer(creationId);
  if (status !== 'FINISHED') throw mediaNotReady();
  const { total } = accountOf(state, call.id).limit;
  if (usedOf(state, call.id, state.world.now() - windowMs) >= total) throw limitReached();
  return { id: put(state, container).id };
}

function put(state: MetaState, container: Container): Published {
  container.isPublished = true;
  for (const id of container.children) {
    const child = state.containers.all.get(id);
    if (child) child.isPublished = true;
  }
  return state.content.publish({
    kind: publishedKind(container),
    objectId: container.accountId,
    caption: container.kind === 'STORIES' ? '' : container.caption,
    urls: container.urls,
    containerId: container.id,
    mediaType: container.kind === 'CAROUSEL' ? 'CAROUSEL_ALBUM' : container.isVideo ? 'VIDEO' : 'IMAGE',
  });
}

function publishedKind({ kind }: Container): PublishedKind {
  if (kind === 'REELS') return 'instagram-reel';
  return kind === 'STORIES' ? 'instagram-story' : 'instagram-feed';
}

const missingContainer = (id: string) =>
  instagramError(
    24,
    2207008,
    'The requested resource does not exist',
    `The media builder with creation id = ${id} does not exist or has been expired.`,
  );

const limitReached = () =>
  instagramError(
    9,
    2207042,
    'Application request limit reached',
    'You reached maximum number of posts that is allowed to be published by Content Publishing API.',
  );

/** GET /{ig}/content_publishing_limit: counted for real, over the last 24 hours. */
export function publishingLimit(state: MetaState, call: GraphCall): object {
  state.demandReach(call.token, call.id, call.method);
  state.demandScopes(call.token, call.method, ...publishes);
  const now = state.world.now();
  const since = call.params.has('since') ? Number(call.params.get('since')) * 1000 : now - windowMs;
  if (since < now - windowMs - 60_000) throw invalidParameter('since must be within the last 24 hours');
  const node: Node = {
    id: () => undefined,
    quota_usage: () => usedOf(state, call.id, since),
    config: () => ({ quota_total: accountOf(state, call.id).limit.total, quota_duration: windowMs / 1000 }),
  };
  return { data: [select(node, call.params.get('fields'), 'quota_usage', 'ContentPublishingLimitResponse')] };
}

function usedOf(state: MetaState, id: string, since: number): number {
  const own = state.content.all().filter(({ objectId, at }) => objectId === id && at >= since);
  return own.length + accountOf(state, id).limit.used;
}

/** GET /{ig}/media: feed and reels; stories have their own list, and only for 24 hours. */
export function listMedia(state: MetaState, call: GraphCall): object {
  const { token, id, method, params, url, name } = call;
  state.demandReach(token, id, method);
  state.demandScopes(token, method, 'instagram_basic', 'pages_read_engagement');
  const isStories = name === 'instagram.stories';
  const newest = state.content.of(id, isStories ? ['instagram-story'] : ['instagram-feed', 'instagram-reel']);
  const alive = state.world.now() - windowMs;
  const since = Math.max(Number(params.get('since') ?? 0) * 1000, isStories ? alive : 0);
  const last = state.world.now() - state.world.listLagMs;
  const { items, paging } = pageOf(
    newest.filter(({ at }) => at >= since && at <= last),
    { params, url, accessToken: token.value },
  );
  const nodes = items.map((media) => select(mediaNode(state, call, media), params.get('fields'), 'id', 'IGMedia'));
  return { data: nodes, paging };
}

/** GET /{media} */
export function readMedia(state: MetaState, call: GraphCall): object {
  const media = state.content.find(call.id);
  if (!media) throw unknownObject(call.id, call.method);
  state.demandReach(call.token, media.objectId, call.method);
  state.demandScopes(call.token, call.method, 'instagram_basic', 'pages_read_engagement');
  return select(mediaNode(state, call, media), call.params.get('fields'), 'id', 'IGMedia');
}

/** The address of a post is made of its own short code, never of its id. */
function mediaNode(state: MetaState, call: GraphCall, media: Published): Node {
  const shortcode = Buffer.from(media.id).toString('base64url').slice(-11);
  const { likes, comments } = state.content.countsOf(media);
  const folders = { 'instagram-reel': 'reel', 'instagram-story': 'stories' } as Record<PublishedKind, string>;
  const products = { 'instagram-reel': 'REELS', 'instagram-story': 'STORY' } as Record<PublishedKind, string>;
  return {
    id: () => media.id,
    caption: () => media.caption || undefined,
    media_type: () => media.mediaType,
    media_product_type: () => products[media.kind] ?? 'FEED',
    media_url: () => media.urls[0],
    permalink: () => `https://www.instagram.com/${folders[media.kind] ?? 'p'}/${shortcode}/`,
    shortcode: () => shortcode,
    timestamp: () => graphTime(media.at),
    username: () => accountOf(state, media.objectId).username,
    like_count: () => likes,
    comments_count: () => comments,
    insights: insightsField(state, call, media),
  };
}

function accountOf(state: MetaState, id: string): InstagramAccount {
  const account = state.world.instagram.get(id);
  if (!account) throw unknownObject(id);
  return account;
}
