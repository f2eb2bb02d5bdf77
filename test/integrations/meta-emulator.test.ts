import { createHash } from 'node:crypto';
import type { GraphClient } from '../../src/integrations/meta/graph-client.js';
import { MetaFailure } from '../../src/integrations/meta/meta-failure.js';
import { MetaInsights } from '../../src/integrations/meta/meta-insights.js';
import { type Container, MetaInstagram } from '../../src/integrations/meta/meta-instagram.js';
import { MetaLogin } from '../../src/integrations/meta/meta-login.js';
import { type ManagedPage, MetaPages } from '../../src/integrations/meta/meta-pages.js';
import { SignedRequests } from '../../src/integrations/meta/signed-requests.js';
import { type Meta, startMeta } from '../support/meta.js';
import { connect } from './odd-graph.js';

/** The client against Meta as its documentation has it. */

const app = { appId: 'emulator-app', appSecret: 'emulator-secret' };
const redirectUri = 'http://app.example/back';
const verifier = 'v'.repeat(43);
const codeChallenge = createHash('sha256').update(verifier).digest('base64url');
const scopes = [
  ...['email', 'public_profile', 'pages_show_list', 'pages_read_engagement', 'pages_manage_posts'],
  ...['pages_manage_metadata', 'pages_messaging', 'read_insights', 'business_management'],
  ...['instagram_basic', 'instagram_content_publish', 'instagram_manage_insights'],
];

let meta: Meta;
let graph: GraphClient;
let close: () => Promise<void>;
let login: MetaLogin;
let pages: MetaPages;
let instagram: MetaInstagram;
let personId: string;
beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  const connected = connect(meta.url, { app, timeoutMs: 1_500 });
  graph = connected.graph;
  close = () => connected.transport.close();
  login = new MetaLogin(graph);
  pages = new MetaPages(graph);
  instagram = new MetaInstagram(graph);
  personId = await meta.person({ name: 'Ada Lovelace', email: 'ada@meta.example' });
});
afterEach(() => close());

async function codeOf(withholds: string[] = []): Promise<string> {
  const dialog = login.dialogUrl({ redirectUri, state: 'a&b', scopes, codeChallenge });
  const back = await meta.consent(dialog, { personId, withholds });
  expect(back.get('state')).toBe('a&b');
  return back.get('code') ?? '';
}
const exchange = async (code: string) => login.exchange({ code, redirectUri, codeVerifier: verifier });
const tokenOf = async (withholds?: string[]) => (await exchange(await codeOf(withholds))).accessToken;
async function connectedPage(): Promise<ManagedPage & { instagramId: string }> {
  const made = await meta.page({
    personId,
    name: 'Northside',
    instagram: { username: 'north', accountType: 'creator' },
  });
  const [page] = await pages.list((await login.extend(await tokenOf())).accessToken);
  if (!page) throw new Error('There is no page.');
  return { ...page, instagramId: made.instagramId ?? '' };
}
const failing = (kind: string, more: object = {}) => expect.objectContaining({ name: 'MetaFailure', kind, ...more });

