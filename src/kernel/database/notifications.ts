import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Client, escapeIdentifier } from 'pg';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../config/config.js';
import { LOGGER } from '../observability/logger.js';
import { answeredWithin } from './connection.js';

const firstPauseMs = 250;
const longestPauseMs = 15_000;
/** How often an open connection is asked whether it still is one, and how long it may take to say so. */
const probeMs = 15_000;
const silenceMs = 5_000;

/** Hears what was notified; null after a time in which nothing could be heard, so that anything may have happened. */
type Hearer = (payload: string | null) => void;

/**
 * LISTEN on one connection of this process, however many listen, opened by the first of them and opened again whenever
 * it is lost. What is notified meanwhile is lost: whoever listens looks for itself when it hears null, and now and then.
 *
 * It goes where the worker's connections go, past PgBouncer, which hands notifications to nobody. It starts and serves
 * without it: what is not heard comes late, and nothing fails.
 */
@Injectable()
export class Notifications implements BeforeApplicationShutdown {
  private readonly hearers = new Map<string, Hearer[]>();
  private readonly stopping = new AbortController();
  private client: Client | undefined;
  private keeping: Promise<void> | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** For as long as the process runs. Every channel is named before the connection is first opened, or at the next one. */
  listen(channel: string, hear: Hearer): void {
    this.hearers.set(channel, [...(this.hearers.get(channel) ?? []), hear]);
    this.keeping ??= this.keep();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.client?.end().catch(() => undefined);
    await this.keeping;
  }

  private async keep(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.stopping.signal.aborted) {
      try {
        await this.hold(() => {
          pauseMs = firstPauseMs;
        });
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (!this.stopping.signal.aborted) this.logger.warn({ code }, 'notifications are not heard');
      }
      // Processes that lost the same server do not come back all at once.
      await delay(pauseMs * (0.5 + Math.random()), undefined, { signal: this.stopping.signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  /** One connection, for as long as it lasts. */
  private async hold(onHeard: () => void): Promise<void> {
    const client = this.connection();
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    this.client = client;
    try {
      await client.connect();
      for (const channel of this.hearers.keys()) await client.query(`LISTEN ${escapeIdentifier(channel)}`);
      onHeard();
      for (const channel of this.hearers.keys()) this.tell(channel, null);
      await this.watch(client, ended);
    } finally {
      this.client = undefined;
      await client.end().catch(() => undefined);
    }
  }

  private connection(): Client {
    const client = new Client({
      connectionString: this.config.database.workerUrl,
      application_name: 'polyclinic notifications',
      connectionTimeoutMillis: silenceMs,
      keepAlive: true,
    });
    client.on('notification', ({ channel, payload = '' }) => this.tell(channel, payload));
    // It ends as well, which is what is waited for.
    client.on('error', () => undefined);
    return client;
  }

  /** A host that has vanished says nothing, and neither does a connection on which nothing is notified. */
  private async watch(client: Client, ended: Promise<void>): Promise<void> {
    for (;;) {
      const next = new AbortController();
      const probe = delay(probeMs, true, { signal: next.signal }).catch(() => false);
      const isDue = await Promise.race([probe, ended.then(() => false)]);
      next.abort();
      if (!isDue) return;
      await answeredWithin(client, silenceMs, client.query('SELECT'));
    }
  }

  private tell(channel: string, payload: string | null): void {
    for (const hear of this.hearers.get(channel) ?? []) hear(payload);
  }
}
