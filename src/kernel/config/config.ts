import { resolve } from 'node:path';
import { ConfigError } from './config-error.js';
import { readSecrets } from './generated-secrets.js';
import { unfitForProduction } from './unfit-for-production.js';
import { isSecret, type Variables, variables } from './variables.js';

export const CONFIG = Symbol('CONFIG');

export type Config = ReturnType<typeof shape>;

/**
 * Reads and checks the environment.
 *
 * @throws ConfigError that lists everything wrong at once, without the value of a secret
 */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = variables.safeParse(withoutEmpty(environment));
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => describe(String(issue.path[0]), issue.message, environment)),
    );
  }
  const unfit = parsed.data.NODE_ENV === 'production' ? unfitForProduction(parsed.data) : [];
  if (unfit.length > 0) throw new ConfigError(unfit);
  return freeze(shape(parsed.data));
}

/** The configuration once `PORT=0` has become a port: what was derived from HOST and PORT names it then. */
export function atPort(config: Config, port: number): Config {
  const [before, after] = [addressOf(config), addressOf({ host: config.host, port })];
  const moved = (address: string): string =>
    address === before || address.startsWith(`${before}/`) ? after + address.slice(before.length) : address;
  return freeze({
    ...config,
    port,
    publicUrl: moved(config.publicUrl),
    appUrl: moved(config.appUrl),
    google: { ...config.google, redirectUrl: moved(config.google.redirectUrl) },
    meta: {
      ...config.meta,
      loginRedirectUrl: moved(config.meta.loginRedirectUrl),
      connectRedirectUrl: moved(config.meta.connectRedirectUrl),
      messengerRedirectUrl: moved(config.meta.messengerRedirectUrl),
      doctorRedirectUrl: moved(config.meta.doctorRedirectUrl),
      messengerSettingsUrl: moved(config.meta.messengerSettingsUrl),
      doctorSettingsUrl: moved(config.meta.doctorSettingsUrl),
      returnOrigins: config.meta.returnOrigins.map(moved),
    },
    tokens: { ...config.tokens, issuer: moved(config.tokens.issuer) },
  });
}

/** Which variable becomes which setting. */
function shape(v: Variables) {
  const isProduction = v.NODE_ENV === 'production';
  const dataDir = resolve(v.DATA_DIR);
  const secrets = readSecrets(dataDir, v);
  const publicUrl = v.PUBLIC_URL ?? addressOf({ host: v.HOST, port: v.PORT });
  const appUrl = v.APP_URL ?? publicUrl;
  return {
    audit: {
      retentionMonths: v.AUDIT_RETENTION_MONTHS,
      archiveDir: resolve(v.AUDIT_ARCHIVE_DIR ?? resolve(dataDir, 'audit-archive')),
    },
    environment: v.NODE_ENV,
    host: v.HOST,
    port: v.PORT,
    dataDir,
    publicUrl,
    appUrl,
    demo: v.DEMO ?? (!isProduction && v.DATABASE_URL === undefined && isLoopback(v.HOST)),
    logLevel: v.LOG_LEVEL,
    requireVerifiedEmail: v.REQUIRE_VERIFIED_EMAIL ?? isProduction,
    database: databaseSettings(v),
    google: googleSettings(v, appUrl),
    meta: metaSettings(v, { publicUrl, appUrl }),
    http: {
      corsOrigins: v.CORS_ORIGINS,
      trustProxy: v.TRUST_PROXY,
      bodyLimitBytes: v.BODY_LIMIT_BYTES,
      uploadLimitBytes: v.UPLOAD_LIMIT_BYTES,
    },
    redisUrl: v.REDIS_URL,
    rateLimits: {
      userPerMinute: v.RATE_LIMIT_USER,
      tenantPerMinute: v.RATE_LIMIT_TENANT,
      addressPerMinute: v.RATE_LIMIT_ADDRESS,
      freeAttempts: v.FREE_ATTEMPTS,
      longestWaitSeconds: v.LONGEST_WAIT_SECONDS,
    },
    productionWarningLimit: v.PRODUCTION_WARNING_LIMIT,
    tokens: {
      jwtKeys: secrets.jwtKeys,
      issuer: v.JWT_ISSUER ?? publicUrl,
      accessTtlSeconds: v.ACCESS_TOKEN_TTL_SECONDS,
      refreshTtlDays: v.REFRESH_TOKEN_TTL_DAYS,
    },
    secrets: { vaultKeys: secrets.vaultKeys, appKey: secrets.appKey, embeddedDatabase: secrets.embeddedDatabase },
    passwords: { memoryKib: v.ARGON2_MEMORY_KIB, passes: v.ARGON2_PASSES, lanes: v.ARGON2_LANES },
    mail: { smtpUrl: v.SMTP_URL, from: v.MAIL_FROM, outboxDir: resolve(dataDir, 'outbox') },
    jobs: { concurrency: v.JOBS_CONCURRENCY },
  };
}

