import type { GraphCall } from './call.ts';
import type { Counts, Published, PublishedKind } from './content.ts';
import type { Field } from './fields.ts';
import { GraphRefusal, unknownObject } from './graph-errors.ts';
import type { MetaState } from './meta-state.ts';

/**
 * The figures of what was published; what Meta has withdrawn is refused: `impressions` and `plays` of media (v22),
 * `post_impressions` and its kin (June 2026).
 * Sources: https://developers.facebook.com/docs/instagram-platform/reference/instagram-media/insights,
 * https://developers.facebook.com/docs/graph-api/reference/insights, .../reference/video/video_insights.
 */

type Metrics = Record<string, (counts: Counts) => number | Record<string, number>>;

const interactions = ({ likes, comments, shares, saves }: Counts): number => likes + comments + shares + saves;
const ofAnyMedia: Metrics = {
  views: ({ impressions }) => impressions,
  reach: ({ reach }) => reach,
  shares: ({ shares }) => shares,
  total_interactions: interactions,
};
const ofFeedAndReel: Metrics = {
  ...ofAnyMedia,
  likes: ({ likes }) => likes,
  comments: ({ comments }) => comments,
  saved: ({ saves }) => saves,
};
const ofPost: Metrics = {
  post_media_view: ({ impressions }) => impressions,
  post_total_media_view_unique: ({ reach }) => reach,
  post_clicks: () => 0,
  post_reactions_like_total: ({ likes }) => likes,
  post_reactions_by_type_total: ({ likes }) => ({ like: likes }),
  post_video_views: ({ plays }) => plays,
};
const ofVideo: Metrics = {
  total_video_views: ({ plays }) => plays,
  total_video_views_unique: ({ reach }) => reach,
  total_video_impressions: ({ impressions }) => impressions,
  total_video_impressions_unique: ({ reach }) => reach,
  total_video_reactions_by_type_total: ({ likes }) => ({ like: likes }),
  total_video_stories_by_action_type: ({ likes, comments, shares }) => ({
    like: likes,
    comment: comments,
    share: shares,
  }),
  post_media_view: ({ impressions }) => impressions,
  post_total_media_view_unique: ({ reach }) => reach,
  blue_reels_play_count: ({ plays }) => plays,
};

const metricsOf: Record<PublishedKind, Metrics> = {
  'instagram-feed': { ...ofFeedAndReel, follows: () => 0, profile_visits: () => 0, profile_activity: () => 0 },
  'instagram-reel': {
    ...ofFeedAndReel,
    views: ({ plays, impressions }) => Math.max(plays, impressions),
    ig_reels_avg_watch_time: () => 0,
    ig_reels_video_view_total_time: () => 0,
  },
  'instagram-story': {
    ...ofAnyMedia,
    replies: ({ comments }) => comments,
    follows: () => 0,
    navigation: () => 0,
    profile_visits: () => 0,
  },
  'page-post': ofPost,
  'page-photo': ofPost,
  'page-video': ofPost,
};

const storyLifeMs = 24 * 3_600_000;
const fewestViewers = 5;

/** GET /{object}/insights and /{video}/video_insights */
export function readInsights(state: MetaState, call: GraphCall): object {
  const found = state.content.find(call.id);
  if (!found) throw unknownObject(call.id, call.method);
  state.demandReach(call.token, found.objectId, call.method);
  return { data: figures(state, call, found, call.params.get('metric') ?? ''), paging: {} };
}

/** `fields=insights.metric(views,reach)`, and `video_insights` of a video */
export function insightsField(state: MetaState, call: GraphCall, found: Published): (field: Field) => object {
  return ({ modifiers }) => ({ data: figures(state, call, found, modifiers['metric'] ?? '') });
}

function figures(state: MetaState, call: GraphCall, found: Published, asked: string): object[] {
  const isInstagram = found.kind.startsWith('instagram');
  const scopes = isInstagram ? ['instagram_basic', 'instagram_manage_insights'] : ['read_insights'];
  state.demandScopes(call.token, 'GET', ...scopes, 'pages_read_engagement');
  const metrics = found.kind === 'page-video' && found.id === call.id ? ofVideo : metricsOf[found.kind];
  const names = asked.split(',').filter(Boolean);
  if (names.length === 0) throw new GraphRefusal('(#100) The parameter metric is required', 100);
  names.forEach((name, index) => {
    if (!metrics[name]) throw unknownMetric(name, index, Object.keys(metrics), isInstagram);
  });
  const counts = state.content.countsOf(found);
  if (found.kind === 'instagram-story') demandViewers(state, found, counts);
  return names.map((name) => ({
    name,
    period: 'lifetime',
    values: [{ value: metrics[name]?.(counts) }],
    title: name,
    id: `${call.id}/insights/${name}/lifetime`,
  }));
}

/** The same code as a missing permission: the words alone tell them apart. */
function demandViewers({ world }: MetaState, { at }: Published, { reach }: Counts): void {
  const isOver = world.now() - at > storyLifeMs;
  if (isOver || reach < fewestViewers)
    throw new GraphRefusal('(#10) Not enough viewers for the media to show insights', 10);
}

function unknownMetric(name: string, index: number, known: string[], isInstagram: boolean): GraphRefusal {
  if (isInstagram && ['impressions', 'plays'].includes(name))
    return new GraphRefusal(
      `(#100) Starting from version v22.0 and above, the ${name} metric is no longer supported for the queried media.`,
      100,
    );
  if (!isInstagram) return new GraphRefusal('(#100) The value must be a valid insights metric', 100);
  return new GraphRefusal(`(#100) metric[${index}] must be one of the following values: ${known.join(', ')}`, 100);
}