describe('Log-in', () => {
  it('leads from the dialog to a person', async () => {
    const token = await exchange(await codeOf());
    expect(token.expiresAt?.getTime()).toBeGreaterThan(Date.now());
    expect(await login.me(token.accessToken)).toEqual({
      ...{ id: personId, name: 'Ada Lovelace', firstName: 'Ada', lastName: 'Lovelace', email: 'ada@meta.example' },
    });
    const long = await login.extend(token.accessToken);
    expect(long.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 50 * 86_400_000);
  });

  it('knows no e-mail that was not granted', async () => {
    expect(await login.me(await tokenOf(['email']))).toMatchObject({ id: personId, email: null });
  });

  it('takes a code once, with its verifier and its address', async () => {
    const code = await codeOf();
    await expect(login.exchange({ code, redirectUri, codeVerifier: 'w'.repeat(43) })).rejects.toEqual(
      failing('code-refused'),
    );
    await expect(login.exchange({ code, redirectUri: 'http://app.example/', codeVerifier: verifier })).rejects.toEqual(
      failing('code-refused'),
    );
    await exchange(code);
    await expect(exchange(code)).rejects.toEqual(failing('code-refused', { mayHaveHappened: false }));
    await expect(exchange('no code')).rejects.toEqual(failing('code-refused'));
  });

  it('says that the app is not known, or its secret wrong', async () => {
    for (const wrong of [
      { ...app, appSecret: 'wrong' },
      { ...app, appId: '1' },
    ]) {
      const other = connect(meta.url, { app: wrong });
      const exchanged = new MetaLogin(other.graph).exchange({ code: 'x', redirectUri });
      await expect(exchanged).rejects.toEqual(failing('not-configured'));
      await other.transport.close();
    }
    const other = connect(meta.url, { app: { ...app, appSecret: 'wrong' } });
    await expect(new MetaLogin(other.graph).me(await tokenOf())).rejects.toEqual(failing('not-configured'));
    await other.transport.close();
  });

  it('inspects tokens', async () => {
    const token = await tokenOf(['pages_manage_posts']);
    const known = { isValid: true, appId: 'emulator-app', type: 'USER', userId: personId, profileId: null };
    const inspected = await login.inspect(token);
    expect(inspected).toMatchObject(known);
    expect(inspected.scopes).toContain('pages_show_list');
    expect(inspected.scopes).not.toContain('pages_manage_posts');
    expect(inspected.expiresAt).toBeInstanceOf(Date);
    const page = await connectedPage();
    expect(await login.inspect(page.accessToken)).toMatchObject({
      ...{ isValid: true, type: 'PAGE', profileId: page.id, expiresAt: null },
    });
    expect(await login.inspect('nonsense')).toMatchObject({ isValid: false, scopes: [], error: { code: 190 } });
    await meta.control('tokens/expire', { personId });
    expect(await login.inspect(token)).toMatchObject({ isValid: false, error: { code: 190, subcode: 463 } });
    await expect(login.me(token)).rejects.toEqual(failing('token-invalid', { graphSubcode: 463 }));
  });

  it('ends with its permissions', async () => {
    const token = await tokenOf();
    await login.revoke(token);
    expect(await login.inspect(token)).toMatchObject({ isValid: false });
    await expect(login.revoke(token, personId)).rejects.toEqual(failing('token-invalid'));
  });

  it('is asked again for what was declined', () => {
    const url = new URL(login.dialogUrl({ redirectUri, state: 's', scopes: ['email'], rerequest: true }));
    expect(url.pathname).toBe('/v25.0/dialog/oauth');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      ...{ client_id: 'emulator-app', redirect_uri: redirectUri, response_type: 'code', state: 's', scope: 'email' },
      auth_type: 'rerequest',
    });
  });

  it("opens what Meta signs for the app's callbacks", async () => {
    const opened = new SignedRequests([app.appSecret]).open(await meta.signedRequest(personId));
    expect(opened?.userId).toBe(personId);
    expect(Math.abs((opened?.issuedAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });
});

describe('Pages', () => {
  it('are all listed, with their accounts', async () => {
    for (let count = 1; count <= 120; count += 1) await meta.page({ personId, name: `Page ${count}` });
    const page = await connectedPage();
    const listed = await pages.list(await tokenOf());
    expect(listed).toHaveLength(121);
    expect(new Set(listed.map(({ id }) => id)).size).toBe(121);
    expect(listed.find(({ name }) => name === 'Northside')).toMatchObject({
      tasks: expect.arrayContaining(['CREATE_CONTENT']),
      instagram: { id: page.instagramId, username: 'north' },
    });
    expect(listed[0]).toMatchObject({ instagram: null, pictureUrl: expect.stringMatching(/^https:/) });
  });

  it('are subscribed to and left', async () => {
    const { accessToken, id } = await connectedPage();
    expect(await pages.subscribedFields(accessToken, id)).toEqual([]);
    await pages.subscribe(accessToken, id, ['messages', 'feed']);
    expect(await pages.subscribedFields(accessToken, id)).toEqual(['messages', 'feed']);
    await pages.unsubscribe(accessToken, id);
    expect(await pages.subscribedFields(accessToken, id)).toEqual([]);
  });

  it('take texts, photos, albums and videos, and list them', async () => {
    const { accessToken, id } = await connectedPage();
    const since = new Date(Date.now() - 1000);
    const text = await pages.publishFeed(accessToken, id, {
      message: 'Hello & welcome',
      link: 'https://a.example/?x=1',
    });
    const photo = await pages.publishPhoto(accessToken, id, { url: 'https://a.example/1.jpg', caption: 'Photo' });
    const hidden = await Promise.all(
      ['1', '2'].map((name) => pages.uploadPhoto(accessToken, id, { url: `https://a.example/${name}.jpg` })),
    );
    const photoIds = hidden.map((one) => one.id);
    const album = await pages.publishAlbum(accessToken, id, { message: 'Album', photoIds });
    const video = await pages.publishVideo(accessToken, id, {
      fileUrl: 'https://a.example/1.mp4',
      description: 'Video',
    });
    expect((await meta.published(id)).map(({ kind, caption }) => [kind, caption])).toEqual([
      ['page-post', 'Hello & welcome'],
      ['page-photo', 'Photo'],
      ['page-post', 'Album'],
      ['page-video', 'Video'],
    ]);
    const recent = await pages.recentPosts(accessToken, id, since);
    const ids = recent.map((post) => post.id);
    expect(ids).toEqual(expect.arrayContaining([text.id, photo.postId, album.id, video.id]));
    expect(recent.find((post) => post.id === text.id)).toMatchObject({ message: 'Hello & welcome' });
    expect(recent.every(({ createdAt }) => createdAt >= new Date(since.getTime() - 1000))).toBe(true);
    expect(await pages.permalink(accessToken, text.id)).toMatch(/^https:\/\/www\.facebook\.com\//);
    expect(await pages.permalink(accessToken, video.id)).toBe(`${meta.url}/${id}/videos/${video.id}/`);
    expect(await pages.recentPosts(accessToken, id, new Date(Date.now() + 60_000))).toEqual([]);
  });

  it('are not published on without the permission', async () => {
    await meta.page({ personId, name: 'Northside' });
    const [page] = await pages.list(await tokenOf(['pages_manage_posts']));
    const posted = pages.publishFeed(page?.accessToken ?? '', page?.id ?? '', { message: 'No' });
    await expect(posted).rejects.toEqual(failing('permission-missing', { graphCode: 200, mayHaveHappened: false }));
  });
});

describe('Instagram', () => {
  const imageUrl = 'https://a.example/1.jpg';
  const videoUrl = 'https://a.example/1.mp4';

  it('knows the account and what it may still publish', async () => {
    const { accessToken, instagramId } = await connectedPage();
    expect(await instagram.account(accessToken, instagramId)).toMatchObject({
      ...{ id: instagramId, username: 'north', accountType: 'CREATOR' },
    });
    await meta.control('limit', { instagramId, used: 3, total: 25 });
    expect(await instagram.publishingLimit(accessToken, instagramId)).toEqual({
      ...{ used: 3, total: 25, windowSeconds: 86_400 },
    });
  });

  const containers: [Container, string][] = [
    [{ kind: 'image', imageUrl, caption: 'Image #one' }, 'instagram-feed'],
    [{ kind: 'video', videoUrl, caption: 'Video', coverUrl: imageUrl }, 'instagram-reel'],
    [{ kind: 'reel', videoUrl, caption: 'Reel', shareToFeed: false, locationId: '42' }, 'instagram-reel'],
    [{ kind: 'story', imageUrl }, 'instagram-story'],
    [{ kind: 'story', videoUrl }, 'instagram-story'],
  ];
  it.each(containers)('publishes %j', async (container, kind) => {
    const { accessToken, instagramId } = await connectedPage();
    const made = await instagram.createContainer(accessToken, instagramId, container);
    if ('videoUrl' in container) {
      await expect(instagram.publish(accessToken, instagramId, made.id)).rejects.toEqual(
        failing('unavailable', { graphCode: 9007, mayHaveHappened: false }),
      );
      expect(await instagram.containerStatus(accessToken, made.id)).toMatchObject({ status: 'IN_PROGRESS' });
    }
    expect(await instagram.containerStatus(accessToken, made.id)).toMatchObject({ status: 'FINISHED' });
    const media = await instagram.publish(accessToken, instagramId, made.id);
    expect(await instagram.containerStatus(accessToken, made.id)).toMatchObject({ status: 'PUBLISHED' });
    expect(await meta.published(instagramId)).toMatchObject([{ id: media.id, kind, containerId: made.id }]);
    const { permalink } = await instagram.permalink(accessToken, media.id);
    expect(permalink).toMatch(/^https:\/\/www\.instagram\.com\//);
    const recent = await instagram.recentMedia(accessToken, instagramId, new Date(Date.now() - 5000));
    expect(recent.map(({ id }) => id)).toEqual([media.id]);
    expect(recent[0]?.permalink).toBe(permalink);
    await expect(instagram.publish(accessToken, instagramId, made.id)).rejects.toBeInstanceOf(MetaFailure);
    expect(await meta.published(instagramId)).toHaveLength(1);
  });

  it('publishes a carousel of its items', async () => {
    const { accessToken, instagramId } = await connectedPage();
    const children: string[] = [];
    for (const item of [{ imageUrl }, { imageUrl }, { videoUrl }]) {
      const { id } = await instagram.createContainer(accessToken, instagramId, { kind: 'carousel-item', ...item });
      children.push(id);
    }
    await instagram.containerStatus(accessToken, children[2] ?? '');
    const parent = await instagram.createContainer(accessToken, instagramId, {
      ...{ kind: 'carousel', children, caption: 'Many' },
    });
    const { id } = await instagram.publish(accessToken, instagramId, parent.id);
    expect(await instagram.recentMedia(accessToken, instagramId, new Date(0))).toMatchObject([
      { id, caption: 'Many', mediaType: 'CAROUSEL_ALBUM', productType: 'FEED' },
    ]);
  });

  it('says that nothing more may be published today', async () => {
    const { accessToken, instagramId } = await connectedPage();
    await meta.control('limit', { instagramId, used: 25, total: 25 });
    const { id } = await instagram.createContainer(accessToken, instagramId, { kind: 'image', imageUrl, caption: '' });
    await expect(instagram.publish(accessToken, instagramId, id)).rejects.toEqual(failing('rate-limited'));
  });

  it.each([
    ['cut-before', 0, true],
    ['cut-after', 1, true],
    ['truncated', 1, true],
    ['malformed', 1, true],
    ['html', 1, true],
    ['internal', 0, true],
    ['internal-after', 1, true],
    ['rate-limited', 0, false],
    ['token-expired', 0, false],
    ['permission', 0, false],
    ['refused', 0, false],
  ] as const)('is published to once, whatever becomes of the answer: %s', async (kind, published, mayHaveHappened) => {
    const { accessToken, instagramId } = await connectedPage();
    const { id } = await instagram.createContainer(accessToken, instagramId, { kind: 'image', imageUrl, caption: '' });
    await meta.fault({ on: 'instagram.publish', kind });
    const error = await instagram.publish(accessToken, instagramId, id).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'MetaFailure', mayHaveHappened });
    expect(await meta.count('instagram.publish')).toBe(1);
    expect(await meta.published(instagramId)).toHaveLength(published);
    const shown = `${(error as Error).stack}${JSON.stringify(error)}`;
    for (const token of await meta.tokens()) expect(shown).not.toContain(token);
  });
});

describe('Insights', () => {
  it('of everything that was published', async () => {
    const { accessToken, id, instagramId } = await connectedPage();
    const post = await pages.publishFeed(accessToken, id, { message: 'Post' });
    const video = await pages.publishVideo(accessToken, id, { fileUrl: 'https://a.example/1.mp4', description: '' });
    const image = await instagram.createContainer(accessToken, instagramId, {
      ...{ kind: 'image', imageUrl: 'https://a.example/1.jpg', caption: '' },
    });
    const story = await instagram.createContainer(accessToken, instagramId, {
      ...{ kind: 'story', imageUrl: 'https://a.example/1.jpg' },
    });
    const media = await instagram.publish(accessToken, instagramId, image.id);
    const shown = await instagram.publish(accessToken, instagramId, story.id);
    const counts = { likes: 1, comments: 2, shares: 3, saves: 4, reach: 50, impressions: 60, plays: 7 };
    for (const objectId of [post.id, video.id, media.id]) await meta.control('insights', { objectId, ...counts });
    const insights = new MetaInsights(graph);
    expect(
      await insights.read(accessToken, [
        { id: media.id, kind: 'instagram-feed' },
        { id: shown.id, kind: 'instagram-story' },
      ]),
    ).toEqual([
      { ...counts, plays: 0 },
      { likes: 0, comments: 0, shares: 0, saves: 0, reach: 0, impressions: 0, plays: 0 },
    ]);
    expect(
      await insights.read(accessToken, [
        { id: post.id, kind: 'page-post' },
        { id: video.id, kind: 'page-video' },
        { id: '122300000000999', kind: 'page-post' },
      ]),
    ).toEqual([
      { ...counts, saves: 0, plays: 0 },
      { ...counts, saves: 0, shares: 0, impressions: 7 },
      failing('not-found'),
    ]);
    expect(await meta.count('batch')).toBe(2);
  });
});
