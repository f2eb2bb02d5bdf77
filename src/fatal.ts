import { ConfigError } from './kernel/config/config-error.js';
import { EmbeddedPostgresError } from './kernel/database/embedded-postgres-error.js';
import { isConnectionFailure } from './kernel/database/failures.js';
import { UnsafeLogin } from './kernel/database/unsafe-login.js';

/** One clear sentence for whoever started the process, and exit code 1. A stack only for a fault of the program. */
export function exitWith(error: unknown): never {
  process.stderr.write(`${sentenceFor(error)}\n`);
  process.exit(1);
}

function sentenceFor(error: unknown): string {
  if (error instanceof ConfigError || error instanceof EmbeddedPostgresError || error instanceof UnsafeLogin) {
    return error.message;
  }
  if (!(error instanceof Error)) return String(error);
  const { code, port, syscall } = error as NodeJS.ErrnoException & { port?: number };
  if (syscall === 'listen' && code === 'EADDRINUSE')
    return `Port ${port} is taken: set PORT to another one, or to 0 for any.`;
  if (syscall === 'listen') return `The API cannot listen on port ${port} (${code}): look at HOST and PORT.`;
  if (isConnectionFailure(error))
    return `The database cannot be reached (${code ?? 'no answer'}): look at DATABASE_URL.`;
  if (code === '28P01' || code === '28000') return 'The database refuses the login: look at DATABASE_URL.';
  if (code === '3D000') return 'The database named by DATABASE_URL does not exist.';
  if (code === '42501')
    return 'The login may not migrate: give one that may as MIGRATION_DATABASE_URL (docs/operations.md).';
  return error.stack ?? error.message;
}
