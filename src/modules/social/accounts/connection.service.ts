import { Inject, Injectable } from '@nestjs/common';
import {
  ConnectCodeRefused,
  ConnectRefused,
  ConnectStateInvalid,
  NoInstagramAccount,
  NoPages,
  ScopesMissing,
} from '../../../integrations/meta/consent.errors.js';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { MetaPages } from '../../../integrations/meta/meta-pages.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { AuthorizationStates } from '../../../kernel/secrets/authorization-states.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { type Candidate, candidatesOf } from './candidates.js';
import type { Authorization, ConnectAnswer, Connection } from './connect.schemas.js';
import { askedScopes, missingScopes, type Platform, platforms } from './consent-scopes.js';
import { type ChoiceHolder, type Consent, PendingConnections } from './pending-connections.js';

/** From the dialog to a choice of pages. Meta is asked while no connection is held. */
@Injectable()
export class ConnectionService {
  constructor(
    private readonly database: Database,
    private readonly states: AuthorizationStates,
    private readonly login: MetaLogin,
    private readonly pages: MetaPages,
    private readonly pending: PendingConnections,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** The dialog for this person, who has ten minutes. */
  async begin(holder: ChoiceHolder, platform: Platform): Promise<Authorization> {
    const { state, hash, codeChallenge } = this.states.make(signedTexts(holder, platform));
    const [row] = await this.database.query<{ expiresAt: Date }>(insertAuthorization, [
      ...[holder.organisationId, holder.userId, holder.sessionId],
      ...[platform, hash],
    ]);
    const redirectUri = this.config.meta.connectRedirectUrl;
    const options = { redirectUri, state, scopes: askedScopes[platform], codeChallenge, rerequest: true };
    return {
      authorizationUrl: await forPerson(async () => this.login.dialogUrl(options)),
      expiresAt: row?.expiresAt ?? new Date(),
    };
  }

  /** Takes what Meta sent the browser back with. The state is used up before Meta is asked, whatever it answers. */
  async finish(holder: ChoiceHolder, { state, code }: ConnectAnswer): Promise<Connection> {
    const { platform, codeVerifier } = await this.useState(holder, state);
    if (code === undefined) throw new ConnectRefused();
    const consent = await forPerson(() => this.exchange(platform, code, codeVerifier));
    const pages = await forPerson(() => this.pages.list(consent.personToken));
    const candidates = candidatesOf(platform, pages);
    const connectable = candidates.filter(({ connectable: isConnectable }) => isConnectable);
    if (connectable.length === 0) throw nothingToConnect(platform, candidates);
    const { organisationId, userId } = holder;
    const { facebookUserId, personToken } = consent;
    const choice = { organisationId, userId, platform, facebookUserId, personToken };
    const [only] = connectable;
    if (only && connectable.length === 1) {
      const chosen = pages.filter(({ id }) => id === only.pageId);
      const [account] = await this.pending.connect({ ...choice, pages: chosen });
      return { connected: account ?? null, pending: null };
    }
    return { connected: null, pending: await this.pending.keep(holder, platform, consent, candidates) };
  }

  private async useState(holder: ChoiceHolder, state: string): Promise<{ platform: Platform; codeVerifier: string }> {
    const opened = platforms.flatMap((platform) => {
      const found = this.states.open(state, signedTexts(holder, platform));
      return found ? [{ platform, ...found }] : [];
    });
    const [own] = opened;
    const values = [own?.hash ?? '', holder.organisationId, holder.sessionId, own?.platform ?? ''];
    // Asked in any case: whether the caller may ask at all is answered first.
    const [used] = await this.database.separately(() => this.database.query(useAuthorization, values));
    if (!own || !used) throw new ConnectStateInvalid();
    return own;
  }

  /** A consent that does not suffice is not taken back at Meta: the person's log-in and other accounts may hang on it. */
  private async exchange(platform: Platform, code: string, codeVerifier: string): Promise<Consent> {
    const redirectUri = this.config.meta.connectRedirectUrl;
    const short = await this.login.exchange({ code, redirectUri, codeVerifier });
    const long = await this.login.extend(short.accessToken);
    const { isValid, userId, scopes } = await this.login.inspect(long.accessToken);
    if (!isValid || !userId) throw new MetaFailure('token-invalid');
    const missing = missingScopes(platform, scopes);
    if (missing.length > 0) throw new ScopesMissing(`Not allowed: ${missing.join(', ')}.`);
    return { facebookUserId: userId, personToken: long.accessToken, expiresAt: long.expiresAt, scopes };
  }
}

/** Asks Meta for somebody who waits for the answer. */
async function forPerson<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof MetaFailure && error.kind === 'code-refused') throw new ConnectCodeRefused();
    throw asMetaProblem(error);
  }
}

function nothingToConnect(platform: Platform, candidates: readonly Candidate[]): Error {
  const hasNoInstagram = candidates.every(({ reason }) => reason === 'no-instagram-account');
  if (platform === 'instagram' && candidates.length > 0 && hasNoInstagram) return new NoInstagramAccount();
  return new NoPages();
}

const signedTexts = ({ organisationId, userId, sessionId }: ChoiceHolder, platform: Platform): readonly string[] => [
  ...[organisationId, userId, sessionId],
  platform,
];

const insertAuthorization = `
  INSERT INTO public.social_authorizations (organisation_id, user_id, session_id, platform, state_hash, expires_at)
  VALUES ($1, $2, $3, $4, $5, now() + interval '10 minutes')
  RETURNING expires_at`;

/** Gone with its first use: of two at once one finds it. The policy keeps others' out of reach. */
const useAuthorization = `
  DELETE FROM public.social_authorizations
   WHERE state_hash = $1 AND organisation_id = $2 AND session_id = $3 AND platform = $4 AND expires_at > now()
  RETURNING id`;
