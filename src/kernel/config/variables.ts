import { z } from 'zod';
import {
  count,
  flag,
  keyRing,
  list,
  origin,
  proxies,
  randomKey,
  signingKey,
  vaultKey,
  webAddress,
} from './variable-types.js';

const secret = true;

const database = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must be an address like postgres://login:password@host:5432/name',
});
const redis = z.url({ protocol: /^rediss?$/, error: 'must be an address like redis://host:6379' });
const smtp = z.url({ protocol: /^smtps?$/, error: 'must be an address like smtp://login:password@host:587' });

const service = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'], 'must be development, test or production')
    .default('development')
    .meta({
      description:
        '`production` refuses generated secrets, database logins that pass row-level security by, and the demo.',
    }),
  PORT: count(3000, { least: 0, most: 65_535 }).meta({
    description: 'Port of the API; 0 picks a free one and prints it.',
  }),
  HOST: z.string().default('127.0.0.1').meta({ description: 'Address that the API listens on.' }),
  DATA_DIR: z.string().default('.polyclinic').meta({
    description: 'Folder of the embedded database, generated secrets and unsent mail. One running service per folder.',
  }),
  PUBLIC_URL: webAddress.optional().meta({
    description: 'Where clients reach the API. Default: `http://HOST:PORT`. Required in production.',
  }),
  APP_URL: webAddress.optional().meta({ description: 'Where links in mails lead. Default: `PUBLIC_URL`.' }),
  DEMO: flag.optional().meta({
    description:
      'Fill a new database with the demo. Default: true for an embedded database outside production with `HOST` on the loopback address, else false.',
  }),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info')
    .meta({
      description: 'The least level of a log line.',
    }),
});

const databases = z.object({
  DATABASE_URL: database.optional().meta({
    secret,
    description:
      "The API's login, `polyclinic_api`. Without it an embedded PostgreSQL is started. Required in production.",
  }),
  MIGRATION_DATABASE_URL: database.optional().meta({
    secret,
    description: 'The login that migrates: a superuser, or one with CREATEROLE. Default: `DATABASE_URL`.',
  }),
  WORKER_DATABASE_URL: database.optional().meta({
    secret,
    description:
      'Connection of the job worker and of the streams, which LISTEN: never through PgBouncer. Default: `DATABASE_URL`.',
  }),
  DATABASE_POOL_SIZE: count(10, { most: 500 }).meta({ description: 'Connections of one process.' }),
  NAMED_STATEMENTS: flag.default(true).meta({
    description:
      'Lets the server keep plans. `false` behind PgBouncer in transaction mode, unless its `max_prepared_statements` is above 0.',
  }),
  STATEMENT_TIMEOUT_MS: count(15_000).meta({ description: 'The longest that one statement may take.' }),
  LOCK_TIMEOUT_MS: count(5_000).meta({ description: 'The longest that a statement waits for a lock.' }),
  IDLE_IN_TRANSACTION_TIMEOUT_MS: count(15_000).meta({
    description: 'The longest that a transaction may sit between two statements.',
  }),
});

const http = z.object({
  CORS_ORIGINS: list(origin).meta({
    description: 'Origins of browser apps, separated by commas. None: no cross-origin use.',
  }),
  TRUST_PROXY: proxies.meta({
    description:
      'Whose `X-Forwarded-For` to believe: `false`, the number of proxies in front, or their addresses (CIDR), separated by commas.',
  }),
  BODY_LIMIT_BYTES: count(1_048_576).meta({ description: 'The largest request body; above it 413.' }),
  UPLOAD_LIMIT_BYTES: count(209_715_200).meta({
    description: 'The largest body of a route that takes a file; above it 413. It has to arrive within two minutes.',
  }),
});

