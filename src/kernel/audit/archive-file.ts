import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

/** What lines hold, whatever wrote them: their number, and the first 64 bits of the SHA-256 of each laid over each other. */
export interface Digest {
  rows: number;
  fingerprint: bigint;
}

/** What a file on disk holds; `sha256` is that of the file itself. */
export interface FileDigest extends Digest {
  sha256: string;
}

export const emptyDigest: Digest = { rows: 0, fingerprint: 0n };

export const isSame = (one: Digest, other: Digest): boolean =>
  one.rows === other.rows && one.fingerprint === other.fingerprint;

/** Writes lines as gzipped NDJSON, down to the disk. What could not be written whole is removed again. */
export async function writeLines(file: string, lines: AsyncIterable<string>): Promise<void> {
  try {
    const target = createWriteStream(file, { mode: 0o600, flush: true });
    await pipeline(Readable.from(ended(lines)), createGzip(), target);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/** Reads a file back from the disk. Undefined where there is none; one that is damaged has nothing in common with any. */
export async function readDigest(file: string): Promise<FileDigest | undefined> {
  const hash = createHash('sha256');
  const digest = { ...emptyDigest };
  try {
    const text = new PassThrough();
    const reading = pipeline(createReadStream(file), hashing(hash), createGunzip(), text);
    await Promise.all([reading, count(text, digest)]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (isDamage(error)) return { rows: -1, fingerprint: 0n, sha256: '' };
    throw error;
  }
  return { ...digest, sha256: hash.digest('hex') };
}

/** Gives a finished file its name, with its SHA-256 beside it as `sha256sum --check` reads it. */
export async function publish(from: string, to: string, sha256: string): Promise<void> {
  await writeFile(`${to}.sha256`, `${sha256}  ${to.slice(dirname(to).length + 1)}\n`, { mode: 0o600, flush: true });
  await rename(from, to);
  const folder = await open(dirname(to));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function* ended(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

function hashing(hash: ReturnType<typeof createHash>) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
}

async function count(text: PassThrough, digest: Digest): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of text as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    // By the byte: readline would also take the line separators of Unicode, which JSON may hold.
    for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', start)) {
      add(bytes.subarray(start, end), digest);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  // What follows the last line end was cut off, and no line: then it matches nothing.
  if (rest.length > 0) add(rest, digest);
}

function add(line: Buffer, digest: Digest): void {
  digest.rows += 1;
  digest.fingerprint ^= createHash('sha256').update(line).digest().readBigInt64BE(0);
}

/** Cut off, or no gzip at all. */
function isDamage(error: unknown): boolean {
  return /^Z_/.test(String((error as NodeJS.ErrnoException).code));
}
