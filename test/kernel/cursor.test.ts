import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Cursors } from '../../src/kernel/http/cursor.js';
import { InvalidCursor } from '../../src/kernel/http/http.errors.js';

const cursors = new Cursors(randomBytes(32));
const values = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.constant(null)), {
  minLength: 1,
  maxLength: 4,
});

describe('A cursor', () => {
  it('gives back the values that it was made of', () => {
    fc.assert(
      fc.property(values, fc.string(), (given, purpose) =>
        expect(cursors.decode(cursors.encode(given, purpose), purpose)).toEqual(given),
      ),
    );
  });

  it('is refused with any character changed, added or taken away', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.constantFrom(...'ABCxyz019-_'), (given, at, character) => {
        const cursor = cursors.encode(given, 'a list');
        const position = at % cursor.length;
        const changed = `${cursor.slice(0, position)}${character}${cursor.slice(position + 1)}`;
        fc.pre(changed !== cursor);
        for (const bad of [changed, `${cursor}${character}`, cursor.slice(0, position)]) {
          expect(() => cursors.decode(bad, 'a list')).toThrow(InvalidCursor);
        }
      }),
    );
  });

  it('of another list, or of another installation, is refused', () => {
    const cursor = cursors.encode(['x'], 'a list');
    expect(() => cursors.decode(cursor, 'another list')).toThrow(InvalidCursor);
    expect(() => new Cursors(randomBytes(32)).decode(cursor, 'a list')).toThrow(InvalidCursor);
  });
});

describe('A forged cursor', () => {
  it('is refused with any single bit flipped, in the text and in what the text stands for', () => {
    const cursor = cursors.encode(['Ünal', 7, null], 'providers by name');
    for (const encoding of ['latin1', 'base64url'] as const) {
      const bytes = Buffer.from(cursor, encoding);
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(() => cursors.decode(flipped.toString(encoding), 'providers by name')).toThrow(InvalidCursor);
      }
    }
  });

  it('is refused when a part of it is passed off as the purpose', () => {
    const bytes = Buffer.from(cursors.encode(['x'], 'list'), 'base64url');
    const shifted = Buffer.concat([bytes.subarray(0, 16), bytes.subarray(17)]).toString('base64url');
    expect(() => cursors.decode(shifted, 'list[')).toThrow(InvalidCursor);
  });

  it.each(['', '=', 'AAAA', 'null', ' ', '%00', 'A'.repeat(1_000)])('%j is refused, not a fault', (cursor) => {
    expect(() => cursors.decode(cursor, 'list')).toThrow(InvalidCursor);
  });
});