const limits = z.object({
  REDIS_URL: redis.optional().meta({
    secret,
    description: 'Lets instances count requests together. Without it each instance counts alone.',
  }),
  RATE_LIMIT_USER: count(600).meta({ description: 'Requests per minute of one user.' }),
  RATE_LIMIT_TENANT: count(3_000).meta({ description: 'Requests per minute to one clinic or organisation.' }),
  RATE_LIMIT_ADDRESS: count(300).meta({ description: 'Requests per minute of one address without a token.' }),
  FREE_ATTEMPTS: count(5).meta({
    description:
      'Failed log-ins, refreshes or resets of one account before each further one has to wait; an address, which many share, and a session have ten times as many.',
  }),
  LONGEST_WAIT_SECONDS: count(900).meta({ description: 'That wait doubles with each failure, up to this.' }),
  PRODUCTION_WARNING_LIMIT: count(100_000).meta({
    description: "A day's production of a clinic above which whoever enters it is warned. Nothing is refused.",
  }),
});

const secrets = z.object({
  JWT_KEYS: keyRing(signingKey).optional().meta({
    secret,
    description: 'Ed25519 private keys, `id:base64 of PKCS #8 DER`, separated by commas. The first signs, all verify.',
  }),
  VAULT_KEYS: keyRing(vaultKey).optional().meta({
    secret,
    description: 'Keys that seal what the outside world entrusts, `id:base64 of 32 bytes`. The first seals, all open.',
  }),
  APP_KEY: randomKey.optional().meta({
    secret,
    description: 'Base64 of 32 bytes; the keys of cursors and refresh tokens are derived from it.',
  }),
});

const accounts = z.object({
  JWT_ISSUER: z.string().optional().meta({ description: 'The `iss` of access tokens. Default: `PUBLIC_URL`.' }),
  ACCESS_TOKEN_TTL_SECONDS: count(900).meta({ description: 'Life of an access token.' }),
  REFRESH_TOKEN_TTL_DAYS: count(30).meta({ description: 'Life of a session that is not used.' }),
  REQUIRE_VERIFIED_EMAIL: flag.optional().meta({
    description:
      'With an unverified address one can do nothing but verify it. Default: true in production, else false.',
  }),
  ARGON2_MEMORY_KIB: count(19_456, { least: 8 }).meta({ description: 'Memory of one password hash (OWASP: 19 MiB).' }),
  ARGON2_PASSES: count(2).meta({ description: 'Passes of one password hash.' }),
  ARGON2_LANES: count(1, { most: 255 }).meta({ description: 'Lanes of one password hash.' }),
});

const work = z.object({
  SMTP_URL: smtp.optional().meta({
    secret,
    description: 'Server for outgoing mail. Without it mails are written to `DATA_DIR/outbox`. Required in production.',
  }),
  MAIL_FROM: z.string().default('Polyclinic <no-reply@polyclinic.example>').meta({ description: 'Sender of mails.' }),
  JOBS_CONCURRENCY: count(4, { most: 100 }).meta({ description: 'Jobs that one worker runs at once.' }),
});

const records = z.object({
  AUDIT_RETENTION_MONTHS: count(0, { least: 0, most: 1_200 }).meta({
    description:
      'Whole months of the audit log that stay in the database, beside the present one; older ones are put away as files. 0 keeps all.',
  }),
  AUDIT_ARCHIVE_DIR: z.string().optional().meta({
    description: 'Folder for what is put away of the audit log. Default: `DATA_DIR/audit-archive`.',
  }),
});

const google = z.object({
  GOOGLE_CLIENT_ID: z.string().optional().meta({
    description: 'OAuth client of type *Web application*. Without it and its secret nobody can connect Google Sheets.',
  }),
  GOOGLE_CLIENT_SECRET: z.string().optional().meta({ secret, description: 'Its secret.' }),
  GOOGLE_REDIRECT_URL: webAddress.optional().meta({
    description: 'Page of the app to which Google sends the browser back. Default: `APP_URL/google/callback`.',
  }),
  GOOGLE_BASE_URL: webAddress.optional().meta({
    description: "One address in place of all of Google's hosts: an emulator. Default: Google's own.",
  }),
  GOOGLE_TIMEOUT_MS: count(10_000).meta({ description: 'The longest that Google may take to answer one call.' }),
});

