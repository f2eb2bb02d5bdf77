import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { asMetaProblem, MetaNotConfigured } from '../../../integrations/meta/meta.errors.js';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { AttemptLimits } from '../../../kernel/http/attempt-limits.js';
import type { Cookie } from '../../../kernel/http/cookies.js';
import { Redirect } from '../../../kernel/http/redirect.js';
import { AuthorizationStates } from '../../../kernel/secrets/authorization-states.js';
import type { Client } from '../../../kernel/tenancy/current-client.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { FacebookAnswerRefused, FacebookDenied, FacebookStateInvalid } from '../auth.errors.js';
import { sha256 } from '../refresh-tokens.js';
import type { FacebookAnswer, FacebookStart } from './facebook.schemas.js';
import { FacebookStrategy } from './facebook.strategy.js';
import type { FacebookPerson } from './facebook-person.js';
import { runStep } from './passport-step.js';
import { returnAddress, withFragment } from './return-addresses.js';

export const browserCookie = 'polyclinic-facebook';
const tenMinutes = 10 * 60;

interface Used {
  returnTo: string;
  codeChallenge: string | null;
}

/**
 * Takes a browser to Facebook's dialog and back. It comes back to the app with a one-time code, never with a token in an
 * address. Facebook is asked while no connection is held.
 */
@Injectable()
export class FacebookLoginService {
  constructor(
    private readonly database: Database,
    private readonly states: AuthorizationStates,
    private readonly strategy: FacebookStrategy,
    private readonly attempts: AttemptLimits,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @param known the cookie of a browser that is at another dialog already, in another tab. @throws ReturnToRefused, MetaNotConfigured */
  async begin({ returnTo, codeChallenge }: FacebookStart, known: string | undefined): Promise<Redirect> {
    const address = returnAddress(returnTo, this.config);
    if (!this.config.meta.appId || !this.config.meta.appSecret) throw new MetaNotConfigured();
    const browser = known && isOurs.test(known) ? known : randomBytes(32).toString('base64url');
    const made = this.states.make([browser]);
    await this.database.query('SELECT auth.begin_facebook_login($1, $2, $3)', [
      ...[made.hash, address, codeChallenge ?? null],
    ]);
    const step = await runStep(this.strategy, {}, made);
    if (step.kind !== 'redirect') throw new Error('The strategy did not name the dialog.');
    return new Redirect(step.url, this.cookieOf(browser));
  }

  /**
   * Whatever Facebook answers, the state is used up first. What goes wrong afterwards is told to the app, by its code.
   *
   * @throws FacebookStateInvalid, since of a state that is not ours nobody knows where to return to
   */
  async finish(answer: FacebookAnswer, browser: string | undefined, client: Client): Promise<Redirect> {
    const opened = this.states.open(answer.state ?? '', [browser ?? '']);
    const used = opened && (await this.database.separately(() => this.useState(opened.hash)));
    if (!used) throw new FacebookStateInvalid();
    try {
      const person = await this.ask(answer, opened.codeVerifier, client);
      return new Redirect(withFragment(used.returnTo, { code: await this.keep(person, used) }));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return new Redirect(withFragment(used.returnTo, { error: error.definition.code }));
    }
  }

  private useState(hash: string): Promise<Used | undefined> {
    return this.database.first<Used>('SELECT * FROM auth.use_facebook_state($1)', [hash]);
  }

  /** Codes that are made up are slowed down: each is a call to Meta, which counts them for the whole installation. */
  private async ask(answer: FacebookAnswer, codeVerifier: string, { address }: Client): Promise<FacebookPerson> {
    const { code, error, error_code } = answer;
    if (code === undefined || error !== undefined || error_code !== undefined) throw new FacebookDenied();
    const attempt = { source: address };
    await this.attempts.begin('token', attempt);
    const step = await runStep(this.strategy, { code }, { codeVerifier }).catch((failure: unknown) => {
      if (failure instanceof MetaFailure && failure.kind === 'code-refused') throw new FacebookAnswerRefused();
      this.attempts.succeed('token', attempt);
      throw asMetaProblem(failure);
    });
    this.attempts.succeed('token', attempt);
    if (step.kind !== 'success') throw new FacebookDenied();
    return step.person;
  }

  /** The code that the browser exchanges: it is told to nobody else, and kept as SHA-256. */
  private async keep(person: FacebookPerson, { codeChallenge }: Used): Promise<string> {
    const code = randomBytes(32).toString('base64url');
    const { facebookUserId, email, firstName, lastName } = person;
    await this.database.query('SELECT auth.keep_facebook_code($1, $2, $3, $4, $5, $6)', [
      ...[sha256(code), codeChallenge, facebookUserId, email, firstName, lastName],
    ]);
    return code;
  }

  private cookieOf(browser: string): Cookie {
    const { publicUrl, meta } = this.config;
    // Sent where Facebook sends the browser back to, and beside it, where the log-in begins.
    const path = new URL('.', meta.loginRedirectUrl).pathname.replace(/\/$/, '');
    const isSecure = publicUrl.startsWith('https:');
    return { name: browserCookie, value: browser, path, maxAgeSeconds: tenMinutes, isSecure };
  }
}

const isOurs = /^[A-Za-z0-9_-]{43}$/;
