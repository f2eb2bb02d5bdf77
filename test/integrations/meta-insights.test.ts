import { MetaFailure } from '../../src/integrations/meta/meta-failure.js';
import type { MeasuredObject } from '../../src/integrations/meta/meta-insights.js';
import { MetaInsights } from '../../src/integrations/meta/meta-insights.js';
import { connect, hangUp, json, type OddGraph, type Reply, refusal, startOddGraph } from './odd-graph.js';

/** Batches, and what is made of an answer that is not whole. */

let odd: OddGraph;
let insights: MetaInsights;
let close: () => Promise<void>;
beforeAll(async () => {
  odd = await startOddGraph();
});
afterAll(() => odd.stop());
beforeEach(() => {
  const { graph, transport } = connect(odd.url);
  insights = new MetaInsights(graph);
  close = () => transport.close();
});
afterEach(() => close());

interface Part {
  code: number;
  body: string;
}
const part = (body: unknown, code = 200): Part => ({ code, body: JSON.stringify(body) });
const metric = (name: string, value: unknown) => ({ name, period: 'lifetime', values: [{ value }] });
const asked = (index: number) =>
  (JSON.parse(odd.heard[index]?.form['batch'] ?? '[]') as { method: string; relative_url: string }[]).map(
    ({ method, relative_url }) => [method, decodeURIComponent(relative_url)],
  );
const token = 'a-page-token';
const nothing = { likes: 0, comments: 0, shares: 0, saves: 0, reach: 0, impressions: 0, plays: 0 };

describe('Insights', () => {
  it('are asked in one call for every kind, with the metrics it has', async () => {
    odd.answer(
      json([
        part({ data: [metric('likes', 3), metric('saved', 2), metric('reach', 50), metric('views', 80)] }),
        part({ data: [metric('views', 90), metric('comments', 4), { name: 'shares', total_value: { value: 1 } }] }),
        part({ data: [metric('replies', 5), metric('views', 7)] }),
        part({
          id: '1_2',
          shares: { count: 6 },
          reactions: { data: [], summary: { total_count: 8 } },
          comments: { data: [], summary: { total_count: 9 } },
          insights: { data: [metric('post_media_view', 100), metric('post_total_media_view_unique', 60)] },
        }),
        part({
          id: '5',
          likes: { data: [], summary: { total_count: 1 } },
          video_insights: { data: [metric('total_video_views', 30), metric('total_video_views_unique', 20)] },
        }),
      ]),
    );
    const kinds = ['instagram-feed', 'instagram-reel', 'instagram-story', 'page-post', 'page-video'] as const;
    const ids = ['11', '12', '13', '1_2', '5'];
    const read = await insights.read(
      token,
      kinds.map((kind, index) => ({ kind, id: ids[index] ?? '' })),
    );
    expect(read).toEqual([
      { ...nothing, likes: 3, saves: 2, reach: 50, impressions: 80 },
      { ...nothing, comments: 4, shares: 1, impressions: 90, plays: 90 },
      { ...nothing, comments: 5, impressions: 7 },
      { ...nothing, likes: 8, comments: 9, shares: 6, reach: 60, impressions: 100 },
      { ...nothing, likes: 1, reach: 20, impressions: 30, plays: 30 },
    ]);
    expect(odd.heard).toHaveLength(1);
    expect(odd.heard[0]).toMatchObject({ method: 'POST', authorization: `Bearer ${token}` });
    expect(asked(0).map(([, url]) => url)).toEqual([
      '11/insights?metric=likes,comments,shares,saved,reach,views',
      '12/insights?metric=likes,comments,shares,saved,reach,views',
      '13/insights?metric=replies,shares,reach,views',
      '1_2?fields=shares,reactions.limit(0).summary(total_count),comments.limit(0).summary(total_count),insights.metric(post_media_view,post_total_media_view_unique)',
      '5?fields=likes.limit(0).summary(total_count),comments.limit(0).summary(total_count),video_insights.metric(total_video_views,total_video_views_unique)',
    ]);
  });

  it('of one object that fails do not spoil the others', async () => {
    const gone = { error: { code: 100, error_subcode: 33 } };
    const notEnough = { error: { code: 10, message: '(#10) Not enough viewers for the media to show insights' } };
    odd.answer(
      json([
        part(gone, 400),
        null,
        part({ error: { code: 10, message: '(#10) Application does not have permission for this action' } }, 403),
        part(notEnough, 400),
        { code: 200, body: '{"data":[' },
        part({ data: [metric('likes', 'many'), metric('reach', -1), metric('views', 1.5)] }),
      ]),
    );
    const objects: MeasuredObject[] = Array.from({ length: 7 }, (_, index) => ({
      id: `${index}`,
      kind: index === 3 ? 'instagram-story' : 'instagram-feed',
    }));
    const read = await insights.read(token, objects);
    expect(read.map((one) => (one instanceof MetaFailure ? one.kind : one))).toEqual([
      'not-found',
      'unavailable',
      'permission-missing',
      nothing,
      'unavailable',
      { ...nothing, impressions: 1 },
      'unavailable',
    ]);
  });

  it('of many objects are asked fifty at a time, and one call that fails spoils its own fifty only', async () => {
    const echo: Reply = (response, request) => {
      const batch = JSON.parse(request.form['batch'] ?? '[]') as { relative_url: string }[];
      const parts = batch.map(({ relative_url }) =>
        part({ data: [metric('reach', Number.parseInt(relative_url, 10))] }),
      );
      json(parts)(response, request);
    };
    odd.answer(echo, refusal({ code: 190 }, 401), echo);
    const objects: MeasuredObject[] = Array.from({ length: 120 }, (_, index) => ({
      id: `${index + 1}`,
      kind: 'instagram-feed',
    }));
    const read = await insights.read(token, objects);
    expect(odd.heard.map((_, index) => asked(index).length)).toEqual([50, 50, 20]);
    expect(read.map((one) => (one instanceof MetaFailure ? one.kind : one.reach))).toEqual(
      objects.map(({ id }, index) => (index >= 50 && index < 100 ? 'token-invalid' : Number(id))),
    );
  });

  it('change nothing, and are asked again when no answer comes', async () => {
    odd.answer(hangUp, json([part({ data: [] })]));
    expect(await insights.read(token, [{ id: '1', kind: 'instagram-reel' }])).toEqual([nothing]);
    expect(odd.heard).toHaveLength(2);
    expect(await insights.read(token, [])).toEqual([]);
    expect(odd.heard).toHaveLength(2);
  });

  it('of an id that is none are not asked for', async () => {
    odd.answer(json([]));
    await expect(insights.read(token, [{ id: '../me', kind: 'page-post' }])).rejects.toThrow(MetaFailure);
    expect(odd.heard).toEqual([]);
  });
});
