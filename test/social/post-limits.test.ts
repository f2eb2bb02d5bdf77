import { demoAddress } from '../../src/demo/demo.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type ConnectedPage, connectPage } from '../support/published-posts.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

/** What the platforms take, checked before a post is queued: each field that is against a limit is named. */

let meta: Meta;
let service: Service;
let staff: string;
let organisationId: string;
let page: ConnectedPage;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  staff = await service.tokenOf(demoAddress('staff', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token: staff })).body.data[0].organisationId;
  page = await connectPage(service, meta, organisationId, 'Northside');
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const mebibyte = 1024 * 1024;
type Columns = Record<string, unknown>;
const image = (asked = {}): Columns => ({ content_type: 'image', content_url: meta.media('a.jpg', asked) });
const png = (asked = {}): Columns => ({ content_type: 'image', content_url: meta.media('a.png', asked) });
const film = (asked = {}): Columns => ({ content_type: 'video', content_url: meta.media('a.mp4', asked) });
const carousel = (...children: string[]): Columns => ({ content_url: null, post_type: 'carousel', children });
const tags = (count: number) => Array.from({ length: count }, (_, index) => `tag${index}`);

let hours = 0;
/** Each at a time of its own, so that none is in another's neighbourhood. */
async function schedule(accountId: string, columns: Columns): Promise<Answer & { id: string }> {
  hours += 1;
  const id = await insertPost(service.database, accountId, { caption: '', ...columns });
  const body = { scheduledFor: new Date(Date.now() + hours * 2 * 3_600_000).toISOString() };
  const path = `/organisations/${organisationId}/social/posts/${id}/schedule`;
  return { ...(await service.call('POST', path, { token: staff, body })), id };
}
const fieldsOf = ({ status, body }: Answer) =>
  status === 200
    ? 'queued'
    : [body.code, ...body.errors.map(({ path, code }: { path: string; code: string }) => `${path}: ${code}`)];
const refusedFor = (...fields: string[]) => ['post-not-publishable', ...fields];

/** What is scheduled, and what is answered. */
type Case = [name: string, columns: () => Columns, answer: 'queued' | string[]];

const onInstagram: Case[] = [
  ['a JPEG', () => image(), 'queued'],
  ['a JPEG of 8 MiB', () => image({ bytes: 8 * mebibyte }), 'queued'],
  ['a JPEG of 9 MB', () => image({ bytes: 9_000_000 }), refusedFor('contentUrl: media-too-large')],
  ['a PNG', () => png(), refusedFor('contentUrl: media-type')],
  ['a PNG that is said to be a JPEG', () => png({ type: 'image/jpeg' }), refusedFor('contentUrl: media-type')],
  ['nothing to show', () => ({ content_url: null, caption: 'Words alone' }), refusedFor('contentUrl: missing')],
  ['an image that is not there', () => image({ status: 404 }), refusedFor('contentUrl: media-not-there')],
  ['a page in place of an image', () => image({ type: 'text/html' }), refusedFor('contentUrl: media-type')],
  [
    'a video that is said to be an image',
    () => ({ ...film(), content_type: 'image' }),
    refusedFor('contentUrl: media-type'),
  ],
  ['a feed video of 60 s', () => film({ duration: 60 }), 'queued'],
  ['a feed video of 61 s', () => film({ duration: 61 }), refusedFor('contentUrl: media-duration')],
  ['a feed video of 2 s', () => film({ duration: 2 }), refusedFor('contentUrl: media-duration')],
  ['a feed video of 101 MiB', () => film({ bytes: 101 * mebibyte }), refusedFor('contentUrl: media-too-large')],
  [
    'a film whose header stands at its end',
    () => film({ duration: 61, bytes: 3 * mebibyte, moov: 'last' }),
    refusedFor('contentUrl: media-duration'),
  ],
  ['a reel of 90 s', () => ({ ...film({ duration: 90 }), post_type: 'reel', share_to_feed: true }), 'queued'],
  [
    'a reel of 91 s',
    () => ({ ...film({ duration: 91 }), post_type: 'reel' }),
    refusedFor('contentUrl: media-duration'),
  ],
  [
    'a reel that lies on its side',
    () => ({ ...film({ width: 1920, height: 1080 }), post_type: 'reel' }),
    refusedFor('contentUrl: media-ratio'),
  ],
  [
    'a reel with an image',
    () => ({ ...image(), post_type: 'reel' }),
    refusedFor('contentType: not-supported', 'contentUrl: media-type'),
  ],
  ['a reel with a cover', () => ({ ...film(), post_type: 'reel', thumbnail_url: meta.media('cover.jpg') }), 'queued'],
  [
    'a reel whose cover is a PNG',
    () => ({ ...film(), post_type: 'reel', thumbnail_url: meta.media('cover.png') }),
    refusedFor('thumbnailUrl: media-type'),
  ],
  [
    'a feed video whose cover is a film',
    () => ({ ...film(), thumbnail_url: meta.media('cover.mp4') }),
    refusedFor('thumbnailUrl: media-type'),
  ],
  ['an image whose thumbnail nobody hands over', () => ({ ...image(), thumbnail_url: meta.media('t.png') }), 'queued'],
  ['a story of 15 s', () => ({ ...film({ duration: 15 }), post_type: 'story' }), 'queued'],
  [
    'a story of 16 s',
    () => ({ ...film({ duration: 16 }), post_type: 'story' }),
    refusedFor('contentUrl: media-duration'),
  ],
  ['a story with a square image', () => ({ ...image(), post_type: 'story' }), refusedFor('contentUrl: media-ratio')],
  [
    'a feed post that is shared to the feed',
    () => ({ ...image(), share_to_feed: true }),
    refusedFor('shareToFeed: reels-only'),
  ],
  ['a carousel of two', () => carousel(meta.media('1.jpg'), meta.media('2.mp4')), 'queued'],
  ['a carousel of ten', () => carousel(...tags(10).map((tag) => meta.media(`${tag}.jpg`))), 'queued'],
  ['a carousel of one', () => carousel(meta.media('1.jpg')), refusedFor('children: count')],
  [
    'a carousel with a PNG',
    () => carousel(meta.media('1.jpg'), meta.media('2.png')),
    refusedFor('children.1: media-type'),
  ],
  [
    'a carousel beside one image',
    () => ({ ...carousel(meta.media('1.jpg'), meta.media('2.jpg')), ...image() }),
    refusedFor('contentUrl: not-in-carousel'),
  ],
  ['30 hashtags', () => ({ ...image(), hashtags: tags(30) }), 'queued'],
  [
    '31 hashtags, one of them in the caption',
    () => ({ ...image(), caption: 'So #white', hashtags: tags(30) }),
    refusedFor('hashtags: too-many'),
  ],
  [
    'a caption that is too long with its hashtags',
    () => ({ ...image(), caption: 'x'.repeat(2_195), hashtags: ['white'] }),
    refusedFor('caption: too-long'),
  ],
  ['a caption of 2,200 characters', () => ({ ...image(), caption: '🦷'.repeat(2_200) }), 'queued'],
  [
    '21 mentions',
    () => ({
      ...image(),
      caption: tags(21)
        .map((tag) => `@${tag}`)
        .join(' '),
    }),
    refusedFor('caption: too-many-mentions'),
  ],
  [
    'an address of mail, which is no mention',
    () => ({ ...image(), caption: 'desk@clinic.example '.repeat(21) }),
    'queued',
  ],
  [
    'everything wrong at once',
    () => ({ ...png({ bytes: 9_000_000 }), share_to_feed: true, caption: 'x'.repeat(2_200), hashtags: tags(30) }),
    refusedFor('caption: too-long', 'shareToFeed: reels-only', 'contentUrl: media-type', 'contentUrl: media-too-large'),
  ],
];

