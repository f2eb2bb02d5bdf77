import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Notifications } from '../../../kernel/database/notifications.js';
import { OpenStream } from './open-stream.js';

/** What the triggers of conversations and messages notify: the id of somebody who may see what has changed. */
const channel = 'messenger';

/** Of one person, in one process: a browser, a telephone, and one that was forgotten. */
const mostOfOneUser = 3;

/** The streams that are open in this process. None holds a connection to the database while it waits. */
@Injectable()
export class OpenStreams implements OnModuleDestroy {
  private readonly streams = new Map<string, OpenStream[]>();
  private isListening = false;
  private isStopping = false;

  constructor(private readonly notifications: Notifications) {}

  /** The oldest of somebody who has too many is ended. */
  open(userId: string): OpenStream {
    this.listen();
    const stream: OpenStream = new OpenStream(userId, () => this.forget(stream));
    const own = [...(this.streams.get(userId) ?? []), stream];
    for (const oldest of own.splice(0, own.length - mostOfOneUser)) oldest.end('replaced');
    this.streams.set(userId, own);
    if (this.isStopping) stream.end('stopping');
    return stream;
  }

  get count(): number {
    return this.all().length;
  }

  /** Before the server drains, which would wait for them. */
  onModuleDestroy(): void {
    this.isStopping = true;
    for (const stream of this.all()) stream.end('stopping');
  }

  /** Not before somebody listens: a worker has no streams. */
  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    this.notifications.listen(channel, (userId) => {
      for (const stream of userId === null ? this.all() : (this.streams.get(userId) ?? [])) stream.wake();
    });
  }

  private forget(stream: OpenStream): void {
    const others = (this.streams.get(stream.userId) ?? []).filter((other) => other !== stream);
    if (others.length === 0) this.streams.delete(stream.userId);
    else this.streams.set(stream.userId, others);
  }

  private all(): OpenStream[] {
    return [...this.streams.values()].flat();
  }
}
