import { createHmac, timingSafeEqual } from 'node:crypto';
import { InvalidCursor } from './http.errors.js';

type CursorValue = string | number | null;

const macBytes = 16;

/**
 * Opaque keyset cursors: the sort values of the last row, authenticated so that only cursors that we gave out are
 * taken back, and only for the list and order (`purpose`) that they were made for.
 */
export class Cursors {
  constructor(private readonly key: Buffer) {}

  encode(values: readonly CursorValue[], purpose: string): string {
    const payload = Buffer.from(JSON.stringify(values));
    return Buffer.concat([this.mac(payload, purpose), payload]).toString('base64url');
  }

  /** @throws InvalidCursor when it was changed or made for something else */
  decode(cursor: string, purpose: string): CursorValue[] {
    const bytes = Buffer.from(cursor, 'base64url');
    // Base64 has several spellings of the same bytes; only the one that we write is ours.
    if (bytes.length <= macBytes || bytes.toString('base64url') !== cursor) throw new InvalidCursor();
    const payload = bytes.subarray(macBytes);
    if (!timingSafeEqual(bytes.subarray(0, macBytes), this.mac(payload, purpose))) throw new InvalidCursor();
    return JSON.parse(payload.toString('utf8')) as CursorValue[];
  }

  private mac(payload: Buffer, purpose: string): Buffer {
    return createHmac('sha256', this.key).update(`${purpose}\0`).update(payload).digest().subarray(0, macBytes);
  }
}
