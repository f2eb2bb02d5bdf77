import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { MetaConsents } from '../../../integrations/meta/meta-consents.js';
import {
  ForgetsMetaUser,
  HearsOfDeauthorization,
  NeedsMetaConsent,
} from '../../../integrations/meta/meta-data-holders.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountLapses, pausePosts, withdrawJob } from './account-lapses.js';
import { askedScopes } from './consent-scopes.js';

const Withdrawal = z.object({ facebookUserId: z.string().min(1) });

/** The people at Meta on whose consent accounts hang: when they go, and when we need them no more. */
@Injectable()
export class ConsentGivers {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly lapses: AccountLapses,
    private readonly consents: MetaConsents,
  ) {}

  /** The account stays for its posts, without anything that came from Meta but the ids under which these stand there. */
  @ForgetsMetaUser()
  async forget(facebookUserId: string): Promise<void> {
    await this.transactions.runAs({ service: 'forget Meta users' }, async () => {
      const accounts = await this.database.query<{ id: string }>(forgetAccounts, [facebookUserId]);
      await this.database.query(pausePosts, [accounts.map(({ id }) => id)]);
      await this.database.query(forgetPending, [facebookUserId]);
    });
  }

  @HearsOfDeauthorization()
  async hear(facebookUserId: string, heardAt: Date): Promise<void> {
    await this.lapses.expireOf(facebookUserId, heardAt);
    await this.transactions.runAs({ service: 'forget Meta users' }, () =>
      this.database.query(forgetPending, [facebookUserId]),
    );
  }

  @NeedsMetaConsent(askedScopes.instagram)
  async needsConsent(facebookUserId: string): Promise<boolean> {
    const needed = await this.transactions.runAs({ service: 'connect Meta' }, () =>
      this.database.first<{ isNeeded: boolean }>(readNeed, [facebookUserId]),
    );
    return needed?.isNeeded === true;
  }

  /** Not while anything else, here, in another organisation or in another module, hangs on the same consent. */
  @JobHandler(withdrawJob, { payload: Withdrawal })
  withdraw({ facebookUserId }: z.infer<typeof Withdrawal>): Promise<void> {
    return this.consents.withdraw(facebookUserId);
  }
}

const forgetAccounts = `
  UPDATE public.social_media_accounts
     SET status = 'disconnected', facebook_user_id = NULL, username = 'deleted', profile_picture_url = NULL,
         page_name = NULL, scopes = '{}', data_access_expires_at = NULL, health = 'unknown',
         error_message = 'Removed because the person who connected it asked Meta to delete their data.'
   WHERE facebook_user_id = $1
  RETURNING id`;

const forgetPending = 'DELETE FROM public.social_pending_connections WHERE facebook_user_id = $1';

const readNeed = `
  SELECT EXISTS (SELECT FROM public.social_media_accounts WHERE facebook_user_id = $1 AND status <> 'disconnected')
      OR EXISTS (SELECT FROM public.social_pending_connections WHERE facebook_user_id = $1 AND expires_at > now())
      AS is_needed`;
