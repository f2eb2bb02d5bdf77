import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import type { ManagedPage } from '../../../integrations/meta/meta-pages.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { PageAlreadyLinked } from '../messenger.errors.js';
import { ConnectionRecords } from './connection-records.js';
import { Leaving } from './leaving.js';
import { PageSubscriptions } from './page-subscriptions.js';
import type { Purpose } from './purposes.js';

/** What somebody chose, or had no choice about. */
export interface Choice {
  purpose: Purpose;
  userId: string;
  clinicId: string | null;
  /** Who consented. */
  facebookUserId: string;
  page: ManagedPage;
}

/** Runs work in a transaction of the person who connects: in their request's context, or on their behalf. */
export type AsOwner = <T>(work: () => Promise<T>) => Promise<T>;

/** Later than that a call is not carried out any more. */
const longestCallMs = 60_000;

/**
 * Connects a chosen page or account. Meta is asked first, while no connection is held; what comes of it is then written in
 * one transaction, or not at all.
 */
@Injectable()
export class ConnectionMaker {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly login: MetaLogin,
    private readonly subscriptions: PageSubscriptions,
    private readonly records: ConnectionRecords,
    private readonly leaving: Leaving,
  ) {}

  /**
   * @param first what belongs into the same transaction, before the rest
   * @throws PageAlreadyLinked before anything is moved, here or at Meta
   * @throws SubscriptionFailed, MetaFailure before anything is written
   */
  async connect(choice: Choice, asOwner: AsOwner, first: () => Promise<void> = async () => {}): Promise<void> {
    await this.demandFree(choice);
    const { isValid, expiresAt, scopes } = await this.login.inspect(choice.page.accessToken);
    if (!isValid) throw new MetaFailure('token-invalid');
    try {
      await this.subscribe(choice, scopes);
      await asOwner(async () => {
        await first();
        await this.save(choice, expiresAt);
      });
    } catch (error) {
      await this.unsubscribeLater(choice, error);
      throw error;
    }
  }

  /** The database decides in the end; asked here, too, so that the page of somebody else is left alone at Meta. */
  private async demandFree({ userId, page, ...choice }: Choice): Promise<void> {
    const taken = await this.asService(() =>
      this.database.first<{ isTaken: boolean }>(readTaken, [
        userId,
        page.id,
        accountOf({ page, ...choice })?.id ?? null,
      ]),
    );
    if (taken?.isTaken) throw new PageAlreadyLinked();
  }

  private async subscribe(choice: Choice, scopes: readonly string[]): Promise<void> {
    const { accessToken, id } = choice.page;
    const account = accountOf(choice);
    if (account) await this.subscriptions.ofAccount(accessToken, id, account.id, scopes);
    else await this.subscriptions.ofPage(accessToken, id);
  }

  private async save(choice: Choice, tokenExpiresAt: Date | null): Promise<void> {
    const account = accountOf(choice);
    const access = { ...choice, tokenExpiresAt };
    if (account) await this.records.keepAccount(access, account);
    else await this.records.keepPage(access);
  }

  /**
   * Unless it is somebody's by now, whom the job leaves alone. What Meta did not answer in time it may still carry out:
   * only after that there is something to take back.
   */
  private async unsubscribeLater(choice: Choice, error: unknown): Promise<void> {
    const left = { pageId: choice.page.id, accountId: accountOf(choice)?.id ?? null };
    const nobody = { facebookUserId: null, ownerId: null };
    const mayComeYet = error instanceof MetaFailure && error.mayHaveHappened;
    const runAt = mayComeYet ? new Date(Date.now() + longestCallMs) : undefined;
    await this.asService(() => this.leaving.later({ ...left, ...nobody }, runAt));
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'connect Messenger' }, work);
  }
}

function accountOf({ purpose, page }: Pick<Choice, 'purpose' | 'page'>): ManagedPage['instagram'] {
  return purpose === 'instagram' ? page.instagram : null;
}

const readTaken = `
  SELECT EXISTS (SELECT FROM public.messenger_connections
                  WHERE page_id = $2 AND is_active AND owner_id <> $1)
      OR EXISTS (SELECT FROM public.doctor_instagram
                  WHERE doctor_id <> $1 AND (facebook_page_id = $2 OR instagram_page_id = $3)) AS is_taken`;
