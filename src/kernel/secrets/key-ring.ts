import { hkdfSync } from 'node:crypto';

/** Keys by id. New texts are sealed under the current one; the others still open what they sealed. */
export interface KeyRing {
  current: string;
  keys: ReadonlyMap<string, Buffer>;
}

/** Reads `id:base64[,id:base64...]`; the first is current. Errors name the key, never its value. */
export function parseKeyRing(text: string): KeyRing {
  const written = text.split(',').map((entry) => entry.trim());
  const entries = written.filter(Boolean).map((entry) => {
    const [id = '', encoded = ''] = entry.split(/:(.*)/s);
    const key = Buffer.from(encoded, 'base64');
    if (!/^[\w-]+$/.test(id)) throw new Error('VAULT_KEYS: the id of a key may hold letters, digits, - and _ only.');
    if (key.length !== 32) throw new Error(`VAULT_KEYS: the key '${id}' has ${key.length} bytes; it must have 32.`);
    return [id, key] as const;
  });
  const [first] = entries;
  if (!first) throw new Error('VAULT_KEYS holds no key.');
  const keys = new Map(entries);
  // Of two keys with one id the later would take the place of the current one, unnoticed.
  if (keys.size < entries.length) throw new Error('VAULT_KEYS: two keys have the same id.');
  return { current: first[0], keys };
}

/** A key for one purpose, from the installation's APP_KEY (RFC 5869), so that no key serves two. */
export function deriveKey(appKey: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.from(appKey, 'base64'), '', `polyclinic ${purpose}`, 32));
}
