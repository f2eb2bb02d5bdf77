import { ConfigError } from './kernel/config/config-error.js';
import { EmbeddedPostgresError } from './kernel/database/embedded-postgres-error.js';
import { isConnectionFailure } from './kernel/database/failures.js';
import { UnsafeLogin } from './kernel/database/unsafe-login.js';
import { CannotListen } from './listen.js';

const speaksForItself = [ConfigError, EmbeddedPostgresError, UnsafeLogin, CannotListen];

/** What a file system answers whose folder is another's, read-only, full, or no folder. */
const unusable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EISDIR']);

/** One clear sentence for whoever started the process, and exit code 1. A stack only for a fault of the program. */
export function exitWith(error: unknown): never {
  process.stderr.write(`${sentenceFor(error)}\n`);
  process.exit(1);
}

function sentenceFor(error: unknown): string {
  if (speaksForItself.some((type) => error instanceof type)) return (error as Error).message;
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  if (isConnectionFailure(error) && path === undefined)
    return `The database cannot be reached (${code ?? 'no answer'}): look at DATABASE_URL.`;
  if (code === '28P01' || code === '28000') return 'The database refuses the login: look at DATABASE_URL.';
  if (code === '3D000') return 'The database named by DATABASE_URL does not exist.';
  if (code === '42501')
    return 'The login may not migrate: give one that may as MIGRATION_DATABASE_URL (docs/operations.md).';
  if (code !== undefined && unusable.has(code)) return `${path} cannot be used (${code}): look at DATA_DIR.`;
  return error.stack ?? error.message;
}
