import { Injectable } from '@nestjs/common';
import { MetaInstagram } from '../../../integrations/meta/meta-instagram.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import type { ManagedPage } from '../../../integrations/meta/meta-pages.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountRecords, type GivenAccess } from './account-records.js';
import type { Platform } from './consent-scopes.js';

/** What somebody chose, with the long-lived token that reaches it. */
export interface Choice {
  organisationId: string;
  userId: string;
  platform: Platform;
  facebookUserId: string;
  personToken: string;
  pages: readonly ManagedPage[];
}

interface Prepared extends GivenAccess {
  platformAccountId: string;
}

/**
 * Makes accounts of chosen pages. Meta is asked first; the rows are then made as the caller, whose right is thereby
 * checked, and the tokens come into them as the service. A row that is there already becomes active again.
 */
@Injectable()
export class AccountMaker {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly login: MetaLogin,
    private readonly instagram: MetaInstagram,
    private readonly records: AccountRecords,
  ) {}

  /** @throws MetaFailure before anything was written */
  async connect(choice: Choice): Promise<string[]> {
    const asked = await Promise.all(choice.pages.map((page) => this.prepare(choice, page)));
    // In one order, so that two who connect the same accounts at once do not wait for each other.
    const prepared = asked.toSorted((a, b) => (a.platformAccountId < b.platformAccountId ? -1 : 1));
    const ids = await this.database.separately(() => this.makeRows(choice, prepared));
    await this.transactions.runAs({ service: 'connect Meta' }, async () => {
      for (const [index, access] of prepared.entries()) await this.records.activate(ids[index] ?? '', access);
    });
    return ids;
  }

  private async prepare({ platform, facebookUserId, personToken }: Choice, page: ManagedPage): Promise<Prepared> {
    const inspection = await this.login.inspect(page.accessToken);
    const access = { platform, page, facebookUserId, personToken, inspection };
    if (platform === 'facebook' || !page.instagram) {
      const { id, name, pictureUrl } = page;
      return { ...access, platformAccountId: id, accountType: 'page', username: name, pictureUrl };
    }
    const account = await this.instagram.account(page.accessToken, page.instagram.id);
    return {
      ...access,
      platformAccountId: account.id,
      accountType: account.accountType?.includes('CREATOR') ? 'creator' : 'business',
      username: account.username,
      pictureUrl: account.profilePictureUrl,
    };
  }

  private async makeRows({ organisationId, userId }: Choice, prepared: readonly Prepared[]): Promise<string[]> {
    const ids: string[] = [];
    for (const { platform, platformAccountId, accountType, username, page } of prepared) {
      const values = [organisationId, platform, platformAccountId, accountType, username, page.id, page.name, userId];
      const row = await this.database.first<{ id: string }>(makeAccount, values);
      if (!row) throw new NotFound();
      ids.push(row.id);
    }
    return ids;
  }
}

/** Of one that is there, who connected it last: the rest follows when its tokens do. */
const makeAccount = `
  INSERT INTO public.social_media_accounts
    (organisation_id, platform, platform_account_id, account_type, username, page_id, page_name, connected_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (organisation_id, platform, platform_account_id) DO UPDATE SET connected_by = excluded.connected_by
  RETURNING id`;
