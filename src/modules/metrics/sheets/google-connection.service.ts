import { Injectable } from '@nestjs/common';
import {
  type GoogleTokens as GivenTokens,
  GoogleAccounts,
  neededScopes,
} from '../../../integrations/google/google-accounts.js';
import { GoogleFailure } from '../../../integrations/google/google-failure.js';
import { NotFound, Unauthenticated } from '../../../kernel/http/http.errors.js';
import { AuthorizationStates, type StateHolder } from '../../../kernel/secrets/authorization-states.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import type { GoogleAnswer, GoogleAuthorization, GoogleCredential } from './google.schemas.js';
import { forPerson } from './google-problems.js';
import { GoogleTokens } from './google-tokens.js';
import {
  GoogleCodeRefused,
  GoogleConsentRefused,
  GoogleNotConnected,
  GoogleScopesMissing,
  GoogleStateInvalid,
} from './sheets.errors.js';

/** Connects a person's Google account with a clinic, and disconnects it. Google is asked while no connection is held. */
@Injectable()
export class GoogleConnectionService {
  constructor(
    private readonly database: Database,
    private readonly states: AuthorizationStates,
    private readonly accounts: GoogleAccounts,
    private readonly tokens: GoogleTokens,
  ) {}

  /** The consent page for this person, who has ten minutes. */
  async begin(clinicId: string, caller: Caller | null, loginHint?: string): Promise<GoogleAuthorization> {
    const holder = holderOf(clinicId, caller);
    const { state, hash, codeChallenge } = this.states.make(signedTexts(holder));
    const [row] = await this.database.query<{ expiresAt: Date }>(insertAuthorization, [
      ...[clinicId, holder.userId, holder.sessionId],
      hash,
    ]);
    const authorizationUrl = await forPerson(() => this.accounts.authorizationUrl({ state, codeChallenge, loginHint }));
    return { authorizationUrl, expiresAt: row?.expiresAt ?? new Date() };
  }

  /** Takes what Google sent the browser back with. The state is used up before Google is asked, whatever it answers. */
  async finish(clinicId: string, caller: Caller | null, { state, code }: GoogleAnswer): Promise<GoogleCredential> {
    const holder = holderOf(clinicId, caller);
    const opened = this.states.open(state, signedTexts(holder));
    const values = [opened?.hash ?? '', clinicId, holder.sessionId];
    const [used] = await this.database.separately(() => this.database.query(useAuthorization, values));
    if (!opened || !used) throw new GoogleStateInvalid();
    if (code === undefined) throw new GoogleConsentRefused();
    const given = await this.exchange(code, opened.codeVerifier);
    const { id } = await this.database.separately(() => this.ownCredential(clinicId, holder.userId));
    await this.tokens.keep(id, given);
    const [credential] = await this.list(clinicId, id);
    if (!credential) throw new NotFound();
    return credential;
  }

  /** The caller's own, and for a clinic_admin everybody's. */
  list(clinicId: string, credentialId: string | null = null): Promise<GoogleCredential[]> {
    return this.database.query<GoogleCredential>(listCredentials, [clinicId, credentialId]);
  }

  /** Ends the consent at Google as far as Google can be reached, and forgets the tokens. */
  async disconnect(clinicId: string, credentialId: string): Promise<void> {
    const [visible] = await this.database.separately(() => this.list(clinicId, credentialId));
    if (!visible) throw new NotFound();
    await this.tokens.revoke(credentialId);
    const [removed] = await this.database.query(deleteCredential, [clinicId, credentialId]);
    if (!removed) throw new NotFound();
  }

  /** Which credential the caller browses with. Authorises the caller, too: it is the first question of its routes. */
  async mine(clinicId: string, caller: Caller | null): Promise<string> {
    const values = [clinicId, holderOf(clinicId, caller).userId];
    const own = await this.database.separately(() => this.database.first<{ id: string }>(findOwn, values));
    if (!own) throw new GoogleNotConnected();
    return own.id;
  }

  private async exchange(code: string, codeVerifier: string): Promise<GivenTokens> {
    const given = await forPerson(() =>
      this.accounts.exchange(code, codeVerifier).catch((error: unknown) => {
        if (error instanceof GoogleFailure && error.kind === 'invalid-grant') throw new GoogleCodeRefused();
        throw error;
      }),
    );
    const missing = neededScopes.filter((scope) => !given.scopes.includes(scope));
    if (missing.length === 0 && given.refreshToken) return given;
    // What does not suffice is not kept, here or there.
    await this.accounts.revoke(given.refreshToken ?? given.accessToken).catch(() => undefined);
    throw new GoogleScopesMissing(missing.length > 0 ? `Not allowed: ${missing.join(', ')}.` : undefined);
  }

  /** The row is made as the caller, whose right is thereby checked; the tokens come into it as the service. */
  private async ownCredential(clinicId: string, userId: string): Promise<{ id: string }> {
    await this.database.query(insertCredential, [clinicId, userId]);
    const own = await this.database.first<{ id: string }>(findRow, [clinicId, userId]);
    if (!own) throw new NotFound();
    return own;
  }
}

interface Holder {
  clinicId: string;
  userId: string;
  sessionId: string;
}

const signedTexts = ({ clinicId, userId, sessionId }: Holder): StateHolder => [clinicId, userId, sessionId];

function holderOf(clinicId: string, caller: Caller | null): Holder {
  if (!caller) throw new Unauthenticated();
  return { clinicId, userId: caller.userId, sessionId: caller.sessionId };
}

const insertAuthorization = `
  INSERT INTO public.google_authorizations (clinic_id, user_id, session_id, state_hash, expires_at)
  VALUES ($1, $2, $3, $4, now() + interval '10 minutes')
  RETURNING expires_at`;

/** Gone with its first use: of two at once one finds it. The policy keeps others' out of reach. */
const useAuthorization = `
  DELETE FROM public.google_authorizations
   WHERE state_hash = $1 AND clinic_id = $2 AND session_id = $3 AND expires_at > now()
  RETURNING id`;

const listCredentials = `
  SELECT id, clinic_id, user_id, google_email, scopes, status, expires_at, created_at, updated_at
    FROM public.google_credentials
   WHERE clinic_id = $1 AND ($2::uuid IS NULL OR id = $2)
   ORDER BY id`;

const insertCredential = `
  INSERT INTO public.google_credentials (clinic_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`;

const findRow = 'SELECT id FROM public.google_credentials WHERE clinic_id = $1 AND user_id = $2';

const findOwn = `${findRow} AND status <> 'pending'`;

const deleteCredential = 'DELETE FROM public.google_credentials WHERE clinic_id = $1 AND id = $2 RETURNING id';
