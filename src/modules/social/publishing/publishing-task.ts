/** All that is known of a post once a worker has claimed it. */
export interface PublishingTask {
  postId: string;
  /** Names the claim: what another worker has claimed since is left alone. */
  attemptId: string;
  socialAccountId: string;
  platform: 'instagram' | 'facebook';
  /** Id of the page or of the Instagram account at Meta. */
  platformAccountId: string;
  accountStatus: 'active' | 'expired' | 'disconnected' | 'error';
  contentType: 'image' | 'video';
  contentUrl: string | null;
  thumbnailUrl: string | null;
  caption: string;
  hashtags: string[];
  postType: 'feed' | 'reel' | 'story' | 'carousel';
  children: string[];
  childContentTypes: string[];
  locationId: string | null;
  shareToFeed: boolean;
  /** Of Instagram: what was handed over and is published by one further call. Of an album: nothing. */
  containerId: string | null;
  childContainers: string[];
  containerCreatedAt: Date | null;
  /** How often the container was asked for, or, once publishing has begun, what came of it. */
  containerChecks: number;
  /** Set as long as a call that publishes may have been carried out. */
  publishStartedAt: Date | null;
  retryCount: number;
  maxRetries: number;
}

/** What stands on the page. */
export interface PublishedObject {
  id: string;
  permalink: string | null;
}
