import {
  type CipherKey,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { KeyRing } from './key-ring.js';

/** Where a sealed text rests. Moved to another row, column or table it does not open. */
export interface SealedPlace {
  table: string;
  column: string;
  rowId: string;
}

/** A sealed text was changed, moved, or sealed under a key that is not in the ring. Says nothing of what it holds. */
export class SealBroken extends Error {
  constructor() {
    super('A sealed text does not open here.');
    this.name = 'SealBroken';
  }
}

const version = 'v1';
const ivBytes = 12;
const tagBytes = 16;

/**
 * Seals the secrets that the outside world gave us before they reach the database: AES-256-GCM, a random 96-bit IV
 * each (NIST SP 800-38D section 8.2.2), `v1.<key id>.<iv>.<tag>.<cipher>` in base64url.
 */
export class Vault {
  readonly currentKeyId: string;
  /** Made once: of the time that sealing a short text takes, to take a key from its bytes is the most. */
  private readonly keys: ReadonlyMap<string, KeyObject>;

  constructor({ current, keys }: KeyRing) {
    this.currentKeyId = current;
    this.keys = new Map([...keys].map(([id, bytes]) => [id, createSecretKey(bytes)]));
  }

  seal(plain: string, place: SealedPlace): string {
    const keyId = this.currentKeyId;
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.key(keyId), iv, { authTagLength: tagBytes });
    cipher.setAAD(associatedData(keyId, place));
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return [version, keyId, ...[iv, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))].join('.');
  }

  /** @throws SealBroken on any difference to what was sealed for this very place */
  open(sealed: string, place: SealedPlace): string {
    const parts = sealed.split('.');
    const [tagged, keyId = '', ...encoded] = parts;
    if (parts.length !== 5 || tagged !== version) throw new SealBroken();
    const [iv, tag, cipher] = encoded.map(canonicalBytes);
    if (iv?.length !== ivBytes || tag?.length !== tagBytes || !cipher) throw new SealBroken();
    return decrypt(this.key(keyId), iv, tag, cipher, associatedData(keyId, place));
  }

  private key(id: string): KeyObject {
    const key = this.keys.get(id);
    if (!key) throw new SealBroken();
    return key;
  }
}

/**
 * Opens a text of the older systems, `ivHex:authTagHex:cipherHex`, which is bound to no place. For import only.
 *
 * @throws SealBroken
 */
export function openLegacy(sealed: string, key: Buffer): string {
  const parts = sealed.split(':');
  if (parts.length !== 3 || !parts.every((part) => /^([0-9a-f]{2})*$/i.test(part))) throw new SealBroken();
  const [iv, tag, cipher] = parts.map((part) => Buffer.from(part, 'hex'));
  // A shortened tag would be easier to guess, and GCM takes it unless told not to.
  if (!iv?.length || tag?.length !== tagBytes || !cipher) throw new SealBroken();
  return decrypt(key, iv, tag, cipher);
}

function decrypt(key: CipherKey, iv: Buffer, tag: Buffer, cipher: Buffer, associated?: Buffer): string {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
    if (associated) decipher.setAAD(associated);
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(cipher), decipher.final()]).toString('utf8');
  } catch {
    throw new SealBroken();
  }
}

/** JSON keeps the parts apart: no two places spell the same bytes. */
function associatedData(keyId: string, { table, column, rowId }: SealedPlace): Buffer {
  return Buffer.from(JSON.stringify([version, keyId, table, column, rowId]));
}

/** Base64 has several spellings of the same bytes; only the one that we write is taken. */
function canonicalBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new SealBroken();
  return bytes;
}
