import { z } from 'zod';
import { type GraphCall, type GraphClient, graphPath } from './graph-client.js';
import { MetaFailure } from './meta-failure.js';

export interface InstagramAccount {
  id: string;
  username: string;
  name: string | null;
  profilePictureUrl: string | null;
  /** Null where Meta does not say it. */
  accountType: 'BUSINESS' | 'CREATOR' | (string & {}) | null;
}

interface Captioned {
  caption: string;
  /** A page of Facebook that has a place. */
  locationId?: string | undefined;
}
type OneMedium = { imageUrl: string; videoUrl?: undefined } | { videoUrl: string; imageUrl?: undefined };

/** What is to be published: a container is made of it first. */
export type Container =
  | ({ kind: 'image'; imageUrl: string } & Captioned)
  | ({ kind: 'video' | 'reel'; videoUrl: string; shareToFeed?: boolean; coverUrl?: string | undefined } & Captioned)
  | ({ kind: 'story' } & OneMedium)
  | ({ kind: 'carousel-item' } & OneMedium)
  | ({ kind: 'carousel'; children: readonly string[] } & Captioned);

const containerStates = ['IN_PROGRESS', 'FINISHED', 'PUBLISHED', 'ERROR', 'EXPIRED'] as const;

export interface ContainerStatus {
  status: (typeof containerStates)[number];
  /** In Meta's words, for the person whose medium it is. */
  detail: string | null;
}

export interface InstagramMedia {
  id: string;
  caption: string | null;
  permalink: string | null;
  timestamp: Date;
  /** IMAGE, VIDEO, CAROUSEL_ALBUM. */
  mediaType: string;
  /** FEED, REELS, STORY. */
  productType: string | null;
}

const Account = z.object({
  id: z.string(),
  username: z.string(),
  name: z.string().nullish(),
  profile_picture_url: z.string().nullish(),
  account_type: z.string().nullish(),
});
const Made = z.object({ id: z.string().min(1) });
const Status = z.object({ status_code: z.enum(containerStates), status: z.string().nullish() });
const Media = z.object({
  id: z.string(),
  caption: z.string().nullish(),
  permalink: z.string().nullish(),
  timestamp: z.coerce.date(),
  media_type: z.string().default(''),
  media_product_type: z.string().nullish(),
});
const Limit = z.object({
  data: z.tuple([
    z.object({
      quota_usage: z.number(),
      config: z.object({ quota_total: z.number(), quota_duration: z.number() }),
    }),
  ]),
});
const Permalink = z.object({ permalink: z.string().nullish(), timestamp: z.coerce.date().nullish() });

const accountFields = 'id,username,name,profile_picture_url';

/**
 * Instagram's professional accounts, reached with the token of the page they are linked with:
 * https://developers.facebook.com/docs/instagram-platform/content-publishing
 */
export class MetaInstagram {
  constructor(private readonly graph: GraphClient) {}

  async account(pageToken: string, igId: string): Promise<InstagramAccount> {
    const { id, username, name, profile_picture_url, account_type } = await this.accountFields(pageToken, igId);
    return {
      id,
      username,
      name: name ?? null,
      profilePictureUrl: profile_picture_url ?? null,
      accountType: account_type ? accountType(account_type) : null,
    };
  }

  /** Meta fetches and checks the medium by itself: see `containerStatus`. A container lives 24 hours. */
  createContainer(pageToken: string, igId: string, container: Container): Promise<{ id: string }> {
    return this.graph.write(onInstagram(pageToken, [igId, 'media'], containerParameters(container)), Made);
  }

  async containerStatus(pageToken: string, containerId: string): Promise<ContainerStatus> {
    const call = onInstagram(pageToken, [containerId], { fields: 'status_code,status' });
    const { status_code, status } = await this.graph.read(call, Status);
    return { status: status_code, detail: status ?? null };
  }

  /** Puts a finished container on the account: what this answers is the id of the medium. */
  publish(pageToken: string, igId: string, containerId: string): Promise<{ id: string }> {
    return this.graph.write(onInstagram(pageToken, [igId, 'media_publish'], { creation_id: containerId }), Made);
  }

