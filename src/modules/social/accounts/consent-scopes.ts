/** What is asked of a person who connects an account, and what comes of what they allow. */

export const platforms = ['instagram', 'facebook'] as const;
export type Platform = (typeof platforms)[number];

const ofPages = [
  'pages_show_list',
  'pages_read_engagement',
  'pages_manage_posts',
  'read_insights',
  'business_management',
];

/** https://developers.facebook.com/docs/permissions */
export const askedScopes: Record<Platform, readonly string[]> = {
  facebook: ofPages,
  instagram: [...ofPages, 'instagram_basic', 'instagram_content_publish', 'instagram_manage_insights'],
};

/** Without these an account cannot even be named. What else is withheld takes a capability, not the account. */
const neededScopes: Record<Platform, readonly string[]> = {
  facebook: ['pages_show_list', 'pages_read_engagement'],
  instagram: ['pages_show_list', 'pages_read_engagement', 'instagram_basic'],
};

/** Without these nothing goes wrong that anybody would notice at once, and yet numbers or posts are missing. */
const wantedScopes: Record<Platform, readonly string[]> = {
  facebook: ['pages_manage_posts', 'read_insights'],
  instagram: ['instagram_content_publish', 'instagram_manage_insights'],
};

export const missingScopes = (platform: Platform, given: readonly string[]): string[] =>
  neededScopes[platform].filter((scope) => !given.includes(scope));

export interface Capabilities {
  canPublishFeed: boolean;
  canPublishStories: boolean;
  canPublishReels: boolean;
}

/** What can be published with a consent. Stories and reels of pages are not among what we publish. */
export function capabilitiesOf(platform: Platform, scopes: readonly string[]): Capabilities {
  const isInstagram = platform === 'instagram';
  const mayPublish =
    scopes.includes(isInstagram ? 'instagram_content_publish' : 'pages_manage_posts') &&
    missingScopes(platform, scopes).length === 0;
  return {
    canPublishFeed: mayPublish,
    canPublishStories: mayPublish && isInstagram,
    canPublishReels: mayPublish && isInstagram,
  };
}

const weekMs = 7 * 86_400_000;

/** `warning` while it works but somebody should look: a permission is missing, or the access ends within a week. */
export function healthOf(
  platform: Platform,
  scopes: readonly string[],
  ends: readonly (Date | null)[],
): 'ok' | 'warning' {
  const hasAll = [...neededScopes[platform], ...wantedScopes[platform]].every((scope) => scopes.includes(scope));
  const endsSoon = ends.some((end) => end !== null && end.getTime() < Date.now() + weekMs);
  return hasAll && !endsSoon ? 'ok' : 'warning';
}
