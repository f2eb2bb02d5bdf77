import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Pictures and films to publish: `/media/any.jpg?bytes=&type=`, `/media/any.mp4?duration=&width=&height=`. They are real
 * files, padded to `bytes`. `status`, `redirect`, `delayMs` and `chunked` (no length) make them awkward, and so does
 * `moov=last`, a film whose header stands at the end.
 */
export async function serveMedia(method: string, url: URL, range: string | undefined, response: ServerResponse) {
  const asked = url.searchParams;
  await pause(Number(asked.get('delayMs') ?? 0));
  const redirect = asked.get('redirect');
  if (redirect) return void response.writeHead(302, { location: redirect }).end();
  const status = Number(asked.get('status') ?? 200);
  if (status !== 200) return void response.writeHead(status).end();
  const file = fileFor(url.pathname, asked);
  const type = asked.get('type') ?? typeFor(url.pathname);
  const part = partOf(range, file.length);
  const head = {
    'content-type': type,
    'accept-ranges': 'bytes',
    ...(!asked.has('chunked') && { 'content-length': part.end - part.start }),
    ...(range && { 'content-range': `bytes ${part.start}-${part.end - 1}/${file.length}` }),
  };
  response.writeHead(range ? 206 : 200, head);
  response.end(method === 'HEAD' ? undefined : file.subarray(part.start, part.end));
}

function partOf(range: string | undefined, length: number): { start: number; end: number } {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  if (from === '' && to !== '') return { start: Math.max(0, length - Number(to)), end: length };
  return { start: Number(from || 0), end: to === '' ? length : Math.min(length, Number(to) + 1) };
}

function typeFor(path: string): string {
  if (path.endsWith('.png')) return 'image/png';
  if (path.endsWith('.mp4')) return 'video/mp4';
  return /\.jpe?g$/.test(path) ? 'image/jpeg' : 'application/octet-stream';
}

function fileFor(path: string, asked: URLSearchParams): Buffer {
  const bytes = Number(asked.get('bytes') ?? 0);
  const sizes = { width: Number(asked.get('width') ?? 1080), height: Number(asked.get('height') ?? 1920) };
  if (path.endsWith('.mp4')) {
    const film = { ...sizes, seconds: Number(asked.get('duration') ?? 10), isLast: asked.get('moov') === 'last' };
    return movie(film, bytes);
  }
  const picture = path.endsWith('.png') ? png : jpeg;
  return Buffer.concat([picture, Buffer.alloc(Math.max(0, bytes - picture.length))]);
}

const jpeg = Buffer.from(
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////' +
    'wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=',
  'base64',
);
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

interface Film {
  seconds: number;
  width: number;
  height: number;
  isLast: boolean;
}

/** ISO/IEC 14496-12: what a player reads of a film's length and size, and no picture at all. */
function movie(film: Film, bytes: number): Buffer {
  const ftyp = atom('ftyp', Buffer.from('isom\0\0\x02\0isomiso2mp41', 'latin1'));
  const moov = atom('moov', movieHeader(film), atom('trak', trackHeader(film), mediaHeader(film)));
  const padding = Math.max(0, bytes - ftyp.length - moov.length - 8);
  const mdat = atom('mdat', Buffer.alloc(padding));
  return Buffer.concat(film.isLast ? [ftyp, mdat, moov] : [ftyp, moov, mdat]);
}

function atom(name: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(name, 4, 'latin1');
  return Buffer.concat([head, body]);
}

const timescale = 1000;

/** Version 0: times in 32 bits. */
function movieHeader({ seconds }: Film): Buffer {
  const body = Buffer.alloc(100);
  body.writeUInt32BE(timescale, 12);
  body.writeUInt32BE(Math.round(seconds * timescale), 16);
  body.writeUInt32BE(0x00010000, 20);
  body.writeUInt16BE(0x0100, 24);
  identity(body, 36);
  body.writeUInt32BE(2, 96);
  return atom('mvhd', body);
}

function trackHeader({ seconds, width, height }: Film): Buffer {
  const body = Buffer.alloc(84);
  body.writeUInt32BE(3, 0);
  body.writeUInt32BE(1, 12);
  body.writeUInt32BE(Math.round(seconds * timescale), 20);
  identity(body, 40);
  body.writeUInt32BE(width * 0x10000, 76);
  body.writeUInt32BE(height * 0x10000, 80);
  return atom('tkhd', body);
}

function mediaHeader({ seconds }: Film): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32BE(timescale, 12);
  header.writeUInt32BE(Math.round(seconds * timescale), 16);
  header.writeUInt16BE(0x55c4, 20);
  const handler = Buffer.alloc(25);
  handler.write('vide', 8, 'latin1');
  return atom('mdia', atom('mdhd', header), atom('hdlr', handler));
}

function identity(body: Buffer, at: number): void {
  body.writeUInt32BE(0x00010000, at);
  body.writeUInt32BE(0x00010000, at + 16);
  body.writeUInt32BE(0x40000000, at + 32);
}
