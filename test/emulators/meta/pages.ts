import type { GraphCall } from './call.ts';
import type { Published } from './content.ts';
import { type Field, type Node, select } from './fields.ts';
import { GraphRefusal, invalidParameter } from './graph-errors.ts';
import { insightsField } from './insights.ts';
import { instagramNode } from './instagram.ts';
import { demandPageToken, type MetaState } from './meta-state.ts';
import { pageOf } from './paging.ts';
import { graphTime, type Page } from './world.ts';

/**
 * Pages and what stands on them.
 * Sources: https://developers.facebook.com/docs/pages-api/posts, .../docs/graph-api/reference/page and its edges
 * feed, photos, videos, published_posts; .../docs/graph-api/reference/user/accounts.
 */

/** GET /me/accounts: the pages chosen in the dialog. Without pages_show_list the list is empty, not refused. */
export function accounts(state: MetaState, call: GraphCall): object {
  const { token, params } = call;
  const isShown = token.grant?.scopes.has('pages_show_list') === true;
  const granted = [...state.world.pages.values()].filter(
    ({ id, personIds }) => isShown && token.grant?.pageIds.has(id) && personIds.includes(token.grant.personId),
  );
  const { items, paging } = pageOf(granted, { params, url: call.url, accessToken: token.value });
  const fields = params.get('fields');
  const byDefault = 'access_token,category,name,id,tasks';
  return { data: items.map((page) => select(pageNode(state, call, page), fields, byDefault, 'Page')), paging };
}

export function readPage(state: MetaState, call: GraphCall): object {
  return select(pageNode(state, call, state.world.page(call.id)), call.params.get('fields'), 'name,id', 'Page');
}

function pageNode(state: MetaState, { token }: GraphCall, page: Page): Node {
  const has = (scope: string) => token.grant?.scopes.has(scope) === true;
  const account = state.world.instagram.get(page.instagramId ?? '');
  const own = (value: unknown) => (token.kind === 'USER' ? value : undefined);
  return {
    id: () => page.id,
    name: () => page.name,
    category: () => page.category,
    link: () => `https://www.facebook.com/${page.id}`,
    tasks: () => own(page.tasks),
    access_token: () => (token.kind === 'PAGE' ? token.value : state.tokens.issueForPage(token, page.id).value),
    picture: () => ({
      data: { height: 50, width: 50, is_silhouette: false, url: `https://scontent.example/pages/${page.id}.jpg` },
    }),
    fan_count: () => 100,
    instagram_business_account: ({ fields }) =>
      account && has('instagram_basic') ? select(instagramNode(state, account), fields, 'id', 'IGUser') : undefined,
  };
}

/** POST /{page}/feed: a text, a link, or an album of photos uploaded before. */
export function publishFeed(state: MetaState, call: GraphCall): object {
  demandPublishing(state, call);
  const { id, params } = call;
  const [message, link] = [params.get('message') ?? '', params.get('link') ?? undefined];
  const photos = attachedPhotos(params).map((photoId) => {
    const photo = state.content.hiddenPhotos.get(photoId);
    if (photo?.pageId !== id || photo.isUsed) throw invalidParameter(`Invalid attached media: ${photoId}`);
    return photo;
  });
  if (!message && !link && photos.length === 0)
    throw invalidParameter('Empty post: message, link or media is required', 1349125);
  const [newest] = state.content.of(id, ['page-post']);
  if (state.tokens.app.refusesDuplicates && message !== '' && newest?.caption === message) throw duplicate();
  for (const photo of photos) photo.isUsed = true;
  const urls = photos.map(({ url }) => url);
  return { id: state.content.publish({ kind: 'page-post', objectId: id, caption: message, link, urls }).id };
}

const duplicate = () =>
  new GraphRefusal('(#506) Duplicate status message', 506, {
    userMessage: 'Duplicate posts cannot be published consecutively.',
  });

/** `attached_media[0]={"media_fbid":"1"}`, or the list as JSON. */
function attachedPhotos(params: URLSearchParams): string[] {
  const single = [...params].filter(([name]) => /^attached_media\[\d+\]$/.test(name)).map(([, value]) => value);
  const list = JSON.parse(params.get('attached_media') ?? '[]') as unknown[];
  const media = [...list, ...single.map((text) => JSON.parse(text) as unknown)];
  return media.map((each) => String((each as { media_fbid?: unknown }).media_fbid ?? ''));
}

/** POST /{page}/photos: `published=false` uploads alone. */
export function publishPhoto(state: MetaState, call: GraphCall): object {
  demandPublishing(state, call);
  const { id, params } = call;
  const url = mediaUrl(params.get('url'), 'url');
  if (params.get('published') === 'false') return { id: state.content.hidePhoto(id, url).id };
  const caption = params.get('caption') ?? params.get('message') ?? '';
  const photo = state.content.publish({ kind: 'page-photo', objectId: id, caption, urls: [url] });
  return { id: photo.id, post_id: photo.postId };
}

/** POST /{page}/videos: answers with the video alone; its post is seen in the page's lists. */
export function publishVideo(state: MetaState, call: GraphCall): object {
  demandPublishing(state, call);
  const { id, params } = call;
  const url = mediaUrl(params.get('file_url'), 'file_url');
  const caption = params.get('description') ?? '';
  return { id: state.content.publish({ kind: 'page-video', objectId: id, caption, urls: [url] }).id };
}

