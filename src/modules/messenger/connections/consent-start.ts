import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { MetaLogin } from '../../../integrations/meta/meta-login.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { type AnswerWithCookie, withCookie } from '../../../kernel/http/answer.js';
import type { Cookie } from '../../../kernel/http/cookies.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { Authorizations } from './authorizations.js';
import type { MessengerAuthorization } from './connect.schemas.js';
import { askedScopes, type Purpose } from './purposes.js';

/** Ties a browser to the consents that it began. It says nothing of who somebody is. */
export const browserCookie = 'polyclinic-messenger';
const tenMinutes = 10 * 60;
const isOurs = /^[A-Za-z0-9_-]{43}$/;

/** Where Meta sends the browser back to, by what it was asked for. */
export const returnUrlOf = ({ meta }: Config, purpose: Purpose): string =>
  purpose === 'page' ? meta.messengerRedirectUrl : meta.doctorRedirectUrl;

/** Sends people to Meta's dialog. */
@Injectable()
export class ConsentStart {
  constructor(
    private readonly database: Database,
    private readonly authorizations: Authorizations,
    private readonly login: MetaLogin,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * @param known the cookie of a browser that is at another dialog already, in another tab
   * @throws NotFound for a clinic that the caller does not see
   */
  async begin(
    purpose: Purpose,
    caller: Caller,
    { clinicId = null, known }: { clinicId: string | null | undefined; known: string | undefined },
  ): Promise<AnswerWithCookie> {
    if (clinicId && !(await this.database.first(findClinic, [clinicId]))) throw new NotFound();
    const browser = known && isOurs.test(known) ? known : randomBytes(32).toString('base64url');
    const { state, codeChallenge, expiresAt } = await this.authorizations.begin(purpose, caller, { clinicId, browser });
    const answer: MessengerAuthorization = {
      authorizationUrl: this.dialogUrl(purpose, state, codeChallenge),
      expiresAt,
    };
    return withCookie(answer, this.cookieOf(purpose, browser));
  }

  private dialogUrl(purpose: Purpose, state: string, codeChallenge: string): string {
    const redirectUri = returnUrlOf(this.config, purpose);
    try {
      return this.login.dialogUrl({ redirectUri, state, scopes: askedScopes[purpose], codeChallenge, rerequest: true });
    } catch (error) {
      throw asMetaProblem(error);
    }
  }

  /** Sent where Meta sends the browser back to, and beside it, where the consent begins. */
  private cookieOf(purpose: Purpose, value: string): Cookie {
    const path = new URL('.', returnUrlOf(this.config, purpose)).pathname.replace(/(?<=.)\/$/, '');
    const isSecure = this.config.publicUrl.startsWith('https:');
    return { name: browserCookie, value, path, maxAgeSeconds: tenMinutes, isSecure };
  }
}

const findClinic = 'SELECT FROM public.clinics WHERE id = $1';
