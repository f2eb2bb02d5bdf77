import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
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

  it.each(['table', 'column', 'rowId'] as const)('does not open in another %s', (part) => {
    const sealed = vault.seal('a page token', place);
    expect(() => vault.open(sealed, { ...place, [part]: 'another' })).toThrow(SealBroken);
  });

  it('does not open where the same characters are divided differently', () => {
    const sealed = vault.seal('a page token', { table: 'a', column: 'bc', rowId: 'd' });
    expect(() => vault.open(sealed, { table: 'ab', column: 'c', rowId: 'd' })).toThrow(SealBroken);
    expect(() => vault.open(sealed, { table: 'a', column: 'b', rowId: 'cd' })).toThrow(SealBroken);
  });

  it('does not open under the id of another key, even where that is the same key', () => {
    const twice = new Vault(parseKeyRing(`${current},again:${current.split(':')[1]}`));
    const sealed = twice.seal('a page token', place);
    expect(() => twice.open(sealed.replace('v1.2026.', 'v1.again.'), place)).toThrow(SealBroken);
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
  it('is current in its first key, and takes spaces and a comma at the end', () => {
    const ring = parseKeyRing(` ${current} , ${old},`);
    expect(ring.current).toBe('2026');
    expect([...ring.keys.keys()]).toEqual(['2026', '2025']);
  });

  it('with two keys of one id is refused', () => {
    expect(() => parseKeyRing(`${current},2026:${randomBytes(32).toString('base64')}`)).toThrow(/VAULT_KEYS.*same id/);
  });

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
  const column = { table: 'app.sealed_things', column: 'token' };
  const before = new Vault(parseKeyRing(old));
  const newest = new Vault(parseKeyRing(current));
  const placeOf = (rowId: string): SealedPlace => ({ ...column, rowId });
  const idOf = (index: number): string => `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`;
  let service: Service;

  beforeAll(async () => {
    service = await startService({ variables: { VAULT_KEYS: `${current},${old}` } });
    await service.database.sql(`
      CREATE TABLE app.sealed_things (id uuid PRIMARY KEY, token text);
      GRANT SELECT, UPDATE ON app.sealed_things TO service_role`);
    declareSealedColumn(column);
  });
  afterAll(() => service.stop());
  beforeEach(() => service.database.sql('TRUNCATE app.sealed_things'));

  const insert = (rowId: string, token: string) =>
    service.database.sql('INSERT INTO app.sealed_things VALUES ($1, $2)', [rowId, token]);
  const sealUnderOldKey = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1)
      await insert(idOf(index), before.seal(`token ${index}`, placeOf(idOf(index))));
  };
  const stored = () =>
    service.database.sql<{ id: string; token: string }>('SELECT id, token FROM app.sealed_things ORDER BY id');
  const rotate = async (): Promise<number | undefined> =>
    (await service.application.get(Rotation).run(5)).find(({ table }) => table === column.table)?.resealed;
  const underOldKey = async (): Promise<string[]> =>
    (await stored()).filter(({ token }) => token.startsWith('v1.2025.')).map(({ id }) => id);

  it('seals everything anew under the current key, in batches, by two at once, and finds nothing the second time', async () => {
    await sealUnderOldKey(37);

    const [one = 0, other = 0] = await Promise.all([rotate(), rotate()]);

    expect(one + other).toBe(37);
    const opened = (await stored()).map(({ id, token }) => newest.open(token, placeOf(id)));
    expect(opened).toEqual(Array.from({ length: 37 }, (_, index) => `token ${index}`));
    expect(await rotate()).toBe(0);
  });

  it('does not end before a row that somebody else holds, so that the old key can be dropped after it', async () => {
    await sealUnderOldKey(12);
    const holder = new pg.Client(service.database.adminUrl);
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM app.sealed_things WHERE id = $1 FOR UPDATE', [idOf(2)]);

    let hasEnded = false;
    const rotation = rotate().finally(() => {
      hasEnded = true;
    });
    while ((await underOldKey()).length > 1 && !hasEnded) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const endedWhileHeld = hasEnded;
    await holder.query('COMMIT');
    await holder.end();

    expect(endedWhileHeld).toBe(false);
    expect(await rotation).toBe(12);
    expect(await underOldKey()).toEqual([]);
  });

  it('passes by a text that does not open, leaves it as it is, and names its row in the end', async () => {
    await insert(idOf(999), before.seal('moved here', placeOf(idOf(1_000))));
    await insert(idOf(0), before.seal('moved here, too', placeOf(idOf(1_000))));
    for (const index of [1, 2, 3, 4, 5, 6])
      await insert(idOf(index), before.seal(`token ${index}`, placeOf(idOf(index))));

    const refusal = await rotate().catch(String);

    expect(refusal).toContain(`app.sealed_things.token of ${idOf(0)}, app.sealed_things.token of ${idOf(999)}`);
    expect(refusal).not.toContain('moved');
    expect(await underOldKey()).toEqual([idOf(0), idOf(999)]);
  });
});
