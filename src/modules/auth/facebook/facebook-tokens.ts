import { Inject, Injectable } from '@nestjs/common';
import { asMetaProblem, MetaNotConfigured } from '../../../integrations/meta/meta.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaLogin, type TokenInspection } from '../../../integrations/meta/meta-login.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { FacebookTokenRefused } from '../auth.errors.js';
import { type FacebookPerson, personOf } from './facebook-person.js';

/** Tokens that somebody hands in, and that prove nothing before Facebook was asked: any app's would open as well. */
@Injectable()
export class FacebookTokens {
  constructor(
    private readonly login: MetaLogin,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Whose token it is. No transaction may be open. @throws FacebookTokenRefused */
  async personOf(accessToken: string): Promise<FacebookPerson> {
    if (!this.config.meta.appId || !this.config.meta.appSecret) throw new MetaNotConfigured();
    try {
      const inspection = await this.login.inspect(accessToken);
      if (!this.counts(inspection)) throw new FacebookTokenRefused();
      const profile = await this.login.me(accessToken);
      if (profile.id !== inspection.userId) throw new FacebookTokenRefused();
      return personOf(profile);
    } catch (error) {
      if (error instanceof MetaFailure && refusals.has(error.kind)) throw new FacebookTokenRefused();
      throw asMetaProblem(error);
    }
  }

  private counts({ isValid, appId, type, userId, expiresAt }: TokenInspection): boolean {
    const isOver = expiresAt !== null && expiresAt.getTime() <= Date.now();
    return isValid && appId === this.config.meta.appId && type === 'USER' && userId !== null && !isOver;
  }
}

/** The token's fault, and not Facebook's. */
const refusals: ReadonlySet<MetaFailure['kind']> = new Set([
  'token-invalid',
  'permission-missing',
  'refused',
  'not-found',
]);
