import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { demoAddress } from '../../src/demo/demo.js';
import { isPublicAddress } from '../../src/kernel/http/public-address.js';
import { PublicFetch } from '../../src/kernel/http/public-fetch.js';
import { MediaCheck } from '../../src/modules/social/posts/media-check.js';
import { type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

/** Addresses that people give us are asked from within our network: where they may lead, and what is made of the answers. */

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
let port: number;
let handle: Handler;
const requests: string[] = [];
/** Goes where a test's own server stands, and nowhere else: as if 127.0.0.1 were the public internet. */
const toTestServer = { protocols: ['http:'], allows: (address: string) => address === '127.0.0.1' };
const openings: PublicFetch[] = [];
const fetchWith = (rules: ConstructorParameters<typeof PublicFetch>[0]) => {
  const made = new PublicFetch(rules);
  openings.push(made);
  return made;
};
const check = () => new MediaCheck(fetchWith(toTestServer));
const look = (path = '/it') => check().inspect(`http://127.0.0.1:${port}${path}`);

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handle(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  requests.length = 0;
});
afterAll(async () => {
  await Promise.all(openings.map((each) => each.onApplicationShutdown()));
  server.closeAllConnections();
  server.close();
});

/** A file as a plain server gives it: HEAD, parts, lengths. */
const file =
  (bytes: Buffer, type: string, lacks: readonly ('head' | 'length' | 'ranges')[] = []): Handler =>
  ({ method, headers }, response) => {
    const isHead = method === 'HEAD';
    if (isHead && lacks.includes('head')) return void response.writeHead(405).end();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    const isPart = from !== undefined && !lacks.includes('ranges');
    const part = isPart ? bytes.subarray(Number(from), Number(to) + 1) : bytes;
    response.writeHead(isPart ? 206 : 200, {
      'content-type': type,
      ...(!lacks.includes('length') && { 'content-length': part.length }),
      ...(isPart && { 'content-range': `bytes ${from}-${to}/${bytes.length}` }),
    });
    response.end(isHead ? undefined : part);
  };

/** The markers of a JPEG that tell its size, and how the camera was held (EXIF 0x0112). */
function jpeg(width: number, height: number, orientation?: number): Buffer {
  const size = Buffer.from([0xff, 0xc0, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0]);
  const turn = `0${orientation ?? 1}`;
  const exif = Buffer.from(`ffe1002245786966000049492a000800000001001201030001000000${turn}00000000000000`, 'hex');
  const jfif = Buffer.from('ffe000104a46494600010100000100010000', 'hex');
  return Buffer.concat([Buffer.from('ffd8', 'hex'), orientation ? exif : jfif, size, Buffer.alloc(2_000)]);
}

