import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type AuthorizationParamsOptions, Strategy } from 'passport-facebook';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { type FacebookPerson, personOf } from './facebook-person.js';

/** What one step of the protocol is told beside the request. */
export interface StepOptions extends AuthorizationParamsOptions {
  state?: string;
  codeChallenge?: string;
  codeVerifier?: string;
}

interface Exchange {
  redirect_uri: string;
  code_verifier?: string;
}
type Exchanged = (error: Error, accessToken?: string) => void;

/**
 * Facebook's side of OAuth 2.0 for passport: the address of its dialog, and what its answer means. Whoever runs it keeps
 * the state and the verifier of PKCE (`FacebookLoginService`). The calls themselves are made by the one client of the
 * Graph API, with its time limit, its proof of the app's secret and its breaker.
 */
@Injectable()
export class FacebookStrategy extends PassportStrategy(Strategy, 'facebook') {
  constructor(
    @Inject(CONFIG) { meta }: Config,
    private readonly login: MetaLogin,
  ) {
    super({
      // An installation without an app is told so before this is asked.
      clientID: meta.appId ?? 'none',
      clientSecret: meta.appSecret ?? 'none',
      callbackURL: meta.loginRedirectUrl,
      authorizationURL: `${meta.dialogUrl}/${meta.apiVersion}/dialog/oauth`,
      scope: ['public_profile', 'email'],
    });
    this._oauth2.getOAuthAccessToken = (code: string, parameters: unknown, done?: Exchanged) => {
      this.exchange(code, parameters as Exchange).then((accessToken) => done?.(noError, accessToken), done);
    };
  }

  override authorizationParams({ codeChallenge }: StepOptions): object {
    return { code_challenge: codeChallenge, code_challenge_method: 'S256' };
  }

  override tokenParams({ codeVerifier }: StepOptions): object {
    return { code_verifier: codeVerifier };
  }

  override userProfile(accessToken: string, done: (error?: unknown, profile?: unknown) => void): void {
    this.login.me(accessToken).then((profile) => done(null, profile), done);
  }

  private async exchange(code: string, { redirect_uri, code_verifier }: Exchange): Promise<string> {
    const token = await this.login.exchange({ code, redirectUri: redirect_uri, codeVerifier: code_verifier });
    return token.accessToken;
  }

  /** The access token has served its purpose: it is kept nowhere. */
  validate(
    _accessToken: string,
    _refreshToken: string | undefined,
    profile: Parameters<typeof personOf>[0],
  ): FacebookPerson {
    return personOf(profile);
  }
}

/** The callback's type has no word for it. */
const noError = null as unknown as Error;
