import { Inject, Injectable } from '@nestjs/common';
import { ConnectRefused, NoInstagramAccount, NoPages } from '../../../integrations/meta/consent.errors.js';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { InternalError } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Redirect } from '../../../kernel/http/redirect.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { Authorizations, type Used } from './authorizations.js';
import type { ConnectReturn } from './connect.schemas.js';
import { type AsOwner, ConnectionMaker } from './connection-maker.js';
import { ConsentExchange } from './consent-exchange.js';
import { returnUrlOf } from './consent-start.js';
import { candidatesOf, pageOf } from './page-candidates.js';
import { PendingChoices } from './pending-choices.js';
import type { Purpose } from './purposes.js';

/** What the settings page is told: nothing of Meta's, and nothing that opens anything. */
type Told = { connected: '1' } | { choose: string } | { error: string };

/** Takes the browser back from Meta, and sends it on to the page of settings. Meta is asked while no connection is held. */
@Injectable()
export class ConsentReturn {
  constructor(
    private readonly transactions: Transactions,
    private readonly authorizations: Authorizations,
    private readonly exchange: ConsentExchange,
    private readonly pending: PendingChoices,
    private readonly maker: ConnectionMaker,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Whatever Meta answers, the state is used up first. What goes wrong is told by its code; a fault of ours is thrown. */
  async finish(purpose: Purpose, answer: ConnectReturn, browser: string | undefined): Promise<Redirect> {
    try {
      return this.sendOn(purpose, await this.take(purpose, answer, browser ?? ''));
    } catch (error) {
      const refusal = asDomainError(asMetaProblem(error));
      if (refusal.definition === InternalError.definition) throw error;
      return this.sendOn(purpose, { error: refusal.definition.code });
    }
  }

  private take(purpose: Purpose, { state = '', code, error }: ConnectReturn, browser: string): Promise<Told> {
    return this.authorizations.use({ purpose, state, browser }, (authorization) => {
      if (code === undefined || error !== undefined) throw new ConnectRefused();
      return this.connect(purpose, code, authorization);
    });
  }

  private async connect(purpose: Purpose, code: string, { userId, clinicId, codeVerifier }: Used): Promise<Told> {
    const redirectUri = returnUrlOf(this.config, purpose);
    const given = await this.exchange.pagesFor(purpose, code, { redirectUri, codeVerifier });
    const { facebookUserId, personToken, pages } = given;
    const candidates = candidatesOf(purpose, pages);
    const [only, ...others] = candidates;
    if (!only) throw candidatesOf('page', pages).length > 0 ? new NoInstagramAccount() : new NoPages();
    const consent = { purpose, userId, clinicId, facebookUserId };
    const asOwner: AsOwner = (work) => this.transactions.runAs({ user: userId, reason: 'connect Messenger' }, work);
    if (others.length > 0)
      return { choose: await asOwner(() => this.pending.keep({ ...consent, personToken }, candidates)) };
    const page = pageOf(purpose, only, pages);
    if (!page) throw new NoPages();
    await this.maker.connect({ ...consent, page }, asOwner);
    return { connected: '1' };
  }

  private sendOn(purpose: Purpose, told: Told): Redirect {
    const { messengerSettingsUrl, doctorSettingsUrl } = this.config.meta;
    const url = new URL(purpose === 'page' ? messengerSettingsUrl : doctorSettingsUrl);
    for (const [name, value] of Object.entries(told)) url.searchParams.set(name, value);
    return new Redirect(url.href);
  }
}
