import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG, type Config } from '../config/config.js';
import type { RequestContext } from '../tenancy/request-context.js';
import { TooManyRequests } from './http.errors.js';
import { networkOf } from './networks.js';

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
  /** The limit that is nearest to its end, of those that the request was counted for. */
  private readonly readings = new WeakMap<FastifyReply, Reading>();

  constructor(@Inject(CONFIG) config: Config) {
    this.redis = config.redisUrl ? connect(config.redisUrl) : undefined;
    const { userPerMinute, tenantPerMinute, addressPerMinute } = config.rateLimits;
    this.policies = {
      user: this.policy('user', userPerMinute),
      tenant: this.policy('tenant', tenantPerMinute),
      address: this.policy('address', addressPerMinute),
    };
  }

  /** Counts the request for its user, or where nobody is signed in for its address. @throws TooManyRequests */
  limit({ caller, address }: RequestContext, reply: FastifyReply): Promise<void> {
    if (!caller) return this.limitAddress(address ?? 'unknown', reply);
    return this.count(this.policies.user, caller.userId, reply);
  }

  /** Counts a request of which no more than its address is known. @throws TooManyRequests */
  limitAddress(address: string, reply: FastifyReply): Promise<void> {
    return this.count(this.policies.address, networkOf(address), reply);
  }

  /**
   * Counts the request for the tenant that its path names. To be called when the database has let the caller in: a
   * stranger must neither use up a tenant's limit nor see how much of it is used. @throws TooManyRequests
   */
  async limitTenant({ caller, scope }: RequestContext, reply: FastifyReply): Promise<void> {
    // An id is written in either case: each spelling would have a count of its own.
    if (caller && scope.kind !== 'none') await this.count(this.policies.tenant, scope.id.toLowerCase(), reply);
  }

  async onApplicationShutdown(): Promise<void> {
    this.redis?.disconnect();
  }

  private async count(policy: Policy, key: string, reply: FastifyReply): Promise<void> {
    const reading = await take(policy, key);
    const nearest = this.readings.get(reply);
    if (!nearest || reading.remaining < nearest.remaining) {
      this.readings.set(reply, reading);
      writeHeaders(reply, reading);
    }
    if (reading.remaining < 0) throw new TooManyRequests(undefined, { retryAfter: reading.resetSeconds });
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
