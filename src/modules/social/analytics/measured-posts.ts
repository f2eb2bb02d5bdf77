import type { MeasuredObject } from '../../../integrations/meta/meta-insights.js';

/** A post whose counts are to be read now. */
export interface DuePost {
  id: string;
  platform: 'instagram' | 'facebook';
  postType: 'feed' | 'reel' | 'story' | 'carousel';
  contentType: 'video' | 'image';
  platformPostId: string;
  /** A story that has had its day, or nearly: Meta tells its counts for so long, and afterwards that nobody saw it. */
  isPastStory: boolean;
  /** As text, which keeps the microseconds: what is recorded must have been read from this very state. */
  publishedAt: string;
  lastSync: string | null;
}

/** What is asked of Meta about a post. */
export function measuredObject({ platform, postType, contentType, platformPostId }: DuePost): MeasuredObject {
  const isVideo = contentType === 'video' && postType !== 'carousel';
  // Posts of a page are named by the page's id and their own; a video whose answer was lost may be known by its post.
  const isPagePost = platformPostId.includes('_');
  if (platform === 'facebook') return { id: platformPostId, kind: isVideo && !isPagePost ? 'page-video' : 'page-post' };
  if (postType === 'story') return { id: platformPostId, kind: 'instagram-story' };
  // Instagram takes every single video as a reel, that of a feed post too.
  return { id: platformPostId, kind: isVideo ? 'instagram-reel' : 'instagram-feed' };
}