  async permalink(pageToken: string, mediaId: string): Promise<{ permalink: string | null; timestamp: Date | null }> {
    const call = onInstagram(pageToken, [mediaId], { fields: 'permalink,timestamp' });
    const { permalink, timestamp } = await this.graph.read(call, Permalink);
    return { permalink: permalink ?? null, timestamp: timestamp ?? null };
  }

  /** What was published since then, stories too (those of the last 24 hours, as long as they are shown). */
  async recentMedia(pageToken: string, igId: string, since: Date): Promise<InstagramMedia[]> {
    const media = await this.recent(pageToken, [igId, 'media'], since);
    const stories = await this.recent(pageToken, [igId, 'stories'], since);
    const known = new Set(media.map(({ id }) => id));
    return [...media, ...stories.filter(({ id }) => !known.has(id))];
  }

  /** How many of the account's publications of the window are used: never assumed, Meta has changed it before. */
  async publishingLimit(
    pageToken: string,
    igId: string,
  ): Promise<{ used: number; total: number; windowSeconds: number }> {
    const parameters = { fields: 'quota_usage,config' };
    const call = onInstagram(pageToken, [igId, 'content_publishing_limit'], parameters);
    const { data } = await this.graph.read(call, Limit);
    const [{ quota_usage, config }] = data;
    return { used: quota_usage, total: config.quota_total, windowSeconds: config.quota_duration };
  }

  /** The documentation names `account_type` for one of the two APIs only: the other may refuse to know the field. */
  private async accountFields(pageToken: string, igId: string): Promise<z.infer<typeof Account>> {
    const asking = (fields: string) => this.graph.read(onInstagram(pageToken, [igId], { fields }), Account);
    try {
      return await asking(`${accountFields},account_type`);
    } catch (error) {
      if (error instanceof MetaFailure && error.kind === 'refused') return asking(accountFields);
      throw error;
    }
  }

  private async recent(pageToken: string, path: string[], since: Date): Promise<InstagramMedia[]> {
    const parameters = { fields: 'id,caption,permalink,timestamp,media_type,media_product_type', limit: '100' };
    const isOlder = ({ timestamp }: z.infer<typeof Media>) => timestamp < since;
    const call = onInstagram(pageToken, path, parameters);
    const items = await this.graph.list(call, Media, (page) => page.every(isOlder));
    return items
      .filter((item) => !isOlder(item))
      .map(({ id, caption, permalink, timestamp, media_type, media_product_type }) => ({
        ...{ id, timestamp, caption: caption ?? null, permalink: permalink ?? null },
        ...{ mediaType: media_type, productType: media_product_type ?? null },
      }));
  }
}

/** `Business`, `BUSINESS`, `Media_Creator`, `MEDIA_CREATOR`: Meta has written them all. */
function accountType(written: string): string {
  return written.toUpperCase().replace(/^MEDIA_/, '');
}

function onInstagram(token: string, path: string[], parameters: Record<string, string | undefined>): GraphCall {
  return { path: graphPath(...path), family: 'instagram', token, parameters };
}

/**
 * https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media
 *
 * A video for the feed is a reel since November 2023: `VIDEO` is left for the items of a carousel.
 */
function containerParameters(container: Container): Record<string, string | undefined> {
  switch (container.kind) {
    case 'image':
      return { image_url: container.imageUrl, ...captioned(container) };
    case 'video':
      return { ...reel(container), share_to_feed: 'true' };
    case 'reel':
      return { ...reel(container), share_to_feed: String(container.shareToFeed ?? false) };
    case 'story':
      return { media_type: 'STORIES', ...medium(container) };
    case 'carousel-item':
      return { is_carousel_item: 'true', ...medium(container), media_type: container.videoUrl && 'VIDEO' };
    case 'carousel':
      return { media_type: 'CAROUSEL', children: container.children.join(','), ...captioned(container) };
  }
}

function reel(video: Extract<Container, { kind: 'video' | 'reel' }>): Record<string, string | undefined> {
  return { media_type: 'REELS', video_url: video.videoUrl, cover_url: video.coverUrl, ...captioned(video) };
}

function captioned({ caption, locationId }: Captioned): Record<string, string | undefined> {
  return { caption, location_id: locationId };
}

function medium({ imageUrl, videoUrl }: OneMedium): Record<string, string | undefined> {
  return { image_url: imageUrl, video_url: videoUrl };
}
