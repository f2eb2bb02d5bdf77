import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { z } from 'zod';
import type { GraphClient } from '../../src/integrations/meta/graph-client.js';
import { graphPath } from '../../src/integrations/meta/graph-client.js';
import type { GraphTransport } from '../../src/integrations/meta/graph-transport.js';
import { MetaFailure } from '../../src/integrations/meta/meta-failure.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import {
  appSecret,
  connect,
  halfAnswer,
  hangUp,
  json,
  type OddGraph,
  page,
  type Reply,
  refusal,
  silence,
  startOddGraph,
} from './odd-graph.js';

/** What the client makes of a Graph API that is not well. How it speaks to one that is: meta-emulator.test.ts. */

let odd: OddGraph;
let graph: GraphClient;
let transport: GraphTransport;
let changes: string[];
beforeAll(async () => {
  odd = await startOddGraph();
});
afterAll(() => odd.stop());
beforeEach(() => {
  ({ graph, transport, changes } = connect(odd.url));
});
afterEach(() => transport.close());

const token = 'EAAB-a-token-that-must-not-be-seen';
const Id = z.object({ id: z.string() });
const call = { path: 'me', family: 'pages', token } as const;
const read = () => graph.read(call, Id);
const write = () => graph.write(call, Id);

async function failureOf(promise: Promise<unknown>): Promise<MetaFailure> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MetaFailure);
  return error as MetaFailure;
}

describe('A call', () => {
  it('carries the token in a header and its proof beside it, and neither in an address', async () => {
    odd.answer(json({ id: '1' }));
    await graph.read({ ...call, parameters: { fields: 'id', empty: undefined } }, Id);
    await graph.write({ ...call, parameters: { message: 'a&b' } }, Id);
    const proof = createHmac('sha256', appSecret).update(token).digest('hex');
    const authorization = `Bearer ${token}`;
    expect(odd.heard).toEqual([
      { method: 'GET', path: '/v25.0/me', query: { fields: 'id', appsecret_proof: proof }, form: {}, authorization },
      { method: 'POST', path: '/v25.0/me', query: {}, form: { message: 'a&b', appsecret_proof: proof }, authorization },
    ]);
  });

  it('is not made without an app', async () => {
    const without = connect(odd.url, { app: {} });
    odd.answer(json({ id: '1' }));
    expect(await failureOf(Promise.resolve().then(() => without.graph.read(call, Id)))).toMatchObject({
      kind: 'not-configured',
    });
    expect(without.graph.isConfigured).toBe(false);
    expect(odd.heard).toEqual([]);
  });

  it.each(['..', 'me?access_token=', '1/feed', '', 'a b', '1%2f2'])(
    'does not let the id %j reach another edge',
    (id) => {
      expect(() => graphPath(id, 'feed')).toThrow(MetaFailure);
    },
  );
});

