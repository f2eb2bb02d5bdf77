import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import {
  ForgetsMetaUser,
  HearsOfDeauthorization,
  MetaDataHolders,
  NeedsMetaConsent,
} from '../../../integrations/meta/meta-data-holders.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountLapses, pausePosts, withdrawJob } from './account-lapses.js';
import { askedScopes } from './consent-scopes.js';

const Withdrawal = z.object({ facebookUserId: z.string().min(1) });

/** What Meta answers when there is nothing left to take back: the person has removed the app, or is no more. */
const nothingLeft = ['not-found', 'refused', 'permission-missing', 'token-invalid', 'not-configured'];

/** The people at Meta on whose consent accounts hang: when they go, and when we need them no more. */
@Injectable()
export class ConsentGivers {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly login: MetaLogin,
    private readonly lapses: AccountLapses,
    private readonly holders: MetaDataHolders,
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

  @NeedsMetaConsent()
  async needsConsent(facebookUserId: string): Promise<boolean> {
    const needed = await this.transactions.runAs({ service: 'connect Meta' }, () =>
      this.database.first<{ isNeeded: boolean }>(readNeed, [facebookUserId]),
    );
    return needed?.isNeeded === true;
  }

  /**
   * Takes back at Meta what was allowed for accounts, in the app's own name: no token of the person is left. What the
   * log-in needs stays. Not while anything else, here, in another organisation or in another module, hangs on the same
   * consent.
   */
  @JobHandler(withdrawJob, { payload: Withdrawal })
  async withdraw({ facebookUserId }: z.infer<typeof Withdrawal>): Promise<void> {
    if (await this.holders.isNeeded(facebookUserId)) return;
    for (const scope of askedScopes.instagram) await this.withdrawScope(facebookUserId, scope);
  }

  private async withdrawScope(facebookUserId: string, scope: string): Promise<void> {
    try {
      await this.login.withdraw(facebookUserId, scope);
    } catch (error) {
      if (!(error instanceof MetaFailure) || !nothingLeft.includes(error.kind)) throw error;
    }
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
