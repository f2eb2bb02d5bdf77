import { type SpooledFile, slicesOf } from './spooled-file.js';
import { unreadable } from './unreadable.js';

export const encodings = ['utf-8', 'utf-16le', 'utf-16be', 'windows-1252'] as const;
export type Encoding = (typeof encodings)[number];

interface Detected {
  encoding: Encoding;
  /** How many bytes of byte-order mark precede the text. */
  mark: number;
}

const marks: readonly [Encoding, readonly number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/**
 * The text of a file. What a byte-order mark says counts most, then what was declared; without either it is UTF-8 when
 * all of it is valid as such, and else Windows-1252, which is what practice systems write.
 *
 * @throws unreadable-file where bytes mean nothing in the declared encoding
 */
export async function* textOf(file: SpooledFile, declared?: Encoding): AsyncGenerator<string> {
  const { encoding, mark } = await encodingOf(file, declared);
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  try {
    for await (const slice of slicesOf(file, mark)) yield decoder.decode(slice, { stream: true });
    yield decoder.decode();
  } catch (error) {
    if (isUndecodable(error)) throw unreadable(`The file is not ${encoding} throughout.`);
    throw error;
  }
}

async function encodingOf(file: SpooledFile, declared: Encoding | undefined): Promise<Detected> {
  const marked = await markOf(file);
  if (marked) return marked;
  if (declared) return { encoding: declared, mark: 0 };
  return { encoding: (await isUtf8(file)) ? 'utf-8' : 'windows-1252', mark: 0 };
}

async function markOf({ handle }: SpooledFile): Promise<Detected | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(3), 0, 3, 0);
  const found = marks.find(([, bytes]) => bytes.length <= bytesRead && bytes.every((byte, at) => buffer[at] === byte));
  return found && { encoding: found[0], mark: found[1].length };
}

async function isUtf8(file: SpooledFile): Promise<boolean> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const slice of slicesOf(file)) decoder.decode(slice, { stream: true });
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

function isUndecodable(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
}