describe('A refusal', () => {
  const cases: [string, Reply, object][] = [
    [
      '190',
      refusal({ code: 190, error_subcode: 463 }, 401),
      { kind: 'token-invalid', graphCode: 190, graphSubcode: 463 },
    ],
    ['102', refusal({ code: 102 }), { kind: 'token-invalid' }],
    ['10', refusal({ code: 10 }, 403), { kind: 'permission-missing' }],
    ['200', refusal({ code: 200 }, 403), { kind: 'permission-missing' }],
    ['299', refusal({ code: 299 }, 403), { kind: 'permission-missing' }],
    ['4', refusal({ code: 4 }, 403), { kind: 'rate-limited' }],
    ['17', refusal({ code: 17 }), { kind: 'rate-limited' }],
    ['32', refusal({ code: 32 }), { kind: 'rate-limited' }],
    ['613', refusal({ code: 613 }), { kind: 'rate-limited' }],
    ['80001', refusal({ code: 80001 }), { kind: 'rate-limited' }],
    ['80014, although it says it is transient', refusal({ code: 80014, is_transient: true }), { kind: 'rate-limited' }],
    ['429 without a word', page('', 429), { kind: 'rate-limited' }],
    ['429', json({}, 429), { kind: 'rate-limited' }],
    ['10, too late for Messenger', refusal({ code: 10, error_subcode: 2018278 }, 403), { kind: 'outside-window' }],
    ['10, too late for Instagram', refusal({ code: 10, error_subcode: 2534022 }, 403), { kind: 'outside-window' }],
    ['10, who wants no messages', refusal({ code: 10, error_subcode: 2018108 }), { kind: 'recipient-unavailable' }],
    ['10, the thread of another app', refusal({ code: 10, error_subcode: 2018300 }), { kind: 'refused' }],
    ['551', refusal({ code: 551 }), { kind: 'recipient-unavailable' }],
    ['551 with its subcode', refusal({ code: 551, error_subcode: 1545041 }), { kind: 'recipient-unavailable' }],
    ['200 of a person', refusal({ code: 200, error_subcode: 1545041 }), { kind: 'recipient-unavailable' }],
    ['100 of nobody', refusal({ code: 100, error_subcode: 2018001 }), { kind: 'recipient-unavailable' }],
    ['100 of nobody on Instagram', refusal({ code: 100, error_subcode: 2534014 }), { kind: 'recipient-unavailable' }],
    ['100 of a comment that was answered', refusal({ code: 100, error_subcode: 2534025 }), { kind: 'refused' }],
    ['1200', refusal({ code: 1200 }, 500), { kind: 'unavailable', mayHaveHappened: true }],
    ['33 below 100', refusal({ code: 100, error_subcode: 33 }), { kind: 'not-found' }],
    ['803', refusal({ code: 803 }, 404), { kind: 'not-found' }],
    ['100', refusal({ code: 100 }), { kind: 'refused', graphCode: 100 }],
    ['506, a duplicate', refusal({ code: 506 }), { kind: 'refused' }],
    ['an error with status 200', refusal({ code: 100 }, 200), { kind: 'refused' }],
    ['1', refusal({ code: 1 }, 500), { kind: 'unavailable', mayHaveHappened: true }],
    ['2', refusal({ code: 2 }, 500), { kind: 'unavailable', mayHaveHappened: true }],
    ['a transient error', refusal({ code: 368, is_transient: true }), { kind: 'unavailable', mayHaveHappened: true }],
    ['190 with 500', refusal({ code: 190 }, 500), { kind: 'token-invalid', mayHaveHappened: false }],
    ['9007, a container that is not ready', refusal({ code: 9007 }), { kind: 'unavailable', mayHaveHappened: false }],
    ['9 of the posts of a day', refusal({ code: 9, error_subcode: 2207042 }), { kind: 'rate-limited' }],
    ['a wrong secret', refusal({ code: 1, message: 'Error validating client secret.' }), { kind: 'not-configured' }],
    ['a wrong proof', refusal({ code: 100, message: 'Invalid appsecret_proof' }), { kind: 'not-configured' }],
  ];
  it.each(cases)('of code %s', async (_, reply, expected) => {
    odd.answer(reply);
    const failure = await failureOf(write());
    expect(failure).toMatchObject({ mayHaveHappened: failure.kind === 'unavailable', ...expected });
    expect(odd.heard).toHaveLength(1);
  });
});

describe('Without a good answer', () => {
  const faults: [string, Reply][] = [
    ['a cut connection', hangUp],
    ['half an answer', halfAnswer],
    ['silence', silence],
    ['a page of HTML', page('<html>Sorry</html>')],
    ['a page of HTML with 502', page('<html>Bad gateway</html>', 502)],
    ['an answer of another shape', json({ name: 'no id' })],
    ['nothing but a status', page('', 500)],
    ['a redirect', (response) => void response.writeHead(302, { location: 'https://elsewhere.example/' }).end()],
  ];

  it.each(faults)('a read is asked again after %s', async (_, reply) => {
    odd.answer(reply, json({ id: '7' }));
    expect(await read()).toEqual({ id: '7' });
    expect(odd.heard).toHaveLength(2);
  });

  it.each(faults)('what changes something is sent once, and may have happened: %s', async (_, reply) => {
    odd.answer(reply, json({ id: '7' }));
    expect(await failureOf(write())).toMatchObject({ kind: 'unavailable', mayHaveHappened: true });
    expect(odd.heard).toHaveLength(1);
  });

  it('a read ends after three tries, a late one sooner; nothing of it may have happened', async () => {
    odd.answer(hangUp);
    expect(await failureOf(read())).toMatchObject({ kind: 'unavailable', mayHaveHappened: false });
    expect(odd.heard).toHaveLength(3);
    odd.answer(silence);
    await failureOf(read());
    expect(odd.heard).toHaveLength(2);
  });

  it('a refusal is not asked for again', async () => {
    odd.answer(refusal({ code: 190 }));
    await failureOf(read());
    odd.answer(refusal({ code: 4 }));
    await failureOf(read());
    expect(odd.heard).toHaveLength(1);
  });

  it('nothing happened where nobody listens', async () => {
    const gone = await startOddGraph();
    await gone.stop();
    const nowhere = connect(gone.url);
    expect(await failureOf(nowhere.graph.write(call, Id))).toMatchObject({
      kind: 'unavailable',
      mayHaveHappened: false,
    });
    await nowhere.transport.close();
  });

  it('no failure shows the token, the secret, or what Meta said', async () => {
    for (const [, reply] of [...faults, ['refused', refusal({ code: 100, message: `no ${token}` })] as const]) {
      odd.answer(reply);
      for (const failure of [await failureOf(read()), await failureOf(write())]) {
        const shown = `${inspect(failure, { depth: 9, showHidden: true })} ${JSON.stringify(failure)} ${failure.stack}`;
        expect(shown).not.toMatch(/must-not-be-seen|odd-secret|Sorry|elsewhere|Bearer/);
        expect(failure.cause).toBeUndefined();
      }
      await transport.close();
      ({ graph, transport } = connect(odd.url));
    }
  });
});

