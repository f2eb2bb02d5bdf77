import { createHmac } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { Config } from '../../kernel/config/config.js';
import { failureIn } from './graph-errors.js';
import type { GraphAnswer, GraphRequest, GraphTransport } from './graph-transport.js';
import { MetaFailure } from './meta-failure.js';
import type { UsageFamily, UsageLimits } from './usage-limits.js';

export interface GraphCall {
  /** Below the version: `me/accounts`. Ids are checked by whoever makes it, see `graphPath`. */
  path: string;
  /** Who counts it, and so whom a limit holds up. */
  family: UsageFamily;
  token?: string | undefined;
  parameters?: Record<string, string | undefined>;
}

/** How often a read is asked in all, and how long to wait before it is asked again. */
const triesOfRead = 3;
const firstPauseMs = 150;

/** No list of ours comes near it; a host that never ends its list is not followed for ever. */
const mostPages = 100;

const Cursors = z.object({
  cursors: z.object({ after: z.string().optional() }).optional(),
  next: z.string().optional(),
});

/** The app of Meta that this installation is. */
export interface MetaApp {
  id: string;
  secret: string;
}

/**
 * The Graph API: version, proof, errors, limits, paging. Reads are asked again when no answer comes; a request that
 * changes something is sent once.
 *
 * Tokens travel in the `Authorization` header, never in an address; each call with one carries its `appsecret_proof`
 * (https://developers.facebook.com/docs/graph-api/guides/secure-requests).
 */
export class GraphClient {
  constructor(
    private readonly config: Config['meta'],
    private readonly transport: GraphTransport,
    private readonly limits: UsageLimits,
  ) {}

  get isConfigured(): boolean {
    return this.config.appId !== undefined && this.config.appSecret !== undefined;
  }

  /** @throws MetaFailure `not-configured` */
  get app(): MetaApp {
    const { appId, appSecret } = this.config;
    if (!appId || !appSecret) throw new MetaFailure('not-configured');
    return { id: appId, secret: appSecret };
  }

  get dialogAddress(): string {
    return `${this.config.dialogUrl}/${this.config.apiVersion}/dialog/oauth`;
  }

  /** The address of a permalink that Graph gives without its host, as it does for videos. */
  absolute(permalink: string | undefined): string | null {
    if (!permalink) return null;
    return permalink.startsWith('/') ? `${this.config.dialogUrl}${permalink}` : permalink;
  }

  read<Shape extends z.ZodType>(call: GraphCall, shape: Shape): Promise<z.infer<Shape>> {
    const url = this.address(call);
    for (const [name, value] of this.parametersOf(call)) url.searchParams.set(name, value);
    return this.repeatedly(() => this.send(call, { method: 'GET', url, isWrite: false }, shape));
  }

  /** A POST that changes something: sent once, whatever happens. */
  write<Shape extends z.ZodType>(call: GraphCall, shape: Shape): Promise<z.infer<Shape>> {
    return this.send(call, this.form(call, { method: 'POST', isWrite: true }), shape);
  }

  /** A POST that only asks: its parameters are secret, or too long for an address. */
  ask<Shape extends z.ZodType>(call: GraphCall, shape: Shape): Promise<z.infer<Shape>> {
    return this.repeatedly(() => this.send(call, this.form(call, { method: 'POST', isWrite: false }), shape));
  }

  remove<Shape extends z.ZodType>(call: GraphCall, shape: Shape): Promise<z.infer<Shape>> {
    return this.send(call, this.form(call, { method: 'DELETE', isWrite: true }), shape);
  }

  /**
   * The items of a list over all its pages, or until a page ends it. Follows `cursors.after`, never the `next` address:
   * that holds the token.
   */
  async list<Item extends z.ZodType>(
    call: GraphCall,
    item: Item,
    isEnough: (page: z.infer<Item>[]) => boolean = () => false,
  ): Promise<z.infer<Item>[]> {
    const shape = z.object({ data: z.array(item), paging: Cursors.optional() });
    const items: z.infer<Item>[] = [];
    let after: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      const { data, paging } = await this.read({ ...call, parameters: { ...call.parameters, after } }, shape);
      items.push(...data);
      const following = paging?.next === undefined ? undefined : paging.cursors?.after;
      if (following === undefined || following === after || isEnough(data)) return items;
      after = following;
    }
    return items;
  }

  /** https://developers.facebook.com/docs/graph-api/guides/secure-requests: HMAC-SHA256 of the token, in hex. */
  private proofOf(token: string): string {
    return createHmac('sha256', this.app.secret).update(token).digest('hex');
  }

  private address({ path }: GraphCall): URL {
    return new URL(`${this.config.graphUrl}/${this.config.apiVersion}/${path}`);
  }

  private parametersOf({ token, parameters = {} }: GraphCall): [string, string][] {
    const proof = token === undefined ? undefined : this.proofOf(token);
    return Object.entries({ ...parameters, appsecret_proof: proof }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
  }

  private form(call: GraphCall, request: Pick<GraphRequest, 'method' | 'isWrite'>) {
    return { ...request, url: this.address(call), body: new URLSearchParams(this.parametersOf(call)).toString() };
  }

  private async send<Shape extends z.ZodType>(
    { family, token }: GraphCall,
    request: Omit<GraphRequest, 'headers'>,
    shape: Shape,
  ): Promise<z.infer<Shape>> {
    this.limits.check(family, token);
    const answer = await this.transport.send({ ...request, headers: headersOf(token, request.body) });
    const retryAfter = this.limits.note(family, token, answer);
    const failure = failureIn(answer, { isWrite: request.isWrite, retryAfter });
    if (failure) throw failure;
    return checked(answer, shape, request.isWrite);
  }

  /** Asks again when nothing came back, unless the time for it is over or we were told when to come again. */
  private async repeatedly<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const lastStart = Date.now() + this.config.timeoutMs * 1.5;
    for (let tries = 1; ; tries += 1) {
      try {
        return await call();
      } catch (error) {
        const isWorthwhile = error instanceof MetaFailure && error.kind === 'unavailable' && !error.retryAfter;
        if (!isWorthwhile || tries >= triesOfRead || Date.now() > lastStart) throw error;
        await wait(firstPauseMs * 2 ** (tries - 1) * (0.5 + Math.random()));
      }
    }
  }
}

function headersOf(token: string | undefined, body: string | undefined): Record<string, string> {
  return {
    accept: 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
  };
}

/** An answer of another shape is no answer: of a request that changes something, nobody knows what became. */
function checked<Shape extends z.ZodType>(answer: GraphAnswer, shape: Shape, isWrite: boolean): z.infer<Shape> {
  const parsed = shape.safeParse(answer.body);
  if (!parsed.success) throw new MetaFailure('unavailable', { mayHaveHappened: isWrite });
  return parsed.data;
}

/** Joins ids and edges to a path; an id that is none (`../`, `me?x=`) must not reach another edge. */
export function graphPath(...parts: string[]): string {
  if (!parts.every((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part))) throw new MetaFailure('refused');
  return parts.join('/');
}
