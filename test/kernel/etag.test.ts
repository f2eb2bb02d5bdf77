import fc from 'fast-check';
import { assertIfMatch, etagOf } from '../../src/kernel/http/etag.js';
import { PreconditionFailed } from '../../src/kernel/http/http.errors.js';

const current = etagOf('2026-01-01T00:00:00.000Z');
const opaque = fc.stringMatching(/^[!#-~]{0,12}$/);

describe('An entity tag', () => {
  it('is strong, and the same for a time and its text', () => {
    expect(current).toMatch(/^"[\w-]{22}"$/);
    expect(etagOf(new Date('2026-01-01T00:00:00.000Z'))).toBe(current);
  });

  it('differs for different versions', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        expect(etagOf(one) === etagOf(other)).toBe(one === other);
      }),
    );
  });
});

describe('A list in If-Match', () => {
  const list = (tags: readonly string[]) => tags.map((tag) => `"${tag}"`).join(', ');

  it('lets the change through wherever in it the present tag stands, whatever the others hold', () => {
    fc.assert(
      fc.property(fc.array(opaque), fc.array(opaque), (before, after) => {
        const header = [list(before), current, list(after)].filter(Boolean).join(' , ');
        expect(() => assertIfMatch(header, current)).not.toThrow();
      }),
    );
  });

  it('refuses it where only other and weak tags stand', () => {
    fc.assert(
      fc.property(fc.array(opaque), (others) => {
        const header = [list(others), `W/${current}`].filter(Boolean).join(', ');
        expect(() => assertIfMatch(header, current)).toThrow(PreconditionFailed);
      }),
    );
  });

  it('may have empty members, as RFC 9110 section 5.6.1.2 asks of whoever reads one', () => {
    expect(() => assertIfMatch(`, ,${current},`, current)).not.toThrow();
  });

  it.each([
    ['a weak mark in lower case', `w/${current}`],
    ['something glued to the tag', `x${current}`],
    ['a star beside a tag', '*, "other"'],
    ['a star as a tag', '"*"'],
    ['a tag without its quotes', current.slice(1, -1)],
    ['a tag that does not end', `"other, ${current}`],
  ])('with %s refuses it', (_what, header) => {
    expect(() => assertIfMatch(header, current)).toThrow(PreconditionFailed);
  });
});