function atom(name: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(name, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** A film of ten seconds that lies on its side, 1920 x 1080, and is perhaps turned upright. */
function film({ isTurned = false, padding = 0, brand = 'isom' } = {}): Buffer {
  const movie = Buffer.alloc(100);
  movie.writeUInt32BE(1000, 12);
  movie.writeUInt32BE(10_000, 16);
  const track = Buffer.alloc(84);
  track.writeUInt32BE(1, 12);
  const matrix = isTurned
    ? [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    : [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];
  for (const [index, cell] of matrix.entries()) track.writeInt32BE(cell, 40 + index * 4);
  track.writeUInt32BE(1920 * 0x10000, 76);
  track.writeUInt32BE(1080 * 0x10000, 80);
  const handler = Buffer.alloc(25);
  handler.write('vide', 8, 'latin1');
  const trak = atom('trak', atom('tkhd', track), atom('mdia', atom('hdlr', handler)));
  const moov = atom('moov', atom('mvhd', movie), ...(padding ? [atom('free', Buffer.alloc(padding))] : []), trak);
  return Buffer.concat([
    atom('ftyp', Buffer.from(`${brand}\0\0\x02\0isom`, 'latin1')),
    moov,
    atom('mdat', Buffer.alloc(99)),
  ]);
}

describe('An address is public', () => {
  it.each(['8.8.8.8', '93.184.216.34', '2606:4700:4700::1111'])('as %s is', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ...[
      '127.0.0.1',
      '127.1.2.3',
      '0.0.0.0',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
    ],
    ...['100.64.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', 'fe80::1', 'fc00::1', 'fd12::1', 'ff02::1', '2001:db8::1', 'fec0::1', '4000::1'],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:7f00:1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
    ],
    ...['localhost', '', '1.2.3', '::ffff:8.8.8.8%eth0'],
  ])('as %s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('In production', () => {
  let service: Service;
  let token: string;
  let posts: string;
  let accountId: string;
  beforeAll(async () => {
    service = await startService();
    token = await service.tokenOf(demoAddress('staff', 'northside'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    posts = `/organisations/${organisationId}/social/posts`;
    accountId = await insertAccount(service.database, organisationId);
  });
  afterAll(() => service.stop());

  it.each([
    ['http://media.example/a.jpg', 'media-not-https'],
    ['https://127.0.0.1/a.jpg', 'media-not-public'],
    ['https://[::1]/a.jpg', 'media-not-public'],
    ['https://169.254.169.254/latest/meta-data/', 'media-not-public'],
    ['https://10.0.0.1/a.jpg', 'media-not-public'],
    ['https://192.168.0.1:8443/a.jpg', 'media-not-public'],
    ['https://[::ffff:127.0.0.1]/a.jpg', 'media-not-public'],
    ['https://[64:ff9b::7f00:1]/a.jpg', 'media-not-public'],
    ['https://0.0.0.0/a.jpg', 'media-not-public'],
    ['https://0/a.jpg', 'media-not-public'],
    ['https://2130706433/a.jpg', 'media-not-public'],
    ['https://0x7f.1/a.jpg', 'media-not-public'],
    ['https://017700000001/a.jpg', 'media-not-public'],
    ['https://localhost/a.jpg', 'media-not-public'],
    ['https://LOCALHOST/a.jpg', 'media-not-public'],
    ['https://no-such-name.invalid/a.jpg', 'media-unreachable'],
  ])('a post with %s is refused', async (contentUrl, code) => {
    const { body } = await service.call('POST', posts, { token, body: { socialAccountId: accountId, contentUrl } });
    const refused = await service.call('POST', `${posts}/${body.id}/publish`, { token });
    expect(refused.body).toMatchObject({
      status: 422,
      code: 'post-not-publishable',
      errors: [{ path: 'contentUrl', code }],
    });
  });

  it('the children of a carousel are looked at one by one', async () => {
    const children = ['https://127.0.0.1/1.jpg', 'http://media.example/2.jpg'];
    const id = await insertPost(service.database, accountId, { post_type: 'carousel', content_url: null, children });
    const { body } = await service.call('POST', `${posts}/${id}/publish`, { token });
    expect(body.errors).toMatchObject([
      { path: 'children.0', code: 'media-not-public' },
      { path: 'children.1', code: 'media-not-https' },
    ]);
  });
});

describe('A redirect', () => {
  const to = (location: string): void => {
    handle = ({ url }, response) =>
      url === '/it'
        ? void response.writeHead(302, { location }).end()
        : file(jpeg(4, 5), 'image/jpeg')({ method: 'HEAD', headers: {} } as IncomingMessage, response);
  };

  it.each([
    'http://127.0.0.2/',
    'http://[::1]/',
    'http://localhost.localdomain/',
    'http://10.0.0.1/',
    'http://169.254.169.254/latest',
  ])('to %s is not followed', async (location) => {
    to(location);
    expect(await look()).toMatchObject({ code: expect.stringMatching(/media-(not-public|unreachable)/) });
    expect(requests).toEqual(['HEAD /it']);
  });

  it.each([
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'https://127.0.0.1/',
    'http://user:secret@127.0.0.1/',
    'http://',
  ])('to %s is no address that is asked', async (location) => {
    to(location);
    expect(await look()).toMatchObject({ code: 'media-not-https' });
    expect(requests).toEqual(['HEAD /it']);
  });

  it('is followed three times, and no further', async () => {
    handle = ({ url, method, headers }, response) => {
      const left = Number(url?.slice(1));
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` }).end();
      else file(jpeg(4, 5), 'image/jpeg')({ method, headers } as IncomingMessage, response);
    };
    expect(await look('/3')).toMatchObject({ kind: 'image' });
    requests.length = 0;
    expect(await look('/9')).toMatchObject({ code: 'media-redirects' });
    expect(requests).toHaveLength(4);
  });
});

describe('A server', () => {
  it('that knows no HEAD is asked for the first byte', async () => {
    handle = file(jpeg(40, 50), 'image/jpeg', ['head']);
    expect(await look()).toMatchObject({ type: 'image/jpeg', bytes: 2_033, measures: { width: 40, height: 50 } });
  });

  it('that tells no length is asked for a part, which tells it', async () => {
    handle = file(jpeg(40, 50), 'image/jpeg', ['length']);
    expect(await look()).toMatchObject({ bytes: 2_033 });
    handle = file(jpeg(40, 50), 'image/jpeg', ['length', 'ranges']);
    expect(await look()).toMatchObject({ code: 'media-size-unknown' });
  });

  it('that gives no parts is read for a mebibyte at most', async () => {
    let sent = 0;
    handle = ({ method }, response) => {
      response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': 64 * 1024 * 1024 });
      if (method === 'HEAD') return void response.end();
      const chunk = Buffer.alloc(64 * 1024);
      film().copy(chunk);
      const pour = (): void => {
        while (!response.destroyed && sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', pour);
        }
      };
      pour();
    };
    expect(await look()).toMatchObject({ bytes: 64 * 1024 * 1024, measures: { seconds: 10 } });
    expect(sent).toBeLessThan(8 * 1024 * 1024);
  });

  it('that never ends its answer, or never begins it, is left', async () => {
    handle = ({ method }, response) => {
      if (method === 'HEAD') response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': 9_999 }).end();
      else response.writeHead(206, { 'content-type': 'image/jpeg', 'content-length': 9_999 }).write('x');
    };
    const trickling = look('/trickle');
    const silent = new MediaCheck(fetchWith(toTestServer)).inspect(`http://127.0.0.1:${port}/trickle`);
    expect([await trickling, await silent]).toMatchObject([{ code: 'media-too-slow' }, { code: 'media-too-slow' }]);
  }, 15_000);

  it('that takes its time at each question is left, however many there are', async () => {
    const whole = file(jpeg(4, 5), 'image/jpeg');
    handle = (request, response) => void setTimeout(() => whole(request, response), 150);
    const within = AbortSignal.timeout(200);
    expect(await check().inspect(`http://127.0.0.1:${port}/slow`, within)).toMatchObject({ code: 'media-too-slow' });
  });

  it('that hangs up, or is not there, cannot be reached', async () => {
    handle = (request) => void request.socket.destroy();
    expect(await look()).toMatchObject({ code: 'media-unreachable' });
    expect(await check().inspect('http://127.0.0.1:1/')).toMatchObject({ code: 'media-unreachable' });
  });

  it.each([401, 403, 404, 410, 500])('that answers %i has nothing to publish', async (status) => {
    handle = (_, response) => void response.writeHead(status).end();
    expect(await look()).toEqual({ code: 'media-not-there', message: `Its server answers ${status}.` });
  });

  it('is not told who asks: neither cookies nor tokens leave', async () => {
    let headers: IncomingMessage['headers'] = {};
    handle = (request, response) => {
      headers = request.headers;
      file(jpeg(4, 5), 'image/jpeg')(request, response);
    };
    await look();
    expect(
      Object.keys(headers).filter((name) => ['cookie', 'authorization', 'referer', 'x-request-id'].includes(name)),
    ).toEqual([]);
  });
});

describe('A file', () => {
  it.each([
    ['a JPEG that nobody gave a type', jpeg(4, 5), 'application/octet-stream', 'image/jpeg'],
    ['a JPEG by its other name', jpeg(4, 5), 'image/jpg; charset=binary', 'image/jpeg'],
    ['a HEIC from a telephone', atom('ftyp', Buffer.from('heic\0\0\0\0mif1', 'latin1')), 'image/jpeg', 'image/heic'],
    ['a GIF', Buffer.from('GIF89a----------'), 'image/jpeg', 'image/gif'],
    ['a WebP', Buffer.from('RIFF\x10\0\0\0WEBPVP8 ------', 'latin1'), 'image/png', 'image/webp'],
    ['a MOV', film({ brand: 'qt  ' }), 'video/mp4', 'video/quicktime'],
    ['a MOV without a brand', film().subarray(20), 'video/mp4', 'video/quicktime'],
  ])('is what its first bytes say: %s', async (_, bytes, said, type) => {
    handle = file(bytes, said);
    expect(await look()).toMatchObject({ type });
  });

  it.each([
    [
      'a page that calls itself a picture',
      Buffer.from('<!doctype html><title>Log in</title>'),
      'image/jpeg',
      'media-unreadable',
    ],
    ['a page', Buffer.from('<!doctype html>'), 'text/html', 'media-type'],
    ['a script', Buffer.from('#!/bin/sh'), 'application/octet-stream', 'media-unreadable'],
    ['nothing', Buffer.alloc(0), 'image/jpeg', 'media-empty'],
  ])('that is %s is refused', async (_, bytes, said, code) => {
    handle = file(bytes, said);
    expect(await look()).toMatchObject({ code });
  });

  it('is measured as it is shown: a telephone held upright turns its films and pictures', async () => {
    handle = file(film(), 'video/mp4');
    expect(await look()).toMatchObject({ measures: { width: 1920, height: 1080, seconds: 10 } });
    handle = file(film({ isTurned: true }), 'video/mp4');
    expect(await look()).toMatchObject({ measures: { width: 1080, height: 1920 } });
    handle = file(jpeg(1920, 1080, 6), 'image/jpeg');
    expect(await look()).toMatchObject({ measures: { width: 1080, height: 1920 } });
  });

  it('is read on where its header is longer than one part', async () => {
    handle = file(film({ padding: 600_000 }), 'video/mp4');
    expect(await look()).toMatchObject({ measures: { seconds: 10 } });
  });

  it.each([
    ['a film that is cut off', film().subarray(0, 150), 'video/mp4'],
    [
      'a film with a box that claims too much',
      Buffer.concat([film().subarray(0, 20), Buffer.from('ffffffff6d6f6f76', 'hex'), Buffer.alloc(500)]),
      'video/mp4',
    ],
    ['a film of noise', Buffer.concat([film().subarray(0, 20), Buffer.alloc(4_000, 'moovmdat')]), 'video/mp4'],
    ['a picture without a size', Buffer.concat([Buffer.from('ffd8ff', 'hex'), Buffer.alloc(100)]), 'image/jpeg'],
  ])('is not measured when it is %s, and nothing breaks', async (_, bytes, said) => {
    handle = file(bytes, said);
    const found = await look();
    expect(found).toMatchObject({ type: said });
    expect(found).toHaveProperty('measures', undefined);
  });
});