function demandPublishing(state: MetaState, { token, id, method }: GraphCall): void {
  state.demandReach(token, id, method);
  demandPageToken(token);
  state.demandScopes(token, method, 'pages_manage_posts', 'pages_read_engagement');
  state.demandTask(id, 'CREATE_CONTENT');
}

function mediaUrl(url: string | null, name: string): string {
  if (!url) throw invalidParameter(`The parameter ${name} is required`);
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new GraphRefusal('Missing or invalid image file', 324, { subcode: 2069019 });
  return url;
}

/** GET /{page}/feed, /posts, /published_posts: photos and videos are seen in their posts. */
export function listPosts(state: MetaState, call: GraphCall): object {
  const posts = state.content.of(call.id, ['page-post', 'page-photo', 'page-video']);
  const named = posts.map((post) => ({ ...post, id: post.postId ?? post.id, shown: post }));
  return listed(state, call, named, 'id,created_time,message', postNode, 'Post');
}

/** GET /{page}/videos */
export function listVideos(state: MetaState, call: GraphCall): object {
  const videos = state.content.of(call.id, ['page-video']).map((video) => ({ ...video, shown: video }));
  return listed(state, call, videos, 'id,updated_time,description', videoNode, 'Video');
}

function listed(
  state: MetaState,
  call: GraphCall,
  all: (Published & { shown: Published })[],
  byDefault: string,
  nodeOf: typeof postNode,
  type: string,
): object {
  const { token, params, id, method, url } = call;
  state.demandReach(token, id, method);
  demandPageToken(token);
  state.demandScopes(token, method, 'pages_read_engagement');
  const [since, until] = [Number(params.get('since') ?? 0), Number(params.get('until') ?? Infinity)];
  const last = Math.min(until * 1000, state.world.now() - state.world.listLagMs);
  const within = all.filter(({ at }) => at / 1000 >= since && at <= last);
  const { items, paging } = pageOf(within, { params, url, accessToken: token.value });
  const fields = params.get('fields');
  return { data: items.map(({ shown }) => select(nodeOf(state, call, shown), fields, byDefault, type)), paging };
}

/** GET /{post}, /{video} and /{photo} */
export function readPost(state: MetaState, call: GraphCall): object {
  const { token, id, method, params } = call;
  state.demandReach(token, state.ownerOf(id), method);
  state.demandScopes(token, method, 'pages_read_engagement');
  const found = state.content.find(id);
  const fields = params.get('fields');
  if (!found) return select({ id: () => id }, fields, 'id', 'Photo');
  if (call.name === 'video')
    return select(videoNode(state, call, found), fields, 'id,updated_time,description', 'Video');
  if (call.name === 'photo') return select(photoNode(state, found), fields, 'id,created_time,name', 'Photo');
  return select(postNode(state, call, found), fields, 'id,created_time,message', 'Post');
}

export function deletePost(state: MetaState, call: GraphCall): object {
  demandPublishing(state, { ...call, id: state.ownerOf(call.id) });
  state.content.remove(call.id);
  return { success: true };
}

function postNode(state: MetaState, call: GraphCall, post: Published): Node {
  const id = post.postId ?? post.id;
  const counts = state.content.countsOf(post);
  return {
    id: () => id,
    message: () => post.caption || undefined,
    created_time: () => graphTime(post.at),
    permalink_url: () => `https://www.facebook.com/${id.replace('_', '/posts/')}`,
    is_published: () => true,
    shares: () => (counts.shares > 0 ? { count: counts.shares } : undefined),
    attachments: () => ({ data: post.postId ? [{ target: { id: post.id } }] : [] }),
    insights: insightsField(state, { ...call, id }, post),
    ...reactions(counts),
  };
}

function videoNode(state: MetaState, call: GraphCall, video: Published): Node {
  const { reactions: _, ...edges } = reactions(state.content.countsOf(video));
  return {
    id: () => video.id,
    description: () => video.caption || undefined,
    created_time: () => graphTime(video.at),
    updated_time: () => graphTime(video.at),
    permalink_url: () => `/${video.objectId}/videos/${video.id}/`,
    post_id: () => video.postId,
    status: () => ({ video_status: 'ready' }),
    views: () => state.content.countsOf(video).plays,
    video_insights: insightsField(state, { ...call, id: video.id }, video),
    ...edges,
  };
}

/** A photo has no `permalink_url`, its post has. */
function photoNode(state: MetaState, photo: Published): Node {
  return {
    id: () => photo.id,
    name: () => photo.caption || undefined,
    created_time: () => graphTime(photo.at),
    link: () => `https://www.facebook.com/photo.php?fbid=${photo.id}`,
    page_story_id: () => photo.postId,
    ...reactions(state.content.countsOf(photo)),
  };
}

/** The people are not listed: their number comes with `summary`, when it is asked for. */
function reactions({ likes, comments }: { likes: number; comments: number }): Node {
  const edge = (count: number) => (field: Field) => ({
    data: [],
    ...(field.modifiers['summary'] && field.modifiers['summary'] !== 'false' && { summary: { total_count: count } }),
  });
  return { likes: edge(likes), reactions: edge(likes), comments: edge(comments) };
}
