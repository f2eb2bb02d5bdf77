import { Injectable } from '@nestjs/common';
import { ConnectCodeRefused, ScopesMissing } from '../../../integrations/meta/consent.errors.js';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { type ManagedPage, MetaPages } from '../../../integrations/meta/meta-pages.js';
import { missingScopes, type Purpose } from './purposes.js';

interface Exchanged {
  facebookUserId: string;
  /** Long-lived. */
  personToken: string;
  /** All that the person let us see. */
  pages: ManagedPage[];
}

/** From the code of the dialog to the pages behind it. */
@Injectable()
export class ConsentExchange {
  constructor(
    private readonly login: MetaLogin,
    private readonly pages: MetaPages,
  ) {}

  /**
   * A consent that does not suffice is not taken back at Meta: the person's log-in and accounts may hang on it.
   *
   * @throws ConnectCodeRefused, ScopesMissing, and what a failed call to Meta means
   */
  async pagesFor(purpose: Purpose, code: string, p: { redirectUri: string; codeVerifier: string }): Promise<Exchanged> {
    try {
      return await this.exchange(purpose, code, p);
    } catch (error) {
      if (error instanceof MetaFailure && error.kind === 'code-refused') throw new ConnectCodeRefused();
      throw asMetaProblem(error);
    }
  }

  private async exchange(purpose: Purpose, code: string, p: { redirectUri: string; codeVerifier: string }) {
    const short = await this.login.exchange({ code, ...p });
    const { accessToken } = await this.login.extend(short.accessToken);
    const { isValid, userId, scopes } = await this.login.inspect(accessToken);
    if (!isValid || !userId) throw new MetaFailure('token-invalid');
    const missing = missingScopes(purpose, scopes);
    if (missing.length > 0) throw new ScopesMissing(`Not allowed: ${missing.join(', ')}.`);
    return { facebookUserId: userId, personToken: accessToken, pages: await this.pages.list(accessToken) };
  }
}
