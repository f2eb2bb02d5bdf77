import { Injectable } from '@nestjs/common';
import { type PublicAnswer, PublicFetch, PublicFetchFailure } from '../../../kernel/http/public-fetch.js';
import { type Measures, type MediaFacts, measureImage, measureVideo } from './media-facts.js';

export type MediaRefusal = { code: string; message: string };

/** A server that takes its time at each of a dozen questions must not hold somebody up for minutes. */
const longestMs = 20_000;
const chunkBytes = 256 * 1024;
/** What is read of a file whose server gives no parts of it. */
const mostWithoutRanges = 1024 * 1024;

interface Medium {
  url: string;
  within: AbortSignal;
}

/** Asks the server of an image or a video what it is, as Meta's will: type, size, and its measures from its header. */
@Injectable()
export class MediaCheck {
  constructor(private readonly addresses: PublicFetch) {}

  async inspect(url: string, within = AbortSignal.timeout(longestMs)): Promise<MediaFacts | MediaRefusal> {
    try {
      return await this.look({ url, within });
    } catch (error) {
      if (error instanceof PublicFetchFailure) return unreachable[error.kind];
      throw error;
    }
  }

  private async look(medium: Medium): Promise<MediaFacts | MediaRefusal> {
    const answer = await this.describe(medium);
    if (answer.status < 200 || answer.status > 299)
      return { code: 'media-not-there', message: `Its server answers ${answer.status}.` };
    const said = typeOf(answer);
    if (!said.startsWith('image/') && !said.startsWith('video/') && !untold.has(said))
      return { code: 'media-type', message: 'It is neither an image nor a video.' };
    const bytes = sizeOf(answer);
    if (bytes === undefined) return { code: 'media-size-unknown', message: 'Its server does not say how large it is.' };
    if (bytes === 0) return { code: 'media-empty', message: 'It is empty.' };
    return this.measure(medium, said, bytes);
  }

  private async measure(medium: Medium, said: string, bytes: number): Promise<MediaFacts | MediaRefusal> {
    const reader = this.readerOf(medium, bytes);
    const head = await reader(0);
    const type = head.length > 0 ? typeByBytes(head) : said;
    if (!type?.startsWith('image/') && !type?.startsWith('video/'))
      return { code: 'media-unreadable', message: 'Its first bytes are those of no image or video that is known.' };
    const kind = type.startsWith('image/') ? 'image' : 'video';
    const measures: Measures | undefined =
      kind === 'image'
        ? await measureImage(head)
        : await measureVideo((start) => (start === 0 ? Promise.resolve(head) : reader(start)));
    return { kind, type, bytes, measures };
  }

  /** HEAD, and where a server knows none, GET of the first byte. */
  private async describe({ url, within }: Medium): Promise<PublicAnswer> {
    const answer = await this.addresses.ask(url, { method: 'HEAD', mostBytes: 0, within });
    const knowsHead =
      ![403, 405, 501].includes(answer.status) && (answer.status >= 300 || sizeOf(answer) !== undefined);
    if (knowsHead) return answer;
    return this.addresses.ask(url, { method: 'GET', headers: { range: 'bytes=0-0' }, mostBytes: 1, within });
  }

  /** Reads parts; of a file that comes whole, its beginning and nothing else. */
  private readerOf({ url, within }: Medium, bytes: number): (start: number) => Promise<Buffer> {
    return async (start) => {
      if (start >= bytes) return Buffer.alloc(0);
      const end = Math.min(start + chunkBytes, bytes) - 1;
      const headers = { range: `bytes=${start}-${end}` };
      const answer = await this.addresses.ask(url, { method: 'GET', headers, mostBytes: mostWithoutRanges, within });
      if (answer.status === 206) return answer.body.subarray(0, chunkBytes);
      return answer.status === 200 && start === 0 ? answer.body : Buffer.alloc(0);
    };
  }
}

/** What storage says of files that nobody gave a type. */
const untold: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream']);

function typeOf({ headers }: PublicAnswer): string {
  const [type = ''] = String(headers['content-type'] ?? '').split(';');
  const plain = type.trim().toLowerCase();
  return plain === 'image/jpg' ? 'image/jpeg' : plain;
}

function sizeOf({ status, headers }: PublicAnswer): number | undefined {
  const text =
    status === 206
      ? /^bytes \d+-\d+\/(\d+)$/.exec(String(headers['content-range']))?.[1]
      : String(headers['content-length'] ?? '');
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** By the signatures of JPEG, PNG, GIF, WebP, and the brand of an ISO media file. */
function typeByBytes(head: Buffer): string | undefined {
  const hex = head.subarray(0, 4).toString('hex');
  if (hex.startsWith('ffd8ff')) return 'image/jpeg';
  if (hex === '89504e47') return 'image/png';
  if (hex === '47494638') return 'image/gif';
  if (head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP') return 'image/webp';
  const box = head.toString('latin1', 4, 8);
  if (box === 'ftyp') return isoBrands[head.toString('latin1', 8, 12)] ?? 'video/mp4';
  return quickTimeBoxes.has(box) ? 'video/quicktime' : undefined;
}

/** What a film of QuickTime may begin with when it names no brand. */
const quickTimeBoxes: ReadonlySet<string> = new Set(['moov', 'mdat', 'wide', 'free', 'skip']);

const isoBrands: Record<string, string> = {
  'qt  ': 'video/quicktime',
  heic: 'image/heic',
  heix: 'image/heic',
  mif1: 'image/heif',
  avif: 'image/avif',
};

const unreachable: Record<PublicFetchFailure['kind'], MediaRefusal> = {
  refused: { code: 'media-not-https', message: 'Only an https address without a password is fetched.' },
  'private-address': { code: 'media-not-public', message: 'It is not an address of the public internet.' },
  'too-many-redirects': { code: 'media-redirects', message: 'It leads on and on.' },
  'too-slow': { code: 'media-too-slow', message: 'Its server does not answer in time.' },
  unreachable: { code: 'media-unreachable', message: 'Its server cannot be reached.' },
};
