import { Injectable } from '@nestjs/common';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaInstagram } from '../../../integrations/meta/meta-instagram.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { SocialTokens } from '../accounts/social-tokens.js';
import { AccountNotConnected } from '../social.errors.js';
import type { PublishingLimit, Warning } from './scheduling.schemas.js';

interface Account {
  socialAccountId: string;
  platform: string;
  platformAccountId: string;
}

/** How many posts an account of Instagram still takes: asked each time, never assumed, and while no connection is held. */
@Injectable()
export class PublishingQuota {
  constructor(
    private readonly database: Database,
    private readonly tokens: SocialTokens,
    private readonly instagram: MetaInstagram,
  ) {}

  /** @throws NotFound, AccountNotConnected, the problems of Meta */
  async read(organisationId: string, accountId: string): Promise<PublishingLimit | null> {
    const values = [organisationId, accountId];
    const account = await this.database.separately(() => this.database.first<Account>(findAccount, values));
    if (!account) throw new NotFound();
    try {
      return await this.ask(account);
    } catch (error) {
      throw asMetaProblem(error);
    }
  }

  /**
   * For somebody who schedules a post. That Instagram does not answer refuses nothing: the worker asks again.
   *
   * @throws AccountNotConnected when its answer is that the access has ended
   */
  async of(account: Account): Promise<PublishingLimit | null> {
    try {
      return await this.ask(account);
    } catch (error) {
      if (!(error instanceof MetaFailure)) throw error;
      if (error.kind === 'token-invalid') throw new AccountNotConnected(undefined, { cause: error });
      return null;
    }
  }

  warnings(limit: PublishingLimit | null): Warning[] {
    if (!limit || limit.used < limit.total) return [];
    const hours = limit.windowSeconds / 3_600;
    const message = `Instagram takes ${limit.total} posts in ${hours} hours and has ${limit.used}: it waits for its turn.`;
    return [{ code: 'publishing-limit-reached', message }];
  }

  /** Pages of Facebook have no such limit. */
  private async ask({ socialAccountId, platform, platformAccountId }: Account): Promise<PublishingLimit | null> {
    if (platform !== 'instagram') return null;
    return this.tokens.withToken(socialAccountId, (token) => this.instagram.publishingLimit(token, platformAccountId));
  }
}

const findAccount = `
  SELECT id AS social_account_id, platform, platform_account_id
    FROM public.social_media_accounts WHERE organisation_id = $1 AND id = $2`;
