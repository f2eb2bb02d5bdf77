import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './config-error.js';
import type { Variables } from './variables.js';

const Secrets = z.object({
  jwtKeys: z.string(),
  vaultKeys: z.string(),
  appKey: z.string(),
  embeddedDatabase: z.object({ admin: z.string(), api: z.string() }),
});
type Secrets = z.infer<typeof Secrets>;

/**
 * The secrets of this installation: those of the environment, and outside production, for what is missing there, ones
 * that are made once and kept in `DATA_DIR/secrets.json`, readable by its owner only.
 */
export function readSecrets(dataDir: string, variables: Variables): Secrets {
  const { JWT_KEYS: jwtKeys, VAULT_KEYS: vaultKeys, APP_KEY: appKey, DATABASE_URL: databaseUrl } = variables;
  if (jwtKeys && vaultKeys && appKey && databaseUrl) {
    return { jwtKeys, vaultKeys, appKey, embeddedDatabase: { admin: '', api: '' } };
  }
  const kept = keptSecrets(dataDir);
  return {
    jwtKeys: jwtKeys ?? kept.jwtKeys,
    vaultKeys: vaultKeys ?? kept.vaultKeys,
    appKey: appKey ?? kept.appKey,
    embeddedDatabase: kept.embeddedDatabase,
  };
}

function keptSecrets(dataDir: string): Secrets {
  const file = join(dataDir, 'secrets.json');
  if (!existsSync(file)) keepNewSecrets(dataDir, file);
  try {
    return Secrets.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Written aside and linked: a start that is cut off leaves no half a file, and of two at once both use the first's. */
function keepNewSecrets(dataDir: string, file: string): void {
  const draft = `${file}.${process.pid}`;
  try {
    // The embedded server's user must be able to pass through.
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
    writeFileSync(draft, JSON.stringify(makeSecrets(), null, 2), { mode: 0o600 });
    keepFirst(draft, file);
  } catch (error) {
    throw new ConfigError([`DATA_DIR: ${dataDir} cannot be written (${codeOf(error)}).`]);
  }
}

function keepFirst(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
}

function makeSecrets(): Secrets {
  const { privateKey } = generateKeyPairSync('ed25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  return {
    jwtKeys: `generated-1:${der}`,
    vaultKeys: `generated-1:${randomBytes(32).toString('base64')}`,
    appKey: randomBytes(32).toString('base64'),
    embeddedDatabase: { admin: randomBytes(24).toString('base64url'), api: randomBytes(24).toString('base64url') },
  };
}

function unreadable(file: string, error: unknown): ConfigError {
  const code = codeOf(error);
  const why = code ? `cannot be read (${code})` : 'is not what was written there';
  return new ConfigError([`${file} ${why}: bring it back, or remove its folder to start with an empty database.`]);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
