import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG, type Config } from '../config/config.js';
import type { RequestContext } from '../tenancy/request-context.js';
import { TooManyRequests } from './http.errors.js';

interface Policy {
  name: 'user' | 'tenant' | 'address';
  limit: number;
  limiter: RateLimiterAbstract;
}

interface Reading {
  policy: Policy;
  remaining: number;
  resetSeconds: number;
}

const windowSeconds = 60;

/**
 * Requests per minute: per user, per tenant that the path names, and per address where nobody is signed in. Counted in
 * memory, or in Redis when there are several instances; never in the request's database.
 *
 * Headers follow draft-ietf-httpapi-ratelimit-headers-10.
 */
@Injectable()
export class RateLimits implements OnApplicationShutdown {
  private readonly redis: Redis | undefined;
  private readonly policies: Record<Policy['name'], Policy>;

  constructor(@Inject(CONFIG) config: Config) {
    this.redis = config.redisUrl ? connect(config.redisUrl) : undefined;
    const { userPerMinute, tenantPerMinute, addressPerMinute } = config.rateLimits;
    this.policies = {
      user: this.policy('user', userPerMinute),
      tenant: this.policy('tenant', tenantPerMinute),
      address: this.policy('address', addressPerMinute),
    };
  }

  /** Counts the request. @throws TooManyRequests when one of its limits is used up */
  limit(context: RequestContext, reply: FastifyReply): Promise<void> {
    return this.count(this.keysOf(context), reply);
  }

  /** Counts a request of which no more than its address is known. @throws TooManyRequests */
  limitAddress(address: string, reply: FastifyReply): Promise<void> {
    return this.count([[this.policies.address, address]], reply);
  }

  /** Takes back what was counted for the tenant: whoever has no access there must not use up its limit. */
  async spareTenant({ caller, scope }: RequestContext): Promise<void> {
    if (caller && scope.kind !== 'none')
      await this.policies.tenant.limiter.reward(keyOf(scope.id)).catch(() => undefined);
  }

  private async count(keys: [Policy, string][], reply: FastifyReply): Promise<void> {
    let tightest: Reading | undefined;
    for (const [policy, key] of keys) {
      const reading = await take(policy, key);
      if (!tightest || reading.remaining < tightest.remaining) tightest = reading;
    }
    if (tightest) writeHeaders(reply, tightest);
    if (tightest && tightest.remaining < 0) throw new TooManyRequests(undefined, { retryAfter: tightest.resetSeconds });
  }

  async onApplicationShutdown(): Promise<void> {
    this.redis?.disconnect();
  }

  private keysOf({ caller, scope, address }: RequestContext): [Policy, string][] {
    if (!caller) return [[this.policies.address, address ?? 'unknown']];
    const keys: [Policy, string][] = [[this.policies.user, caller.userId]];
    if (scope.kind !== 'none') keys.push([this.policies.tenant, keyOf(scope.id)]);
    return keys;
  }

  private policy(name: Policy['name'], limit: number): Policy {
    const options = { keyPrefix: `polyclinic:${name}`, points: limit, duration: windowSeconds };
    const memory = new RateLimiterMemory(options);
    if (!this.redis) return { name, limit, limiter: memory };
    // While Redis is away each instance counts for itself: a limit may be wide for a while, requests go on.
    return {
      name,
      limit,
      limiter: new RateLimiterRedis({
        ...options,
        storeClient: this.redis,
        insuranceLimiter: memory,
        rejectIfRedisNotReady: true,
      }),
    };
  }
}

/** An id is written in either case: each spelling would have a count of its own. */
const keyOf = (id: string): string => id.toLowerCase();

async function take(policy: Policy, key: string): Promise<Reading> {
  try {
    return readingOf(policy, await policy.limiter.consume(key));
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return { ...readingOf(policy, refusal), remaining: -1 };
  }
}

function readingOf(policy: Policy, { remainingPoints, msBeforeNext }: RateLimiterRes): Reading {
  return { policy, remaining: remainingPoints, resetSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)) };
}

function writeHeaders(reply: FastifyReply, { policy, remaining, resetSeconds }: Reading): void {
  reply.header('ratelimit-policy', `"${policy.name}";q=${policy.limit};w=${windowSeconds}`);
  reply.header('ratelimit', `"${policy.name}";r=${Math.max(0, remaining)};t=${resetSeconds}`);
}

function connect(url: string): Redis {
  const logger = new Logger(RateLimits.name);
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
    // One that hangs must not hold up requests: the command fails, then the connection is given up.
    commandTimeout: 250,
    socketTimeout: 500,
  });
  let isAway = false;
  redis.on('error', () => {
    if (!isAway) logger.warn('Redis cannot be reached: request limits are counted by each instance alone.');
    isAway = true;
  });
  redis.on('ready', () => {
    isAway = false;
  });
  return redis;
}
