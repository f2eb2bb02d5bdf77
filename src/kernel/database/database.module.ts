import { setTimeout as delay } from 'node:timers/promises';
import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../config/config.js';
import { DATA_SOURCE, openDataSource, poolOf } from './data-source.js';
import { Notifications } from './notifications.js';
import { POOL } from './pool.js';

const destroyMs = 2_000;

/** The one pool of the process. What modules use is `Database`; only the kernel sees the pool itself. */
@Global()
@Module({
  providers: [
    { provide: DATA_SOURCE, inject: [CONFIG], useFactory: (config: Config) => openDataSource(config) },
    { provide: POOL, inject: [DATA_SOURCE], useFactory: (dataSource: DataSource): Pool => poolOf(dataSource) },
    Notifications,
  ],
  exports: [Notifications, POOL],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  async onApplicationShutdown(): Promise<void> {
    // A job that was given up may hold a connection still: the process must end all the same.
    await Promise.race([this.dataSource.destroy(), delay(destroyMs, undefined, { ref: false })]);
  }
}
