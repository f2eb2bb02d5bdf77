import { z } from 'zod';
import { type GraphCall, type GraphClient, graphPath } from './graph-client.js';

export interface ManagedPage {
  id: string;
  name: string;
  /** The page's own token; without an end when it came of a long-lived one. */
  accessToken: string;
  /** What the person may do with it: `CREATE_CONTENT`, `ANALYZE`, ... */
  tasks: string[];
  pictureUrl: string | null;
  /** The professional account that is linked with it. */
  instagram: { id: string; username: string; name: string | null; profilePictureUrl: string | null } | null;
}

export interface PagePost {
  id: string;
  message: string | null;
  createdAt: Date;
  permalink: string | null;
}

const ListedPage = z.object({
  id: z.string(),
  name: z.string(),
  access_token: z.string().optional(),
  tasks: z.array(z.string()).default([]),
  picture: z.object({ data: z.object({ url: z.string().optional() }) }).optional(),
  instagram_business_account: z
    .object({
      id: z.string(),
      username: z.string().default(''),
      name: z.string().nullish(),
      profile_picture_url: z.string().nullish(),
    })
    .optional(),
});
const pageFields =
  'id,name,access_token,tasks,picture{url},instagram_business_account{id,username,name,profile_picture_url}';

/** Graph writes zones without a colon: 2026-11-21T14:00:00+0000. */
const Timestamp = z.coerce.date();
const Post = z.object({
  id: z.string(),
  message: z.string().nullish(),
  description: z.string().nullish(),
  created_time: Timestamp,
  permalink_url: z.string().optional(),
});
const Made = z.object({ id: z.string().min(1) });
const MadePhoto = Made.extend({ post_id: z.string().optional() });
const Done = z.object({ success: z.literal(true) });
const SubscribedApp = z.object({ id: z.string(), subscribed_fields: z.array(z.string()).default([]) });
const Permalink = z.object({ permalink_url: z.string().optional() });

/** Pages: which a person manages, and what stands on them. https://developers.facebook.com/docs/pages-api */
export class MetaPages {
  constructor(private readonly graph: GraphClient) {}

  /** All pages that the person let this app see. One without a token of its own can be used for nothing: left out. */
  async list(userToken: string): Promise<ManagedPage[]> {
    const parameters = { fields: pageFields, limit: '100' };
    const pages = await this.graph.list(
      { path: 'me/accounts', family: 'app', token: userToken, parameters },
      ListedPage,
    );
    return pages.flatMap(managedPage);
  }

  /** https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps */
  async subscribe(pageToken: string, pageId: string, fields: readonly string[]): Promise<void> {
    const parameters = { subscribed_fields: fields.join(',') };
    await this.graph.write(onPage(pageToken, [pageId, 'subscribed_apps'], parameters), Done);
  }

  /** What this app hears of the page; nothing while it is not subscribed. */
  async subscribedFields(pageToken: string, pageId: string): Promise<string[]> {
    const call = onPage(pageToken, [pageId, 'subscribed_apps'], { fields: 'id,subscribed_fields' });
    const apps = await this.graph.list(call, SubscribedApp);
    return apps.filter(({ id }) => id === this.graph.app.id).flatMap(({ subscribed_fields }) => subscribed_fields);
  }

  async unsubscribe(pageToken: string, pageId: string): Promise<void> {
    await this.graph.remove(onPage(pageToken, [pageId, 'subscribed_apps']), Done);
  }

  /**
   * Ends the subscription in the app's own name: no token of the page need be there any more.
   *
   * The reference names a page's token for this edge
   * (https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps); that the app's own is taken for the
   * DELETE is what people report (https://github.com/restfb/restfb/issues/1209). A page that did not grant it, or no
   * longer knows the app, is refused: whoever calls this must live with that, and it changes nothing for others.
   */
  async unsubscribeAsApp(pageId: string): Promise<void> {
    const { id, secret } = this.graph.app;
    const path = graphPath(pageId, 'subscribed_apps');
    await this.graph.remove({ path, family: 'app', token: `${id}|${secret}` }, Done);
  }

  publishFeed(pageToken: string, pageId: string, p: { message: string; link?: string | undefined }) {
    return this.graph.write(onPage(pageToken, [pageId, 'feed'], { message: p.message, link: p.link }), Made);
  }

  async publishPhoto(pageToken: string, pageId: string, p: { url: string; caption: string }) {
    const photo = await this.graph.write(onPage(pageToken, [pageId, 'photos'], p), MadePhoto);
    return { id: photo.id, postId: photo.post_id ?? null };
  }

  publishVideo(pageToken: string, pageId: string, p: { fileUrl: string; description: string }) {
    const parameters = { file_url: p.fileUrl, description: p.description };
    return this.graph.write(onPage(pageToken, [pageId, 'videos'], parameters), Made);
  }

  /** A photo that nobody sees yet, for an album. */
  uploadPhoto(pageToken: string, pageId: string, p: { url: string }) {
    return this.graph.write(onPage(pageToken, [pageId, 'photos'], { url: p.url, published: 'false' }), Made);
  }

  publishAlbum(pageToken: string, pageId: string, p: { message: string; photoIds: readonly string[] }) {
    const media = p.photoIds.map((id, index) => [`attached_media[${index}]`, JSON.stringify({ media_fbid: id })]);
    const parameters = { message: p.message, ...Object.fromEntries(media) };
    return this.graph.write(onPage(pageToken, [pageId, 'feed'], parameters), Made);
  }

  /** What was published since then, posts and videos: a video may stand in both, under two ids. */
  async recentPosts(pageToken: string, pageId: string, since: Date): Promise<PagePost[]> {
    const posts = await this.recent(pageToken, [pageId, 'published_posts'], { of: 'message', since });
    const videos = await this.recent(pageToken, [pageId, 'videos'], { of: 'description', since });
    return [...posts, ...videos];
  }

  async permalink(pageToken: string, objectId: string): Promise<string | null> {
    const answer = await this.graph.read(onPage(pageToken, [objectId], { fields: 'permalink_url' }), Permalink);
    return this.graph.absolute(answer.permalink_url);
  }

  /** Newest first, as Graph lists them; ends with the first page that holds only older ones. */
  private async recent(
    pageToken: string,
    path: string[],
    { of, since }: { of: 'message' | 'description'; since: Date },
  ): Promise<PagePost[]> {
    const parameters = { fields: `id,${of},created_time,permalink_url`, limit: '100' };
    const isOlder = ({ created_time }: z.infer<typeof Post>) => created_time < since;
    const items = await this.graph.list(onPage(pageToken, path, parameters), Post, (page) => page.every(isOlder));
    return items
      .filter((item) => !isOlder(item))
      .map((item) => ({
        id: item.id,
        message: item[of] ?? null,
        createdAt: item.created_time,
        permalink: this.graph.absolute(item.permalink_url),
      }));
  }
}

function onPage(token: string, path: string[], parameters?: Record<string, string | undefined>): GraphCall {
  return { path: graphPath(...path), family: 'pages', token, ...(parameters && { parameters }) };
}

function managedPage(page: z.infer<typeof ListedPage>): ManagedPage[] {
  const { id, name, access_token, tasks, picture, instagram_business_account: account } = page;
  if (!access_token) return [];
  const instagram = account && {
    id: account.id,
    username: account.username,
    name: account.name ?? null,
    profilePictureUrl: account.profile_picture_url ?? null,
  };
  return [
    { id, name, accessToken: access_token, tasks, pictureUrl: picture?.data.url ?? null, instagram: instagram ?? null },
  ];
}
