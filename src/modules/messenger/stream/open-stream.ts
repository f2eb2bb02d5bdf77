import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** Why a stream was ended from here. `replaced`: its client has opened others, and should not come back with this one. */
export type StreamEnd = 'replaced' | 'stopping';

/** One client that listens: when it is to look, and when it is over. */
export class OpenStream {
  private isWoken = false;
  private alarm = new AbortController();
  private readonly over = new AbortController();
  private cause: StreamEnd | undefined;
  private readable: Readable | undefined;

  constructor(
    readonly userId: string,
    private readonly onLeft: () => void,
  ) {}

  bind(readable: Readable): void {
    this.readable = readable;
  }

  /** There may be something. While it is busy, it remembers. */
  wake(): void {
    this.isWoken = true;
    this.alarm.abort();
  }

  /** What it says last is still sent. */
  end(cause: StreamEnd): void {
    this.cause ??= cause;
    this.over.abort();
  }

  /** Nobody reads it any more. */
  leave(): void {
    this.over.abort();
    this.onLeft();
  }

  /** For a client that takes nothing any more. */
  drop(): void {
    this.readable?.destroy();
  }

  get isOver(): boolean {
    return this.over.signal.aborted;
  }

  get endedBy(): StreamEnd | undefined {
    return this.cause;
  }

  /** Until it is woken, or has been silent for so long, or is over. @returns whether it was woken */
  async nap(milliseconds: number): Promise<boolean> {
    if (!this.isWoken && !this.isOver) {
      this.alarm = new AbortController();
      await this.pause(milliseconds, this.alarm.signal);
    }
    const wasWoken = this.isWoken;
    this.isWoken = false;
    return wasWoken;
  }

  /** So long, unless it is over before. */
  async pause(milliseconds: number, ...signals: AbortSignal[]): Promise<void> {
    const signal = AbortSignal.any([this.over.signal, ...signals]);
    await delay(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}
