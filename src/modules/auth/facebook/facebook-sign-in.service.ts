import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { AttemptLimits } from '../../../kernel/http/attempt-limits.js';
import { UserDisabled } from '../../../kernel/http/http.errors.js';
import type { Client } from '../../../kernel/tenancy/current-client.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { FacebookCodeInvalid, LinkRequired } from '../auth.errors.js';
import type { Tokens } from '../auth.schemas.js';
import { AuthMails } from '../auth-mails.js';
import { sha256 } from '../refresh-tokens.js';
import { SessionsService } from '../sessions.service.js';
import type { FacebookCode } from './facebook.schemas.js';
import type { FacebookPerson } from './facebook-person.js';
import { FacebookTokens } from './facebook-tokens.js';

interface Account {
  outcome: 'known' | 'new' | 'link-required';
  userId: string;
}

/** Opens a session for a person whom Facebook has proven; the first time it makes their account. */
@Injectable()
export class FacebookSignInService {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly mails: AuthMails,
    private readonly attempts: AttemptLimits,
    private readonly tokens: FacebookTokens,
  ) {}

  /** For the browser that has come back with a code. @throws FacebookCodeInvalid, LinkRequired, UserDisabled */
  async exchange({ code, codeVerifier }: FacebookCode, client: Client): Promise<Tokens> {
    const attempt = { source: client.address };
    await this.attempts.begin('token', attempt);
    const values = [sha256(code), codeVerifier === undefined ? null : sha256(codeVerifier)];
    const person = await this.database.first<FacebookPerson>(
      'SELECT * FROM auth.exchange_facebook_code($1, $2)',
      values,
    );
    if (!person) throw new FacebookCodeInvalid();
    const session = await this.signIn(person, client);
    this.attempts.succeed('token', attempt);
    return session;
  }

  /** For a mobile app, which has a token of Facebook's SDK. @throws FacebookTokenRefused, LinkRequired, UserDisabled */
  async withToken(accessToken: string, client: Client): Promise<Tokens> {
    const attempt = { source: client.address };
    await this.attempts.begin('token', attempt);
    const person = await this.tokens.personOf(accessToken);
    const session = await this.signIn(person, client);
    this.attempts.succeed('token', attempt);
    return session;
  }

  private async signIn(person: FacebookPerson, client: Client): Promise<Tokens> {
    const { facebookUserId, email, firstName, lastName } = person;
    const values = [uuidv7(), facebookUserId, email, firstName, lastName];
    const account = await this.database.first<Account>(
      'SELECT * FROM auth.sign_in_with_facebook($1, $2, $3, $4, $5)',
      values,
    );
    if (!account || account.outcome === 'link-required') throw new LinkRequired();
    if (account.outcome === 'new' && email) await this.mails.post('verify-email', account.userId);
    const session = await this.sessions.open(account.userId, client);
    if (!session) throw new UserDisabled();
    return session;
  }
}
