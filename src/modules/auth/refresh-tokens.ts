import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../kernel/config/config.js';
import { deriveKey } from '../../kernel/secrets/key-ring.js';

interface RefreshToken {
  sessionId: string;
  secret: string;
}

const form = /^rt_([0-9a-f-]{36})_([A-Za-z0-9_-]{43})$/;

/**
 * Refresh tokens: `rt_<session>_<secret>`. Each successor is derived from its predecessor under the installation's key,
 * so that a lost answer can be given again although only hashes are kept (docs/decisions/0006).
 */
@Injectable()
export class RefreshTokens {
  private readonly key: Buffer;

  constructor(@Inject(CONFIG) config: Config) {
    this.key = deriveKey(config.secrets.appKey, 'refresh tokens');
  }

  first(sessionId: string): RefreshToken {
    return { sessionId, secret: randomBytes(32).toString('base64url') };
  }

  successor({ sessionId, secret }: RefreshToken): RefreshToken {
    const next = createHmac('sha256', this.key).update(`${sessionId} ${secret}`).digest('base64url');
    return { sessionId, secret: next };
  }

  parse(text: string): RefreshToken | undefined {
    const [, sessionId, secret] = text.match(form) ?? [];
    return sessionId && secret ? { sessionId, secret } : undefined;
  }

  format({ sessionId, secret }: RefreshToken): string {
    return `rt_${sessionId}_${secret}`;
  }

  /** What the database keeps of it. */
  hash(token: RefreshToken): string {
    return sha256(this.format(token));
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