const onFacebook: Case[] = [
  ['words alone', () => ({ content_url: null, caption: 'Open on Saturday' }), 'queued'],
  ['nothing at all', () => ({ content_url: null, caption: ' ' }), refusedFor('contentUrl: missing')],
  ['a PNG', () => png(), 'queued'],
  ['a photo of 4 MiB', () => image({ bytes: 4 * mebibyte }), 'queued'],
  ['a photo of 5 MB', () => image({ bytes: 5_000_000 }), refusedFor('contentUrl: media-too-large')],
  ['a video of 60 s', () => film({ duration: 60 }), 'queued'],
  ['an album', () => carousel(meta.media('1.jpg'), meta.media('2.png')), 'queued'],
  [
    'an album with a video',
    () => carousel(meta.media('1.jpg'), meta.media('2.mp4')),
    refusedFor('children.1: media-type'),
  ],
  ['a story', () => ({ ...film(), post_type: 'story' }), refusedFor('postType: not-supported')],
  ['a reel', () => ({ ...film(), post_type: 'reel' }), refusedFor('postType: not-supported')],
];

describe('On Instagram', () => {
  it.each(onInstagram)('%s', async (_, columns, answer) => {
    expect(fieldsOf(await schedule(page.instagramAccountId, columns()))).toEqual(answer);
  });
});

describe('On Facebook', () => {
  it.each(onFacebook)('%s', async (_, columns, answer) => {
    expect(fieldsOf(await schedule(page.pageAccountId, columns()))).toEqual(answer);
  });
});

describe('A post', () => {
  it('that is refused stays a draft', async () => {
    const { id } = await schedule(page.instagramAccountId, png());
    const [row] = await service.database.sql('SELECT status, scheduled_for FROM social_media_posts WHERE id = $1', [
      id,
    ]);
    expect(row).toEqual({ status: 'draft', scheduled_for: null });
  });

  it('is of a type that its account may publish', async () => {
    const may = { can_publish_feed: false, can_publish_stories: false, can_publish_reels: false };
    const accountId = await insertAccount(service.database, organisationId, may);
    expect(fieldsOf(await schedule(accountId, { content_url: null, caption: 'Words' }))).toEqual(
      refusedFor('postType: not-allowed'),
    );
  });

  it('keeps what was learnt of its media, for the worker', async () => {
    const children = [meta.media('1.jpg'), meta.media('2.mp4')];
    const learnt = async (columns: Columns) => {
      const { id } = await schedule(page.instagramAccountId, columns);
      const [row] = await service.database.sql(
        'SELECT child_content_types AS types, duration_seconds::float8 AS seconds FROM social_media_posts WHERE id = $1',
        [id],
      );
      return row;
    };
    expect(await learnt(carousel(...children))).toEqual({ types: ['image', 'video'], seconds: null });
    expect(await learnt(film({ duration: 12.5 }))).toEqual({ types: [], seconds: 12.5 });
  });

  it('as a story is queued with a word that nobody reads its caption', async () => {
    const { body } = await schedule(page.instagramAccountId, { ...film(), post_type: 'story', caption: 'Hello' });
    expect(body.warnings).toMatchObject([{ code: 'caption-not-shown' }]);
  });

  it('is queued with a word when its film cannot be measured', async () => {
    // A brand and nothing after it: Meta may know what to do with it.
    const url = `${meta.url}/media/a.mp4?bytes=100000&delayMs=0&moov=last`;
    const { body } = await schedule(page.pageAccountId, { content_type: 'video', content_url: `${url}&duration=0` });
    expect([body.status, body.warnings]).toMatchObject(['queued', [{ code: 'media-not-measured' }]]);
  });
});
