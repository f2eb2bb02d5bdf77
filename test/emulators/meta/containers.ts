import { type Fault, isContainerFault } from './faults.ts';
import { instagramError, invalidParameter } from './graph-errors.ts';
import { nextId, type World } from './world.ts';

/**
 * What Instagram is asked to publish, before it is published.
 * Sources: https://developers.facebook.com/docs/instagram-platform/content-publishing and
 * .../instagram-graph-api/reference/ig-user/media (parameters), .../reference/ig-container (states).
 */

export type ContainerKind = 'IMAGE' | 'VIDEO' | 'REELS' | 'STORIES' | 'CAROUSEL';
export type ContainerStatus = 'IN_PROGRESS' | 'FINISHED' | 'PUBLISHED' | 'ERROR' | 'EXPIRED';

export interface Container {
  id: string;
  accountId: string;
  kind: ContainerKind;
  isCarouselItem: boolean;
  isVideo: boolean;
  caption: string;
  urls: string[];
  children: string[];
  createdAt: number;
  /** How often it is still IN_PROGRESS when it is asked. */
  pollsLeft: number;
  readyAt: number;
  isPublished: boolean;
  failure: 'ERROR' | 'EXPIRED' | undefined;
}

/** How long a container takes. */
export interface Pace {
  imagePolls: number;
  videoPolls: number;
  ms: number;
}

const lifeMs = 24 * 3_600_000;
const mostHashtags = 30;
const longestCaption = 2200;
const carousel = { least: 2, most: 10 };

export class Containers {
  readonly all = new Map<string, Container>();
  pace: Pace = { imagePolls: 0, videoPolls: 1, ms: 0 };
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  create(accountId: string, params: URLSearchParams, fault: Fault | undefined): Container {
    const kind = kindOf(params);
    const children = kind === 'CAROUSEL' ? this.childrenOf(accountId, params) : [];
    const urls = kind === 'CAROUSEL' ? children.flatMap(({ urls: own }) => own) : [urlOf(kind, params)];
    const caption = captionOf(params);
    const isVideo = params.has('video_url');
    const isCarouselItem = params.get('is_carousel_item') === 'true';
    if (isCarouselItem && !['IMAGE', 'VIDEO'].includes(kind)) throw invalidParameter('Invalid carousel item', 2207028);
    const now = this.world.now();
    const container: Container = {
      ...{ id: nextId('container'), accountId, kind, isCarouselItem, isVideo, caption, urls, createdAt: now },
      children: children.map(({ id }) => id),
      pollsLeft: isVideo ? this.pace.videoPolls : this.pace.imagePolls,
      readyAt: now + this.pace.ms,
      isPublished: false,
      failure: undefined,
    };
    if (fault && isContainerFault(fault)) spoil(container, fault);
    this.all.set(container.id, container);
    return container;
  }

  /** The state as it is; asking for it is what moves it on. */
  poll(container: Container): ContainerStatus {
    const status = this.statusOf(container);
    if (container.pollsLeft > 0) container.pollsLeft -= 1;
    return status;
  }

  statusOf(container: Container): ContainerStatus {
    if (container.isPublished) return 'PUBLISHED';
    if (this.world.now() - container.createdAt > lifeMs) return 'EXPIRED';
    if (container.pollsLeft > 0 || this.world.now() < container.readyAt) return 'IN_PROGRESS';
    return container.failure ?? 'FINISHED';
  }

  private childrenOf(accountId: string, params: URLSearchParams): Container[] {
    const ids = listOf(params.get('children') ?? '');
    if (ids.length < carousel.least || ids.length > carousel.most)
      throw invalidParameter(
        `A carousel has ${carousel.least} to ${carousel.most} children, not ${ids.length}`,
        2207028,
      );
    return ids.map((id) => {
      const child = this.all.get(id);
      const isFit = child?.accountId === accountId && child.isCarouselItem && !child.isPublished;
      if (!child || !isFit || this.statusOf(child) === 'EXPIRED')
        throw instagramError(
          24,
          2207006,
          'The requested resource does not exist',
          `The media with ${id} cannot be found.`,
        );
      if (this.statusOf(child) !== 'FINISHED') throw mediaNotReady();
      return child;
    });
  }
}

export const mediaNotReady = () =>
  instagramError(
    9007,
    2207027,
    'Media ID is not available',
    'The media is not ready for publishing, please wait for a moment',
  );

function spoil(container: Container, { kind, polls = 3 }: Fault): void {
  if (kind === 'container-error') container.failure = 'ERROR';
  if (kind === 'container-expired') container.failure = 'EXPIRED';
  if (kind === 'container-slow') container.pollsLeft = polls;
}

function kindOf(params: URLSearchParams): ContainerKind {
  const type = params.get('media_type');
  if (type === null || type === 'IMAGE') return 'IMAGE';
  const isKnown = ['VIDEO', 'REELS', 'STORIES', 'CAROUSEL'].includes(type);
  if (!isKnown) throw instagramError(100, 2207023, 'Unknown media type', `The media type ${type} is unknown.`);
  if (type === 'VIDEO' && params.get('is_carousel_item') !== 'true')
    throw invalidParameter('The VIDEO value for media_type is no longer supported. Use the REELS media_type instead');
  return type as ContainerKind;
}

function urlOf(kind: ContainerKind, params: URLSearchParams): string {
  const [image, video] = [params.get('image_url'), params.get('video_url')];
  if (kind === 'IMAGE' && !image) throw invalidParameter('The parameter image_url is required');
  if ((kind === 'REELS' || kind === 'VIDEO') && !video) throw invalidParameter('The parameter video_url is required');
  if (kind === 'STORIES' && !image === !video) throw invalidParameter('A story takes image_url or video_url');
  const url = (kind === 'IMAGE' ? image : (video ?? image)) ?? '';
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw instagramError(
      9004,
      2207052,
      'Only photo or video can be accepted as media type.',
      `The media could not be fetched from this URI: ${url}`,
    );
  return url;
}

function captionOf(params: URLSearchParams): string {
  const caption = params.get('caption') ?? '';
  if ([...caption].length > longestCaption)
    throw instagramError(36004, 2207010, 'The caption was too long.', `It has more than ${longestCaption} characters.`);
  const hashtags = caption.match(/(?<![\p{L}\p{N}_])#[\p{L}\p{N}_]+/gu) ?? [];
  if (hashtags.length > mostHashtags)
    throw instagramError(36004, 2207010, 'Too many hashtags.', `A caption has ${mostHashtags} hashtags at most.`);
  if (params.has('share_to_feed') && params.get('media_type') !== 'REELS')
    throw invalidParameter('share_to_feed is for reels only');
  return caption;
}

/** `1,2,3` or `["1","2","3"]` */
function listOf(text: string): string[] {
  const list = text.startsWith('[') ? (JSON.parse(text) as unknown[]).map(String) : text.split(',');
  return list.map((each) => each.trim()).filter((each) => each !== '');
}
