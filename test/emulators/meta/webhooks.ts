import { createHash, randomInt } from 'node:crypto';
import { post, type Style, signed, styled } from './callbacks.ts';
import type { Tokens } from './tokens.ts';
import type { WebhookEvent } from './webhook-events.ts';

/**
 * What Meta tells the app of, on its way: verified callbacks, deliveries that are signed over their bytes and repeated
 * until they are answered with 200, several events in one of them, some of them twice and in any order.
 * Sources: https://developers.facebook.com/docs/graph-api/webhooks/getting-started (verification, signature, repetition,
 * up to 1,000 updates in one delivery).
 */

export interface Settings {
  /** Whether what the app sends comes back. */
  echoes: boolean;
  /** Whether it is told at once that what it sent has arrived (Messenger alone), and that it was read. */
  delivered: boolean;
  read: boolean;
  /** Most events in one delivery; those of a page and those of Instagram never share one. */
  batch: number;
  /** How likely an event is told twice. */
  duplicate: number;
  shuffle: boolean;
  /** How long events are gathered before they go. */
  delayMs: number;
  style: Style;
  /** How many deliveries are under way at once. */
  parallel: number;
  /** Before the second try; doubled with each further one, up to five seconds. */
  retryMs: number;
  tries: number;
  /** What chance begins with: the same again comes out the same. */
  seed: number;
}

export interface Delivery {
  at: string;
  url: string;
  /** 0: no answer. */
  status: number;
  bytes: number;
  sha256: string;
  events: number;
  attempt: number;
}

interface Packet {
  url: string;
  body: Buffer;
  events: number;
  attempt: number;
}

const gatheredMs = 50;
const longestPauseMs = 5_000;

export class Webhooks {
  readonly callbacks = new Set<string>();
  readonly deliveries: Delivery[] = [];
  readonly settings: Settings = {
    ...{ echoes: true, delivered: false, read: false, batch: 1, duplicate: 0, shuffle: false, delayMs: 0 },
    ...{ style: 'escaped', parallel: 8, retryMs: 100, tries: 12, seed: 1 },
  };
  private waiting: WebhookEvent[] = [];
  private readonly queue: Packet[] = [];
  private underWay = 0;
  private pauses = 0;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  private chance = 0;
  private readonly tokens: Tokens;

  constructor(tokens: Tokens) {
    this.tokens = tokens;
  }

  set(settings: Partial<Settings>): void {
    Object.assign(this.settings, settings);
    if (settings.seed !== undefined) this.chance = 0;
  }

  /** Asks the address whether it is the app's: it is when it gives the challenge back. */
  async verify(url: string, verifyToken: string): Promise<{ verified: boolean; status: number; body: string }> {
    const asked = new URL(url);
    const challenge = String(randomInt(1_000_000_000, 9_999_999_999));
    for (const [name, value] of Object.entries({ mode: 'subscribe', challenge, verify_token: verifyToken }))
      asked.searchParams.set(`hub.${name}`, value);
    const response = await fetch(asked);
    const body = await response.text();
    const verified = response.status === 200 && body === challenge;
    if (verified) this.callbacks.add(url);
    return { verified, status: response.status, body };
  }

  announce(event: WebhookEvent): void {
    if (this.callbacks.size === 0 || this.isStopped) return;
    this.waiting.push(event);
    const { batch, shuffle, delayMs } = this.settings;
    if (!shuffle && delayMs === 0 && this.waiting.length >= batch) this.pack();
    else this.timer ??= setTimeout(() => this.pack(), delayMs || gatheredMs);
  }

  /** What is not answered with 200 yet. */
  get pending(): number {
    return this.waiting.length + this.queue.length + this.underWay + this.pauses;
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.waiting = [];
    this.queue.splice(0);
  }

  private pack(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { duplicate, shuffle, batch, style } = this.settings;
    const events = this.waiting.flatMap((event) => (this.random() < duplicate ? [event, event] : [event]));
    this.waiting = [];
    if (shuffle) this.shuffle(events);
    for (const object of ['page', 'instagram'] as const) {
      const own = events.filter((event) => event.object === object);
      for (let start = 0; start < own.length; start += batch) {
        const entry = own.slice(start, start + batch).map((event) => event.entry);
        const body = styled({ object, entry }, style);
        for (const url of this.callbacks) this.queue.push({ url, body, events: entry.length, attempt: 1 });
      }
    }
    this.work();
  }

  private work(): void {
    while (this.underWay < this.settings.parallel) {
      const packet = this.queue.shift();
      if (!packet) return;
      this.underWay += 1;
      void this.deliver(packet).finally(() => {
        this.underWay -= 1;
        this.work();
      });
    }
  }

  private async deliver(packet: Packet): Promise<void> {
    const { url, body, events, attempt } = packet;
    const { status } = await post(url, body, signed(body, this.tokens.app.secret)).catch(() => ({ status: 0 }));
    const sha256 = createHash('sha256').update(body).digest('hex');
    const at = new Date().toISOString();
    this.deliveries.push({ at, url, status, bytes: body.length, sha256, events, attempt });
    if (status === 200 || attempt >= this.settings.tries || this.isStopped) return;
    const pause = Math.min(this.settings.retryMs * 2 ** (attempt - 1), longestPauseMs);
    this.pauses += 1;
    setTimeout(() => {
      this.pauses -= 1;
      if (this.isStopped) return;
      this.queue.push({ ...packet, attempt: attempt + 1 });
      this.work();
    }, pause).unref();
  }

  private shuffle(events: WebhookEvent[]): void {
    for (let last = events.length - 1; last > 0; last -= 1) {
      const other = Math.floor(this.random() * (last + 1));
      const [one, two] = [events[last], events[other]];
      if (one && two) [events[last], events[other]] = [two, one];
    }
  }

  /** Chance that can be repeated: each number is the hash of the one before. */
  private random(): number {
    this.chance += 1;
    const digest = createHash('sha256').update(`${this.settings.seed}:${this.chance}`).digest();
    return digest.readUInt32BE() / 2 ** 32;
  }
}
