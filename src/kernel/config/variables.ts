import { z } from 'zod';

/** Variables that hold a secret: never printed, not even when they are wrong. */
export const secretVariables: ReadonlySet<string> = new Set([
  'DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'WORKER_DATABASE_URL',
  'REDIS_URL',
  'JWT_KEYS',
  'VAULT_KEYS',
  'APP_KEY',
  'SMTP_URL',
]);

const whole = (fallback: number, least = 1, most = 2_147_483_647) =>
  z.coerce.number().int().min(least).max(most).default(fallback);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const list = z
  .string()
  .default('')
  .transform((value) =>
    value
      .split(',')
      .map((each) => each.trim())
      .filter(Boolean),
  );
const postgresUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// address' });
const keyRing = z
  .string()
  .regex(/^[\w-]+:[A-Za-z0-9+/=]+(,[\w-]+:[A-Za-z0-9+/=]+)*$/, 'must be id:base64, several separated by commas');

/** Every environment variable that the service reads, with its meaning. docs/configuration.md is written from this. */
export const variables = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .meta({ description: '`production` refuses generated secrets, unsafe database logins and the demo.' }),
  PORT: whole(3000, 0, 65_535).meta({ description: 'Port of the API; 0 picks a free one and prints it.' }),
  HOST: z.string().default('127.0.0.1').meta({ description: 'Address that the API listens on.' }),
  DATA_DIR: z
    .string()
    .default('.polyclinic')
    .meta({ description: 'Folder of the embedded database, generated secrets and unsent mail.' }),
  PUBLIC_URL: z.url().optional().meta({ description: 'Where clients reach the API. Default: `http://HOST:PORT`.' }),
  APP_URL: z.url().optional().meta({ description: 'Where links in mails lead. Default: `PUBLIC_URL`.' }),
  DEMO: flag
    .optional()
    .meta({ description: 'Seed the demo into a new database. Default: true exactly for a new embedded one.' }),

  DATABASE_URL: postgresUrl
    .optional()
    .meta({ description: "The API's login (`polyclinic_api`). Without it an embedded PostgreSQL is started." }),
  MIGRATION_DATABASE_URL: postgresUrl
    .optional()
    .meta({ description: 'Login that migrates: a superuser, or one with CREATEROLE. Default: `DATABASE_URL`.' }),
  WORKER_DATABASE_URL: postgresUrl
    .optional()
    .meta({
      description:
        'Direct connection for the job worker, which LISTENs: not through PgBouncer. Default: `DATABASE_URL`.',
    }),
  DATABASE_POOL_SIZE: whole(10, 1, 500).meta({ description: 'Connections of one process.' }),
  NAMED_STATEMENTS: flag
    .default(true)
    .meta({ description: 'Keep plans on the server. Off behind PgBouncer before 1.21 in transaction mode.' }),
  STATEMENT_TIMEOUT_MS: whole(15_000).meta({ description: 'The longest that one statement may take.' }),
  LOCK_TIMEOUT_MS: whole(5_000).meta({ description: 'The longest that a statement waits for a lock.' }),
  IDLE_IN_TRANSACTION_TIMEOUT_MS: whole(15_000).meta({
    description: 'The longest that a transaction may sit between two statements.',
  }),

  CORS_ORIGINS: list.meta({ description: 'Origins of browser apps, separated by commas. None: no cross-origin use.' }),
  TRUST_PROXY: flag
    .default(false)
    .meta({ description: 'Take the client address from `X-Forwarded-For`: only behind a proxy that sets it.' }),
  BODY_LIMIT_BYTES: whole(1_048_576).meta({ description: 'The largest request body; above it 413.' }),

  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .optional()
    .meta({ description: 'Shares request limits between instances. Without it each instance counts alone.' }),
  RATE_LIMIT_USER: whole(600).meta({ description: 'Requests per minute and user.' }),
  RATE_LIMIT_TENANT: whole(3_000).meta({ description: 'Requests per minute and clinic or organisation.' }),
  RATE_LIMIT_ADDRESS: whole(300).meta({ description: 'Requests per minute and address without a token.' }),
  FREE_ATTEMPTS: whole(5).meta({
    description: 'Failed log-ins, refreshes or resets per account or address before each further one must wait.',
  }),
  LONGEST_WAIT_SECONDS: whole(900).meta({ description: 'The delay after failures doubles up to this.' }),

  JWT_KEYS: keyRing
    .optional()
    .meta({
      description:
        'Ed25519 private keys, `kid:base64 of PKCS #8 DER`, separated by commas. The first signs, all verify.',
    }),
  JWT_ISSUER: z.string().optional().meta({ description: 'The `iss` of access tokens. Default: `PUBLIC_URL`.' }),
  ACCESS_TOKEN_TTL_SECONDS: whole(900).meta({ description: 'Life of an access token.' }),
  REFRESH_TOKEN_TTL_DAYS: whole(30).meta({ description: 'Life of a session without use.' }),
  VAULT_KEYS: keyRing
    .optional()
    .meta({
      description: 'Keys that seal tokens of the outside world, `id:base64 of 32 bytes`. The first seals, all open.',
    }),
  APP_KEY: z
    .string()
    .min(40)
    .optional()
    .meta({ description: 'Base64 of 32 bytes: keys of cursors and refresh tokens are derived from it.' }),
  REQUIRE_VERIFIED_EMAIL: flag
    .optional()
    .meta({ description: 'An unverified address can do nothing but verify. Default: true in production only.' }),
  ARGON2_MEMORY_KIB: whole(19_456, 8).meta({ description: 'Memory of one password hash (OWASP: 19 MiB).' }),
  ARGON2_PASSES: whole(2).meta({ description: 'Passes of one password hash.' }),
  ARGON2_LANES: whole(1).meta({ description: 'Lanes of one password hash.' }),

  SMTP_URL: z
    .url({ protocol: /^smtps?$/ })
    .optional()
    .meta({ description: 'Server for outgoing mail. Without it mails are written to `DATA_DIR/outbox`.' }),
  MAIL_FROM: z.string().default('Polyclinic <no-reply@polyclinic.example>').meta({ description: 'Sender of mails.' }),
  JOBS_CONCURRENCY: whole(4, 1, 100).meta({ description: 'Jobs that one worker runs at once.' }),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .meta({ description: 'Least level of a log line.' }),
});

export type Variables = z.infer<typeof variables>;
