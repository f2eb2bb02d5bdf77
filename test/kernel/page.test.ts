import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Cursors } from '../../src/kernel/http/cursor.js';
import { pageQuery, toPage } from '../../src/kernel/http/page.js';

const cursors = new Cursors(randomBytes(32));

describe('A page', () => {
  it('followed to its end holds every row once, in order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer()), fc.integer({ min: 1, max: 7 }), (numbers, limit) => {
        const rows = numbers.sort((one, other) => one - other);
        const seen: number[] = [];
        let cursor: string | null = null;
        do {
          const after: number =
            cursor === null ? Number.NEGATIVE_INFINITY : Number(cursors.decode(cursor, 'numbers')[0]);
          const page = toPage(rows.filter((row) => row > after).slice(0, limit + 1), limit, (last) =>
            cursors.encode([last], 'numbers'),
          );
          seen.push(...page.data);
          cursor = page.nextCursor;
        } while (cursor !== null);
        expect(seen).toEqual(rows);
      }),
    );
  });
});

describe('A list', () => {
  it('that ends with its page says so, though the page is full', () => {
    expect(toPage([1, 2, 3], 3, String)).toEqual({ data: [1, 2, 3], nextCursor: null });
    expect(toPage([1, 2, 3, 4], 3, String)).toEqual({ data: [1, 2, 3], nextCursor: '3' });
  });

  it('is asked for 50 rows, or for 1 to 200', () => {
    expect(pageQuery.parse({}).limit).toBe(50);
    expect(pageQuery.parse({ limit: '200' }).limit).toBe(200);
    for (const limit of ['0', '201', '-1', '1.5', '', 'all'])
      expect(pageQuery.safeParse({ limit }).success).toBe(false);
  });

  it('takes back the cursor of a name as long as names may be', () => {
    const cursor = cursors.encode(['語'.repeat(200), '00000000-0000-7000-8000-000000000000'], 'providers');
    expect(pageQuery.safeParse({ cursor }).success).toBe(true);
  });
});
