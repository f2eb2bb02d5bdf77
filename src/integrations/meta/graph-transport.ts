import type CircuitBreaker from 'opossum';
import type { Agent } from 'undici';
import { z } from 'zod';
import { MetaFailure } from './meta-failure.js';

export interface GraphRequest {
  method: 'GET' | 'POST' | 'DELETE';
  url: URL;
  headers: Record<string, string>;
  body?: string | undefined;
  /** Whether it changes something at Meta. */
  isWrite: boolean;
}

export interface GraphAnswer {
  status: number;
  headers: { get(name: string): string | null };
  /** Parsed JSON. */
  body: unknown;
}

interface TransportOptions {
  timeoutMs: number;
  /** How long a host that does not answer is left alone; five seconds unless given. */
  pauseMs?: number;
  onChange?: (host: string, state: 'left alone' | 'back') => void;
}

interface Loaded {
  fetch: typeof import('undici').fetch;
  agent: Agent;
  CircuitBreaker: typeof CircuitBreaker;
}

/** The longest list of media, a hundred captions of 2,200 characters, stays far below it. */
const longestAnswerBytes = 8 * 1024 * 1024;

/**
 * When a host is left alone: of ten calls or more within half a minute, four of five without an answer. After the pause
 * one call finds out whether it is back. Refusals and limits are answers, and never count.
 */
const breakerOptions = {
  timeout: false,
  rollingCountTimeout: 30_000,
  volumeThreshold: 10,
  errorThresholdPercentage: 80,
  resetTimeout: 5_000,
  enableSnapshots: false,
} as const;

/** HTTP to Meta's hosts: time-outs, a circuit breaker for each host, and answers as JSON. Knows no Graph API. */
export class GraphTransport {
  private readonly breakers = new Map<string, CircuitBreaker<[GraphRequest], GraphAnswer>>();
  private loading: Promise<Loaded> | undefined;

  constructor(private readonly options: TransportOptions) {}

  /** @throws MetaFailure `unavailable`: no answer, one that is no JSON, or the host is being left alone */
  async send(request: GraphRequest): Promise<GraphAnswer> {
    const breaker = await this.breakerOf(request.url.host);
    try {
      return await breaker.fire(request);
    } catch (error) {
      if (error instanceof HeldAnswer) return error.answer;
      if (error instanceof MetaFailure) throw error;
      throw new MetaFailure('unavailable', { retryAfter: Math.ceil(this.pauseMs / 1000) });
    }
  }

  async close(): Promise<void> {
    for (const breaker of this.breakers.values()) breaker.shutdown();
    await (await this.loading)?.agent.destroy();
  }

  private get pauseMs(): number {
    return this.options.pauseMs ?? breakerOptions.resetTimeout;
  }

  private async breakerOf(host: string): Promise<CircuitBreaker<[GraphRequest], GraphAnswer>> {
    const { CircuitBreaker } = await this.load();
    const known = this.breakers.get(host);
    if (known) return known;
    const options = { ...breakerOptions, resetTimeout: this.pauseMs };
    const breaker = new CircuitBreaker((request: GraphRequest) => this.attempt(request), options);
    breaker.on('open', () => this.options.onChange?.(host, 'left alone'));
    breaker.on('close', () => this.options.onChange?.(host, 'back'));
    this.breakers.set(host, breaker);
    return breaker;
  }

  /** undici takes 30 MB once it is loaded: whoever never talks to Meta does not pay for it. */
  private load(): Promise<Loaded> {
    this.loading ??= loadLibraries(this.options.timeoutMs);
    return this.loading;
  }

  private async attempt(request: GraphRequest): Promise<GraphAnswer> {
    const answer = await this.exchange(request);
    if (answer.status >= 500) throw new HeldAnswer(answer);
    return answer;
  }

  private async exchange({ method, url, headers, body, isWrite }: GraphRequest): Promise<GraphAnswer> {
    const { fetch, agent } = await this.load();
    try {
      const response = await fetch(url, {
        ...{ method, headers, dispatcher: agent, signal: AbortSignal.timeout(this.options.timeoutMs) },
        // A redirect would carry the token to wherever it points.
        redirect: 'error',
        ...(body !== undefined && { body }),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: readBody(response.status, await response.text()),
      };
    } catch (error) {
      // Neither the error nor its cause is kept: they may quote the address.
      throw new MetaFailure('unavailable', { mayHaveHappened: isWrite && !neverSent(error) });
    }
  }
}

/** A 5xx with a readable body: for the breaker the host is not well, for the caller it is an answer. */
class HeldAnswer extends Error {
  constructor(readonly answer: GraphAnswer) {
    super('5xx');
  }
}

async function loadLibraries(timeoutMs: number): Promise<Loaded> {
  const [{ Agent, fetch }, { default: CircuitBreaker }] = await Promise.all([import('undici'), import('opossum')]);
  // Connecting ends before the whole does, so that a request that was never sent can be told from one that was.
  const connect = { timeout: Math.ceil(timeoutMs / 2) };
  const agent = new Agent({ connect, connections: 32, allowH2: false, maxResponseSize: longestAnswerBytes });
  return { fetch, agent, CircuitBreaker };
}

/** Errors of finding the host and of connecting: nothing of the request had left us. */
const beforeSending: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
]);

const NetworkError = z.object({ cause: z.object({ code: z.string() }) });

function neverSent(error: unknown): boolean {
  const { data } = NetworkError.safeParse(error);
  return data !== undefined && beforeSending.has(data.cause.code);
}

/** Whoever limits the rate may stand before Meta and speak no JSON: its status says enough. */
function readBody(status: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (status === 429) return undefined;
    throw error;
  }
}
