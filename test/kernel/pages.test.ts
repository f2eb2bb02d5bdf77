import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Cursors } from '../../src/kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../src/kernel/http/etag.js';
import { InvalidCursor, PreconditionFailed } from '../../src/kernel/http/http.errors.js';
import { toPage } from '../../src/kernel/http/page.js';
import { clinicRoles, organisationRoles } from '../../src/kernel/tenancy/actor.js';
import { createTestDatabase } from '../support/database.js';

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

describe('If-Match', () => {
  const tag = etagOf('2026-01-01T00:00:00.000Z');
  it.each([undefined, '*', tag, `"other", ${tag}`])('%s lets the change through', (header) => {
    expect(() => assertIfMatch(header, tag)).not.toThrow();
  });
  it.each(['"other"', `W/${tag}`, '', 'nonsense'])('%s refuses it', (header) => {
    expect(() => assertIfMatch(header, tag)).toThrow(PreconditionFailed);
  });
});

describe('The role lattices', () => {
  it('are in the code what they are in the database, in the same order', async () => {
    const database = await createTestDatabase();
    const [row] = await database.sql<{ clinic: string; organisation: string }>(
      `SELECT enum_range(NULL::app.clinic_role)::text AS clinic, enum_range(NULL::app.organisation_role)::text AS organisation`,
    );
    await database.drop();
    expect(row).toEqual({ clinic: `{${clinicRoles.join(',')}}`, organisation: `{${organisationRoles.join(',')}}` });
  });

  it('let somebody do what the roles below may, and nothing that is kept for those above', async () => {
    const database = await createTestDatabase();
    const order = fc.tuple(fc.constantFrom(...clinicRoles), fc.constantFrom(...clinicRoles));
    await fc.assert(
      fc.asyncProperty(order, async ([held, asked]) => {
        const [row] = await database.sql<{ may: boolean }>(
          `SELECT check_clinic_access(r.user_id, r.clinic_id, $2) AS may FROM user_clinic_roles r WHERE r.role = $1::app.clinic_role LIMIT 1`,
          [held, asked],
        );
        expect(row?.may).toBe(clinicRoles.indexOf(held) >= clinicRoles.indexOf(asked));
      }),
      { numRuns: 40 },
    );
    await database.drop();
  });
});
