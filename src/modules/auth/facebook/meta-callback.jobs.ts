import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ForgetsMetaUser, MetaDataHolders } from '../../../integrations/meta/meta-data-holders.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

const Callback = z.object({ callbackId: z.uuid() });
type Callback = z.infer<typeof Callback>;

interface OpenCallback {
  facebookUserId: string;
  receivedAt: Date;
}

/** Does what Meta called us about, in every module that holds something of the person; done again it finds nothing left. */
@Injectable()
export class MetaCallbackJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly holders: MetaDataHolders,
  ) {}

  @JobHandler('auth.forget-meta-user', { payload: Callback, maxAttempts: 12 })
  forget(callback: Callback): Promise<void> {
    return this.answer(callback, ({ facebookUserId }) => this.holders.forget(facebookUserId));
  }

  @JobHandler('auth.hear-deauthorization', { payload: Callback, maxAttempts: 12 })
  hear(callback: Callback): Promise<void> {
    return this.answer(callback, (open) => this.holders.deauthorized(open.facebookUserId, open.receivedAt));
  }

  /** This module's own part. The log-in stays when a person only takes our app away: consenting again, they are who they were. */
  @ForgetsMetaUser()
  async forgetIdentity(facebookUserId: string): Promise<void> {
    await this.asService(() => this.database.query('SELECT auth.forget_facebook_user($1)', [facebookUserId]));
  }

  private async answer({ callbackId }: Callback, work: (open: OpenCallback) => Promise<void>): Promise<void> {
    const open = await this.asService(() => this.database.first<OpenCallback>(openCallback, [callbackId]));
    if (!open) return;
    await work(open);
    await this.asService(() => this.database.query(finishCallback, [callbackId]));
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'answer Meta' }, work);
  }
}

const openCallback =
  'SELECT facebook_user_id, received_at FROM auth.meta_callbacks WHERE id = $1 AND finished_at IS NULL';

/** Who it was about is forgotten with the rest. */
const finishCallback = `
  UPDATE auth.meta_callbacks SET finished_at = now(), facebook_user_id = NULL WHERE id = $1 AND finished_at IS NULL`;
