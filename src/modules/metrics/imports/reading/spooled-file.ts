import type { FileHandle } from 'node:fs/promises';

/** A file in a place where it can be read at will. */
export interface SpooledFile {
  handle: FileHandle;
  size: number;
}

/** Small enough that the process does something else in between. */
const sliceBytes = 65_536;

/** The file from a position on, slice by slice. Each slice has its own memory: parsers keep parts of it. */
export async function* slicesOf({ handle, size }: SpooledFile, from = 0): AsyncGenerator<Buffer> {
  let position = from;
  while (position < size) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(sliceBytes), 0, sliceBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
