import { unreadable } from './unreadable.js';

/** A sheet has a million rows; a column of words that are all different is the most that practices export. */
const maximumStrings = 2_000_000;
const pieceBytes = 1_048_576;

/**
 * The texts of a workbook, which cells name by their number. As bytes side by side, outside of the heap: a million texts
 * as strings take several times as much, and have the collector of garbage look at each again and again.
 */
export class SharedStrings {
  private readonly pieces: Buffer[] = [];
  private used = pieceBytes;
  /** Of each text: its piece, where it begins in it, how long it is. */
  private places = new Uint32Array(3 * 1_024);
  private count = 0;

  /** @throws unreadable-file when there are more than can be kept */
  add(text: string): void {
    if (this.count >= maximumStrings)
      throw unreadable('The workbook holds more text than can be read: save the sheet as CSV.');
    const length = Buffer.byteLength(text);
    const piece = this.pieceFor(length);
    piece.write(text, this.used);
    if (this.places.length < 3 * (this.count + 1)) this.grow();
    this.places.set([this.pieces.length - 1, this.used, length], 3 * this.count);
    this.used += length;
    this.count += 1;
  }

  get(number: number): string | undefined {
    if (!(number >= 0 && number < this.count)) return undefined;
    const [piece = 0, from = 0, length = 0] = this.places.subarray(3 * number, 3 * number + 3);
    return this.pieces[piece]?.toString('utf8', from, from + length);
  }

  private pieceFor(length: number): Buffer {
    const last = this.pieces.at(-1);
    if (last && this.used + length <= last.length) return last;
    const piece = Buffer.allocUnsafeSlow(Math.max(pieceBytes, length));
    this.pieces.push(piece);
    this.used = 0;
    return piece;
  }

  private grow(): void {
    const places = new Uint32Array(2 * this.places.length);
    places.set(this.places);
    this.places = places;
  }
}
