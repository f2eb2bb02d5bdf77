import { Injectable } from '@nestjs/common';
import { Jobs } from '../../../kernel/jobs/jobs.js';

export const resolveJob = 'messenger.resolve-events';

/** What was delivered for pages that nobody had connected. */
@Injectable()
export class UnresolvedEvents {
  constructor(private readonly jobs: Jobs) {}

  /**
   * Within the transaction that connects: what waits for these pages is processed once it is committed.
   *
   * @param pageIds as entries may name them: of an Instagram account its own id and that of its page
   */
  async pageConnected(pageIds: readonly string[]): Promise<void> {
    await this.jobs.enqueue(resolveJob, { pageIds });
  }
}
