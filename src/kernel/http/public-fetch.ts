import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { Agent, Dispatcher } from 'undici';
import type { Config } from '../config/config.js';
import { isPublicAddress } from './public-address.js';

/** `refused`: an address that is not asked at all; `private-address`: one that leads into a network of ours. */
export type PublicFetchFailureKind = 'refused' | 'private-address' | 'too-many-redirects' | 'too-slow' | 'unreachable';

export class PublicFetchFailure extends Error {
  override readonly name = 'PublicFetchFailure';

  constructor(
    readonly kind: PublicFetchFailureKind,
    options?: { cause: unknown },
  ) {
    super(`An address that was given to us: ${kind}`, options);
  }
}

export interface PublicAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** As far as it was read; empty for HEAD. */
  body: Buffer;
}

interface Asked {
  method: 'GET' | 'HEAD';
  headers?: Record<string, string>;
  /** The rest of a longer body is left unread. */
  mostBytes: number;
  /** Ends all of it, however little each step takes. */
  within?: AbortSignal | undefined;
}

/** Where it may go. */
export interface AddressRules {
  protocols: readonly string[];
  allows(address: string): boolean;
}

/** https to the public internet; where the installation allows private media, anything. */
export function addressRules({ meta }: Config): AddressRules {
  return meta.allowsPrivateMedia
    ? { protocols: ['https:', 'http:'], allows: () => true }
    : { protocols: ['https:'], allows: isPublicAddress };
}

const timeoutMs = 5_000;
const mostRedirects = 3;

/**
 * Asks addresses that people gave us, without lending them our place in the network.
 *
 * The address that was checked is the one that is connected to: names are resolved by the connection itself, and a name
 * of which any address is not public is refused, so that one that answers differently the second time gains nothing.
 * Each redirect is checked as the first address was.
 */
export class PublicFetch implements OnApplicationShutdown {
  private loading: Promise<{ request: typeof import('undici').request; agent: Agent }> | undefined;

  constructor(private readonly rules: AddressRules) {}

  /** @throws PublicFetchFailure */
  async ask(address: string, asked: Asked): Promise<PublicAnswer> {
    let url = this.checked(address);
    for (let hop = 0; hop <= mostRedirects; hop += 1) {
      const answer = await this.once(url, asked);
      const { location } = answer.headers;
      if (answer.status < 300 || answer.status > 399 || typeof location !== 'string') return answer;
      url = this.checked(location, url);
    }
    throw new PublicFetchFailure('too-many-redirects');
  }

  async onApplicationShutdown(): Promise<void> {
    await (await this.loading)?.agent.destroy();
  }

  private checked(address: string, base?: URL): URL {
    const url = URL.parse(address, base);
    if (!url || !this.rules.protocols.includes(url.protocol) || url.username || url.password)
      throw new PublicFetchFailure('refused');
    return url;
  }

  private async once(url: URL, { method, headers = {}, mostBytes, within }: Asked): Promise<PublicAnswer> {
    const { request, agent } = await this.loaded();
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(within ? [within] : [])]);
    try {
      const answer = await request(url, {
        ...{ method, signal, dispatcher: agent },
        headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'polyclinic', ...headers },
      });
      const body = await firstBytes(answer.body, method === 'HEAD' ? 0 : mostBytes);
      return { status: answer.statusCode, headers: answer.headers, body };
    } catch (error) {
      if (error instanceof PublicFetchFailure) throw error;
      throw new PublicFetchFailure(signal.aborted ? 'too-slow' : 'unreachable', { cause: error });
    }
  }

  /** undici is loaded by the first who asks: most processes never do. */
  private loaded() {
    this.loading ??= import('undici').then(({ Agent, buildConnector, request }) => {
      const connector = buildConnector({ lookup: this.lookup, timeout: timeoutMs });
      const connect: typeof connector = (options, callback) => {
        // An address that is a number is connected to without being looked up.
        const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
        if (isIP(host) && !this.rules.allows(host)) callback(new PublicFetchFailure('private-address'), null);
        else connector(options, callback);
      };
      return { request, agent: new Agent({ connect, keepAliveTimeout: 1_000, connections: 4 }) };
    });
    return this.loading;
  }

  private readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      if (found.length === 0 || !found.every(({ address }) => this.rules.allows(address)))
        return callback(new PublicFetchFailure('private-address'), []);
      const [first] = found;
      return options.all ? callback(null, found) : callback(null, first?.address ?? '', first?.family);
    });
  };
}

/** The rest is never fetched: the connection is closed instead. */
async function firstBytes(body: Dispatcher.ResponseData['body'], most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  if (most > 0) {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size >= most) break;
    }
  }
  body.on('error', () => undefined).destroy();
  return Buffer.concat(chunks).subarray(0, most);
}