describe('Limits', () => {
  const usage = (percent: number) => JSON.stringify({ call_count: percent, total_time: 1, total_cputime: 1 });
  const business = (type: string, minutes: number, percent = 100) =>
    JSON.stringify({ '17841': [{ type, call_count: percent, estimated_time_to_regain_access: minutes }] });

  it.each([
    ['Retry-After', { 'retry-after': '90' }, 90],
    ['minutes to regain access', { 'x-business-use-case-usage': business('pages', 12) }, 720],
    ['the app used up', { 'x-app-usage': usage(100) }, 60],
    ['nothing', {}, undefined],
    ['nonsense', { 'x-app-usage': 'null', 'x-business-use-case-usage': '{"a":1}', 'retry-after': 'soon' }, undefined],
  ] as const)('are told with the time that Meta names: %s', async (_, headers, retryAfter) => {
    odd.answer(refusal({ code: 32 }, 400, headers));
    expect((await failureOf(read())).retryAfter).toBe(retryAfter);
  });

  it('that a good answer names are kept to: the next call is not sent', async () => {
    odd.answer(json({ id: '1' }, 200, { 'x-page-usage': usage(100) }));
    await read();
    expect(await failureOf(write())).toMatchObject({ kind: 'rate-limited', retryAfter: 60, mayHaveHappened: false });
    expect(odd.heard).toHaveLength(1);
  });

  it('end when their time is over', async () => {
    odd.answer(refusal({ code: 32 }, 400, { 'retry-after': '1' }), json({ id: '1' }));
    await failureOf(read());
    await failureOf(read());
    expect(odd.heard).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect(await read()).toEqual({ id: '1' });
  });

  it('of one account hold up no other, nor its other half', async () => {
    odd.answer(refusal({ code: 80001 }, 400, { 'x-business-use-case-usage': business('pages', 5) }), json({ id: '1' }));
    await failureOf(read());
    await graph.read({ ...call, token: 'another page' }, Id);
    await graph.read({ ...call, family: 'instagram' }, Id);
    await graph.read({ path: 'me', family: 'app', token }, Id);
    expect(odd.heard).toHaveLength(4);
  });

  it('of another use, or below a hundred, hold up nothing', async () => {
    const both = JSON.stringify({
      1: [{ type: 'instagram', call_count: 100, estimated_time_to_regain_access: 5 }],
      2: [{ type: 'pages', call_count: 99, estimated_time_to_regain_access: 0 }],
    });
    odd.answer(json({ id: '1' }, 200, { 'x-app-usage': usage(99), 'x-business-use-case-usage': both }));
    await read();
    expect(await read()).toEqual({ id: '1' });
  });

  it('of the app hold up whoever comes in its name', async () => {
    odd.answer(json({ id: '1' }, 200, { 'x-app-usage': usage(100) }));
    await graph.read({ path: 'me', family: 'app', token }, Id);
    const other = graph.read({ path: 'me', family: 'app', token: 'of somebody else' }, Id);
    expect(await failureOf(other)).toMatchObject({ kind: 'rate-limited' });
    await read();
  });

  it('of one person hold up no other', async () => {
    odd.answer(refusal({ code: 17 }, 400, { 'retry-after': '30', 'x-app-usage': usage(20) }), json({ id: '1' }));
    const asking = (one: string) => graph.read({ path: 'me', family: 'app', token: one }, Id);
    expect(await failureOf(asking('of one'))).toMatchObject({ kind: 'rate-limited', retryAfter: 30 });
    expect(await failureOf(asking('of one'))).toMatchObject({ kind: 'rate-limited' });
    expect(await asking('of another')).toEqual({ id: '1' });
    expect(odd.heard).toHaveLength(2);
  });
});