function databaseSettings(v: Variables) {
  const isProduction = v.NODE_ENV === 'production';
  return {
    embedded: v.DATABASE_URL === undefined,
    url: v.DATABASE_URL ?? '',
    migrationUrl: v.MIGRATION_DATABASE_URL ?? (isProduction ? undefined : v.DATABASE_URL),
    workerUrl: v.WORKER_DATABASE_URL ?? v.DATABASE_URL ?? '',
    poolSize: v.DATABASE_POOL_SIZE,
    namedStatements: v.NAMED_STATEMENTS,
    statementTimeoutMs: v.STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: v.LOCK_TIMEOUT_MS,
    idleInTransactionTimeoutMs: v.IDLE_IN_TRANSACTION_TIMEOUT_MS,
  };
}

function googleSettings(v: Variables, appUrl: string) {
  return {
    clientId: v.GOOGLE_CLIENT_ID,
    clientSecret: v.GOOGLE_CLIENT_SECRET,
    redirectUrl: v.GOOGLE_REDIRECT_URL ?? `${appUrl}/google/callback`,
    baseUrl: v.GOOGLE_BASE_URL,
    timeoutMs: v.GOOGLE_TIMEOUT_MS,
  };
}

function metaSettings(v: Variables, { publicUrl, appUrl }: { publicUrl: string; appUrl: string }) {
  return {
    appId: v.META_APP_ID,
    appSecret: v.META_APP_SECRET,
    /** Those that webhooks may be signed with: two while the secret is being reset. */
    appSecrets: [v.META_APP_SECRET, v.META_APP_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
    webhookVerifyToken: v.META_WEBHOOK_VERIFY_TOKEN,
    allowsHumanAgent: v.META_HUMAN_AGENT,
    apiVersion: v.META_API_VERSION,
    graphUrl: v.META_GRAPH_URL,
    dialogUrl: v.META_DIALOG_URL,
    instagramUrl: v.META_INSTAGRAM_URL,
    timeoutMs: v.META_TIMEOUT_MS,
    loginRedirectUrl: v.META_LOGIN_REDIRECT_URL ?? `${publicUrl}/api/v1/auth/facebook/callback`,
    connectRedirectUrl: v.META_CONNECT_REDIRECT_URL ?? `${appUrl}/social/callback`,
    messengerRedirectUrl: v.META_MESSENGER_REDIRECT_URL ?? `${publicUrl}/api/v1/messenger/pages/callback`,
    doctorRedirectUrl: v.META_DOCTOR_REDIRECT_URL ?? `${publicUrl}/api/v1/settings/instagram/callback`,
    messengerSettingsUrl: v.MESSENGER_SETTINGS_URL ?? `${appUrl}/settings/messenger`,
    doctorSettingsUrl: v.INSTAGRAM_SETTINGS_URL ?? `${appUrl}/settings/instagram`,
    returnOrigins: [...new Set([new URL(appUrl).origin, ...v.CORS_ORIGINS, ...v.META_RETURN_ORIGINS])],
    allowsPrivateMedia: v.MEDIA_ALLOW_PRIVATE,
  };
}

/** The demo's passwords are printed and published: by itself it is only where nobody else can log in. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function withoutEmpty(environment: NodeJS.ProcessEnv): Record<string, string> {
  const set = Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(set);
}

function describe(name: string, message: string, environment: NodeJS.ProcessEnv): string {
  const schema = variables.shape[name as keyof Variables];
  const given = isSecret(schema) ? '' : `, not '${environment[name]}'`;
  return `${name}: ${message}${given}.`;
}

/** An address that listens everywhere is reached at home; IPv6 stands in brackets. */
function addressOf({ host, port }: { host: string; port: number }): string {
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function freeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) freeze(part);
  return Object.freeze(value);
}