const meta = z.object({
  META_APP_ID: z.string().optional().meta({
    description:
      'App of Meta. Without it and its secret nobody can log in with Facebook or connect a page or an account.',
  }),
  META_APP_SECRET: z.string().optional().meta({ secret, description: 'Its secret.' }),
  META_API_VERSION: z
    .string()
    .regex(/^v\d+\.\d+$/, 'must be a version like v25.0')
    .default('v25.0')
    .meta({ description: 'Version of the Graph API.' }),
  META_GRAPH_URL: webAddress.default('https://graph.facebook.com').meta({
    description: 'Host of the Graph API; another one for an emulator.',
  }),
  META_DIALOG_URL: webAddress.default('https://www.facebook.com').meta({
    description: 'Host of the dialog in which people consent; another one for an emulator.',
  }),
  META_INSTAGRAM_URL: webAddress.default('https://graph.instagram.com').meta({
    description:
      'Host of the Instagram API with its own log-in. Kept for it: accounts are reached by their pages so far, at `META_GRAPH_URL`.',
  }),
  META_TIMEOUT_MS: count(10_000).meta({ description: 'The longest that Meta may take to answer one call.' }),
  META_LOGIN_REDIRECT_URL: webAddress.optional().meta({
    description:
      'Where Meta sends the browser of somebody who logs in. Default: `PUBLIC_URL/api/v1/auth/facebook/callback`.',
  }),
  META_CONNECT_REDIRECT_URL: webAddress.optional().meta({
    description:
      'Page of the app to which Meta sends the browser of somebody who connects. Default: `APP_URL/social/callback`.',
  }),
  META_RETURN_ORIGINS: list(origin).meta({
    description:
      'Origins to which a log-in with Facebook may return, separated by commas, beside those of `APP_URL` and `CORS_ORIGINS`.',
  }),
  META_APP_SECRET_PREVIOUS: z.string().optional().meta({
    secret,
    description: 'The secret before it was reset: webhooks signed with it are taken until this is removed.',
  }),
  META_WEBHOOK_VERIFY_TOKEN: z.string().min(16, 'must have at least 16 characters').optional().meta({
    secret,
    description:
      'The verify token that was given to Meta for `PUBLIC_URL/api/v1/webhooks/meta`. Without it no webhook can be set up.',
  }),
  META_HUMAN_AGENT: flag.default(false).meta({
    description:
      'The app has the feature Human Agent: people may answer for seven days after the last message, not for 24 hours.',
  }),
  META_MESSENGER_REDIRECT_URL: webAddress.optional().meta({
    description:
      'Where Meta sends the browser of somebody who connects a page. Default: `PUBLIC_URL/api/v1/messenger/pages/callback`.',
  }),
  META_DOCTOR_REDIRECT_URL: webAddress.optional().meta({
    description:
      'Where Meta sends the browser of a doctor who connects Instagram. Default: `PUBLIC_URL/api/v1/settings/instagram/callback`.',
  }),
  MESSENGER_SETTINGS_URL: webAddress.optional().meta({
    description: 'Page of the app that shows how connecting a page went. Default: `APP_URL/settings/messenger`.',
  }),
  INSTAGRAM_SETTINGS_URL: webAddress.optional().meta({
    description: 'Page of the app that shows how connecting Instagram went. Default: `APP_URL/settings/instagram`.',
  }),
  MEDIA_ALLOW_PRIVATE: flag.default(false).meta({
    description: 'Takes addresses of media that are not public or not https: for an emulator. Refused in production.',
  }),
});

/** The variables as docs/configuration.md groups them. */
export const sections = {
  'The service': service,
  'The database': databases,
  HTTP: http,
  Limits: limits,
  Secrets: secrets,
  'Accounts and tokens': accounts,
  Google: google,
  Meta: meta,
  'Mail and jobs': work,
  'The audit log': records,
} as const;

/** Every environment variable that the service reads, with its check, default and meaning. */
export const variables = z.object({
  ...service.shape,
  ...databases.shape,
  ...http.shape,
  ...limits.shape,
  ...secrets.shape,
  ...accounts.shape,
  ...google.shape,
  ...meta.shape,
  ...work.shape,
  ...records.shape,
});

export type Variables = z.infer<typeof variables>;

/** Whether a variable holds a secret: never printed, not even when it is wrong. */
export function isSecret(schema: z.ZodType): boolean {
  return schema.meta()?.['secret'] === true;
}
