import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Jobs } from '../../../kernel/jobs/jobs.js';

/** Tells Meta that a page is left; its handler is in `leaving.jobs`. */
export const leaveJob = 'messenger.leave-page';

/** What nothing is connected to any more: the page, the account behind it, and the consent of the person at Meta. */
export const Left = z.object({
  pageId: z.string().min(1),
  accountId: z.string().min(1).nullable(),
  facebookUserId: z.string().min(1).nullable(),
  /** Who let go of it, and may be on the way to connect it again. */
  ownerId: z.uuid().nullable(),
});
export type Left = z.infer<typeof Left>;

/** A token is forgotten at once; that Meta hears of it may take until it answers again. */
@Injectable()
export class Leaving {
  constructor(private readonly jobs: Jobs) {}

  /** Within the transaction that lets go of it. */
  async later({ pageId, accountId, facebookUserId, ownerId }: Left, runAt?: Date): Promise<void> {
    const key = [leaveJob, pageId, accountId ?? '', facebookUserId ?? ''].join(':');
    const left = { pageId, accountId, facebookUserId, ownerId };
    await this.jobs.enqueue(leaveJob, left, { key, ...(runAt && { runAt }) });
  }

  /** Within the transaction that connects it: Meta may just be hearing that it was let go of, by whomever. */
  async lookAgain({ pageId, accountId }: Pick<Left, 'pageId' | 'accountId'>): Promise<void> {
    const key = [leaveJob, 'connected', pageId, accountId ?? ''].join(':');
    await this.jobs.enqueue(leaveJob, { pageId, accountId, facebookUserId: null, ownerId: null }, { key });
  }
}
