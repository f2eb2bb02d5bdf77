import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../../kernel/config/config.js';

/** How many streams may look at once: what wakes hundreds of them must leave connections to the requests. */
@Injectable()
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private free: number;

  constructor(@Inject(CONFIG) config: Config) {
    this.free = Math.max(1, Math.floor(config.database.poolSize / 3));
  }

  /** Whoever came first is first. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
