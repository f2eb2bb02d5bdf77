import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { parseKeyRing } from '../../src/kernel/secrets/key-ring.js';
import { Rotation } from '../../src/kernel/secrets/rotation.js';
import { declareSealedColumn } from '../../src/kernel/secrets/sealed-columns.js';
import { openLegacy, SealBroken, type SealedPlace, Vault } from '../../src/kernel/secrets/vault.js';
import { type Service, startService } from '../support/service.js';

const old = `2025:${randomBytes(32).toString('base64')}`;
const current = `2026:${randomBytes(32).toString('base64')}`;
const vault = new Vault(parseKeyRing(`${current},${old}`));
const place: SealedPlace = { table: 'public.connections', column: 'token', rowId: '1' };
const anyPlace = fc.record({ table: fc.string(), column: fc.string(), rowId: fc.string() });

describe('A sealed text', () => {
  it('opens to what was sealed, whatever it was and wherever it rests', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), anyPlace, (plain, somewhere) => {
        expect(vault.open(vault.seal(plain, somewhere), somewhere)).toBe(plain);
      }),
    );
  });

  it('never looks the same twice, and never shows what it holds', () => {
    const texts = Array.from({ length: 200 }, () => vault.seal('a page token', place));
    expect(new Set(texts).size).toBe(200);
    expect(texts.join()).not.toContain('a page token');
  });

  it('does not open with any of its bits flipped', () => {
    const sealed = Buffer.from(vault.seal('a page token', place), 'latin1');
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = Buffer.from(sealed);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => vault.open(flipped.toString('latin1'), place)).toThrow(SealBroken);
    }
  });

  it('does not open in another place', () => {
    fc.assert(
      fc.property(anyPlace, anyPlace, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(() => vault.open(vault.seal('a page token', one), other)).toThrow(SealBroken);
      }),
    );
  });

  it('of an older key opens with the ring, and not without that key', () => {
    const sealed = new Vault(parseKeyRing(old)).seal('a page token', place);
    expect(vault.open(sealed, place)).toBe('a page token');
    expect(() => new Vault(parseKeyRing(current)).open(sealed, place)).toThrow(SealBroken);
  });

  it('tells in its error neither what it is nor what it holds', () => {
    const sealed = vault.seal('a page token', place);
    try {
      vault.open(`${sealed}x`, place);
    } catch (error) {
      expect(String(error)).not.toContain('page');
      expect(String(error)).not.toContain(sealed.slice(8, 20));
    }
    expect.assertions(2);
  });
});

describe('A key ring', () => {
  it.each(['', 'only-an-id', 'id:c2hvcnQ=', 'with space:AAAA'])('%j is refused without showing it', (text) => {
    expect(() => parseKeyRing(text)).toThrow(/VAULT_KEYS/);
    expect(() => parseKeyRing(text)).not.toThrow(/c2hvcnQ/);
  });
});

describe('A text of the older systems', () => {
  const key = randomBytes(32);
  const seal = (plain: string, tagLength = 16): string => {
    const iv = randomBytes(16);
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagLength });
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return [iv, cipher.getAuthTag(), sealed].map((part) => part.toString('hex')).join(':');
  };

  it('opens for import', () => expect(openLegacy(seal('an old token'), key)).toBe('an old token'));

  it.each([
    ['a shortened tag', () => seal('an old token', 4)],
    ['a changed text', () => seal('an old token').replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))],
    ['another form', () => 'not:hex'],
  ])('does not open with %s', (_what, make) => {
    expect(() => openLegacy(make(), key)).toThrow(SealBroken);
  });
});

describe('Rotation', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ variables: { VAULT_KEYS: `${current},${old}` } });
    await service.database.sql(`
      CREATE TABLE app.sealed_things (id uuid PRIMARY KEY, token text);
      GRANT SELECT, UPDATE ON app.sealed_things TO service_role`);
  });
  afterAll(() => service.stop());

  it('seals everything anew under the current key, in batches, by two at once, and finds nothing the second time', async () => {
    declareSealedColumn({ table: 'app.sealed_things', column: 'token' });
    const before = new Vault(parseKeyRing(old));
    const rows = Array.from({ length: 37 }, (_, index) => {
      const rowId = `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`;
      return { rowId, sealed: before.seal(`token ${index}`, { table: 'app.sealed_things', column: 'token', rowId }) };
    });
    for (const { rowId, sealed } of rows)
      await service.database.sql('INSERT INTO app.sealed_things VALUES ($1, $2)', [rowId, sealed]);

    const rotation = service.application.get(Rotation);
    const counts = (await Promise.all([rotation.run(5), rotation.run(5)])).map(([result]) => result?.resealed ?? 0);
    const after = await service.database.sql<{ id: string; token: string }>(
      'SELECT * FROM app.sealed_things ORDER BY id',
    );
    const rest = (await rotation.run(5))[0]?.resealed ?? 0;

    expect((counts[0] ?? 0) + (counts[1] ?? 0) + rest).toBe(37);
    expect((await rotation.run(5))[0]?.resealed).toBe(0);
    const newest = new Vault(parseKeyRing(current));
    const texts = (
      rest === 0
        ? after
        : await service.database.sql<{ id: string; token: string }>('SELECT * FROM app.sealed_things ORDER BY id')
    ).map(({ id, token }) => newest.open(token, { table: 'app.sealed_things', column: 'token', rowId: id }));
    expect(texts).toEqual(rows.map((_, index) => `token ${index}`));
  });
});
