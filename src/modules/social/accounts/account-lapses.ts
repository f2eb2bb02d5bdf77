import { Injectable } from '@nestjs/common';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

/** Asks Meta what the token of one account may do; its handler is in `accounts.jobs`. */
export const checkJob = 'social.check-account';
/** Tells one person that an account has to be connected again; its handler is in `account-mails`. */
export const lapseMailJob = 'social.mail-lapse';

/** Takes a consent back at Meta that nothing hangs on any more; its handler is in `consent-givers`. */
export const withdrawJob = 'social.withdraw-consent';

/** What people read beside an account that is not active. */
const expiredMessage = 'Meta does not take the access any more: it was withdrawn or has expired. Connect it again.';
const renewalMessage = 'The access could not be renewed three times. Refresh it, or connect the account again.';

/** Ends accounts whose access has ended: their queued posts wait, and the owners of the organisation get a mail. */
@Injectable()
export class AccountLapses {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  /**
   * Once: of several workers that meet the dead token one ends the account.
   *
   * @param sealed the token that Meta refused, as it rests; a consent that came meanwhile is left alone
   */
  async expire(accountId: string, sealed: string | null = null): Promise<void> {
    await this.transactions.runAs({ service: 'change social accounts' }, () =>
      this.end(endExpired, [accountId, sealed, expiredMessage]),
    );
  }

  /** The person who consented removed our app at Meta: all that hung on it by then has ended. */
  async expireOf(facebookUserId: string, removedAt: Date): Promise<void> {
    await this.transactions.runAs({ service: 'change social accounts' }, () =>
      this.end(endOfPerson, [facebookUserId, expiredMessage, removedAt]),
    );
  }

  /** A renewal failed. The third in a row ends the account until somebody looks after it. */
  async noteFailedRenewal(accountId: string): Promise<void> {
    await this.transactions.runAs({ service: 'change social accounts' }, async () => {
      await this.database.query(countFailure, [accountId]);
      await this.end(endFailing, [accountId, renewalMessage]);
    });
  }

  /** Meta says that a permission is missing: what is left of them is asked soon, and capabilities follow. */
  async doubt(accountId: string): Promise<void> {
    await this.transactions.runAs({ service: 'check social accounts' }, async () => {
      await this.database.query(markDoubtful, [accountId]);
      await this.jobs.enqueue(checkJob, { accountId }, { key: `${checkJob}:${accountId}` });
    });
  }

  /** In the transaction that ended them, so that nobody is told of what did not happen, or not told of what did. */
  private async end(statement: string, values: readonly unknown[]): Promise<void> {
    const ended = await this.database.query<{ id: string }>(statement, values);
    if (ended.length === 0) return;
    const ids = ended.map(({ id }) => id);
    await this.database.query(pausePosts, [ids]);
    const owners = await this.database.query<{ accountId: string; userId: string }>(findOwners, [ids]);
    for (const owner of owners) await this.jobs.enqueue(lapseMailJob, owner);
  }
}

/** Queued posts wait for a consent; no worker looks at them until then. `$1` are accounts. */
export const pausePosts = `
  UPDATE public.social_media_posts SET waiting_reason = 'account-expired', next_attempt_at = NULL
   WHERE social_account_id = ANY ($1::uuid[]) AND status = 'queued'`;

const ending = (status: string, message: string): string => `
  UPDATE public.social_media_accounts
     SET status = '${status}', error_message = ${message}, health = 'error', health_checked_at = now()`;

const endExpired = `${ending('expired', '$3')}
   WHERE id = $1 AND status IN ('active', 'error') AND ($2::text IS NULL OR access_token_sealed = $2)
  RETURNING id`;

const endOfPerson = `${ending('expired', '$2')}
   WHERE facebook_user_id = $1 AND status IN ('active', 'error')
     AND date_trunc('milliseconds', connected_at) <= $3::timestamptz
  RETURNING id`;

const countFailure = `
  UPDATE public.social_media_accounts
     SET connection_error_count = connection_error_count + 1, health = 'warning', health_checked_at = now()
   WHERE id = $1 AND status IN ('active', 'error')`;

const endFailing = `${ending('error', '$2')}
   WHERE id = $1 AND status = 'active' AND connection_error_count >= 3
  RETURNING id`;

const markDoubtful = `
  UPDATE public.social_media_accounts SET health = 'warning', health_checked_at = NULL WHERE id = $1 AND status = 'active'`;

const findOwners = `
  SELECT a.id AS account_id, m.user_id
    FROM public.social_media_accounts a
    JOIN public.organisation_members m ON m.organisation_id = a.organisation_id AND m.role = 'owner'
   WHERE a.id = ANY ($1::uuid[])`;