describe('The breaker', () => {
  const fail = async (times: number) => {
    for (let count = 0; count < times; count += 1) await failureOf(write());
  };

  it('leaves a host alone that does not answer, and finds out when it is back', async () => {
    odd.answer(hangUp);
    await fail(10);
    expect(await failureOf(write())).toMatchObject({ kind: 'unavailable', mayHaveHappened: false, retryAfter: 1 });
    await failureOf(read());
    expect(odd.heard).toHaveLength(10);
    await new Promise((resolve) => setTimeout(resolve, 350));
    odd.answer(json({ id: '1' }));
    expect(await write()).toEqual({ id: '1' });
    expect(await write()).toEqual({ id: '1' });
    expect(changes).toEqual(['left alone', 'back']);
  });

  it('goes on leaving it alone when it is not back', async () => {
    odd.answer(hangUp);
    await fail(10);
    await new Promise((resolve) => setTimeout(resolve, 350));
    await fail(3);
    expect(odd.heard).toHaveLength(11);
  });

  it('counts 5xx, and gives them on as they are', async () => {
    odd.answer(refusal({ code: 2 }, 500));
    await fail(10);
    expect(await failureOf(write())).toMatchObject({ kind: 'unavailable', graphCode: undefined });
    expect(odd.heard).toHaveLength(10);
  });

  it('does not count refusals and limits', async () => {
    odd.answer(refusal({ code: 190 }, 401));
    await fail(20);
    expect(odd.heard).toHaveLength(20);
  });

  it('is not tripped by one call in two', async () => {
    for (let count = 0; count < 12; count += 1) {
      odd.answer(hangUp);
      await fail(1);
      odd.answer(json({ id: '1' }));
      await write();
    }
  });
});

describe('A list', () => {
  const listed = (ids: string[], after?: string): Reply =>
    json({
      data: ids.map((id) => ({ id, name: id, access_token: `of ${id}` })),
      paging: {
        cursors: { before: 'x', after: after ?? 'end' },
        ...(after && { next: `${odd.url}/elsewhere?access_token=${token}&after=${after}` }),
      },
    });

  it('is read over all its pages, by cursors and not by addresses', async () => {
    odd.answer(listed(['1', '2'], 'b'), listed(['3'], 'c'), listed(['4']));
    const pages = await new MetaPages(graph).list(token);
    expect(pages.map(({ id }) => id)).toEqual(['1', '2', '3', '4']);
    expect(odd.heard.map(({ path, query }) => [path, query['after']])).toEqual([
      ['/v25.0/me/accounts', undefined],
      ['/v25.0/me/accounts', 'b'],
      ['/v25.0/me/accounts', 'c'],
    ]);
  });

  it('that does not end is not followed for ever', async () => {
    odd.answer(listed(['1'], 'same'));
    expect(await new MetaPages(graph).list(token)).toHaveLength(2);
    let count = 0;
    odd.answer((response, request) => listed(['1'], `cursor ${count++}`)(response, request));
    await new MetaPages(graph).list(token);
    expect(odd.heard.length).toBe(100);
  });

  it('leaves out a page without a token', async () => {
    odd.answer(
      json({
        data: [
          { id: '1', name: 'One' },
          { id: '2', name: 'Two', access_token: 'x' },
        ],
      }),
    );
    expect((await new MetaPages(graph).list(token)).map(({ id }) => id)).toEqual(['2']);
  });

  it('of posts ends with the first page that is too old', async () => {
    const posted = (ids: string[], time: string, after?: string): Reply =>
      json({
        data: ids.map((id) => ({ id, created_time: time, description: id, permalink_url: `/videos/${id}/` })),
        paging: { cursors: { after: after ?? 'end' }, ...(after && { next: 'x' }) },
      });
    odd.answer(
      posted(['p1'], '2026-11-21T12:00:00+0000', 'b'),
      posted(['p0'], '2026-11-20T12:00:00+0000', 'c'),
      posted(['v1'], '2026-11-21T13:00:00+0000'),
    );
    const posts = await new MetaPages(graph).recentPosts(token, '1', new Date('2026-11-21T00:00:00Z'));
    expect(posts).toEqual([
      { id: 'p1', message: null, createdAt: new Date('2026-11-21T12:00:00Z'), permalink: `${odd.url}/videos/p1/` },
      { id: 'v1', message: 'v1', createdAt: new Date('2026-11-21T13:00:00Z'), permalink: `${odd.url}/videos/v1/` },
    ]);
    expect(odd.heard.map(({ path }) => path)).toEqual([
      '/v25.0/1/published_posts',
      '/v25.0/1/published_posts',
      '/v25.0/1/videos',
    ]);
  });
});
