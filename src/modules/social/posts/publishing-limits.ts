import type { FieldError } from '../../../kernel/errors/domain-error.js';
import type { PlannedPost } from './planned-post.js';
import { publishedText } from './post-text.js';

const mebibyte = 1024 * 1024;

export interface ImageLimits {
  types: readonly string[];
  mostBytes: number;
  ratio?: Ratio;
}
export interface VideoLimits {
  types: readonly string[];
  mostBytes: number;
  leastSeconds: number;
  mostSeconds: number;
  ratio?: Ratio;
}
interface Ratio {
  name: string;
  least: number;
  most: number;
}

/** What one kind of post on one platform takes; a kind of media that is not named is not taken. */
export interface TypeLimits {
  capability: 'canPublishFeed' | 'canPublishStories' | 'canPublishReels';
  image?: ImageLimits;
  video?: VideoLimits;
  /** Words alone make a post, too. */
  allowsTextAlone?: boolean;
  items?: { least: number; most: number };
}

export interface TextLimits {
  characters: number;
  hashtags: number;
  mentions?: number;
}

/** Width to height; cameras and editors miss it by a pixel or two. */
const upright: Ratio = { name: '9:16', least: 0.55, most: 0.575 };
const videoTypes = ['video/mp4', 'video/quicktime'];
const feedVideo: VideoLimits = {
  ...{ types: videoTypes, mostBytes: 100 * mebibyte },
  ...{ leastSeconds: 3, mostSeconds: 60 },
};
const jpeg: ImageLimits = { types: ['image/jpeg'], mostBytes: 8 * mebibyte };
const photo: ImageLimits = { types: ['image/jpeg', 'image/png'], mostBytes: 4 * mebibyte };

/**
 * The limits by platform and type of post. Instagram's are those of its Content Publishing API ("IG User Media", image,
 * reel and story specifications; 2,200 characters, 30 hashtags, 20 mentions, 2 to 10 children), Facebook's those of
 * "Page Photos" (JPEG and PNG, 4 MB). Feed videos and stories are held to what every player of both shows uncut.
 */
export const publishingLimits: Record<PlannedPost['platform'], Partial<Record<PlannedPost['postType'], TypeLimits>>> = {
  instagram: {
    feed: { capability: 'canPublishFeed', image: jpeg, video: feedVideo },
    carousel: { capability: 'canPublishFeed', image: jpeg, video: feedVideo, items: { least: 2, most: 10 } },
    reel: { capability: 'canPublishReels', video: { ...feedVideo, mostSeconds: 90, ratio: upright } },
    story: {
      capability: 'canPublishStories',
      image: { ...jpeg, ratio: upright },
      video: { ...feedVideo, leastSeconds: 1, mostSeconds: 15, ratio: upright },
    },
  },
  facebook: {
    feed: { capability: 'canPublishFeed', image: photo, video: feedVideo, allowsTextAlone: true },
    carousel: { capability: 'canPublishFeed', image: photo, items: { least: 2, most: 10 } },
  },
};

/** What Instagram takes as the cover of a film ("IG User Media", `cover_url`). */
export const coverLimits: Pick<TypeLimits, 'image' | 'video'> = { image: jpeg };

export const textLimits: Record<PlannedPost['platform'], TextLimits> = {
  instagram: { characters: 2_200, hashtags: 30, mentions: 20 },
  facebook: { characters: 2_200, hashtags: 30 },
};

/** What is wrong with a post whatever its media hold. Each field is named. */
export function refusedFields(post: PlannedPost): FieldError[] {
  const limits = publishingLimits[post.platform][post.postType];
  if (!limits) {
    const message = `${nameOf(post.platform)} takes no ${post.postType} from here.`;
    return [refused('postType', 'not-supported', message)];
  }
  return [
    ...(post[limits.capability] ? [] : [refused('postType', 'not-allowed', 'The account may not publish this type.')]),
    ...refusedContent(post, limits),
    ...refusedText(post),
    ...(post.shareToFeed && post.postType !== 'reel'
      ? [refused('shareToFeed', 'reels-only', 'Only a reel is shared to the feed.')]
      : []),
  ];
}

function refusedContent(post: PlannedPost, { image, video, items, allowsTextAlone }: TypeLimits): FieldError[] {
  if (items) {
    const count = post.children.length;
    const isWithin = count >= items.least && count <= items.most;
    return [
      ...(isWithin ? [] : [refused('children', 'count', `A carousel has ${items.least} to ${items.most} items.`)]),
      ...(post.contentUrl ? [refused('contentUrl', 'not-in-carousel', 'What a carousel shows is its children.')] : []),
    ];
  }
  if (!post.contentUrl) {
    if (allowsTextAlone && publishedText(post).trim() !== '') return [];
    return [refused('contentUrl', 'missing', 'There is nothing to show.')];
  }
  if (post.contentType === 'image' ? image : video) return [];
  return [refused('contentType', 'not-supported', `A ${post.postType} takes no ${post.contentType}.`)];
}

function refusedText(post: PlannedPost): FieldError[] {
  const { characters, hashtags, mentions } = textLimits[post.platform];
  const text = publishedText(post);
  const errors: FieldError[] = [];
  if ([...text].length > characters)
    errors.push(refused('caption', 'too-long', `With its hashtags it has more than ${characters} characters.`));
  if (countOf(text, /(?<![\p{L}\p{N}_])#[\p{L}\p{N}_]/gu) > hashtags)
    errors.push(refused('hashtags', 'too-many', `With those in the caption there are more than ${hashtags}.`));
  if (mentions !== undefined && countOf(text, /(?<![\p{L}\p{N}_.])@[\p{L}\p{N}_]/gu) > mentions)
    errors.push(refused('caption', 'too-many-mentions', `It mentions more than ${mentions} accounts.`));
  return errors;
}

const countOf = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

export const nameOf = (platform: PlannedPost['platform']): string =>
  platform === 'instagram' ? 'Instagram' : 'Facebook';

export const refused = (path: string, code: string, message: string): FieldError => ({ path, code, message });
