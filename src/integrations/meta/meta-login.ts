import { z } from 'zod';
import { type GraphCall, type GraphClient, graphPath } from './graph-client.js';
import { MetaFailure } from './meta-failure.js';

export interface UserToken {
  accessToken: string;
  /** Null for one without an end, or of which Meta did not say it. */
  expiresAt: Date | null;
}

/** What Meta says of a token: https://developers.facebook.com/docs/graph-api/reference/debug_token */
export interface TokenInspection {
  isValid: boolean;
  appId: string;
  type: 'USER' | 'PAGE' | (string & {});
  /** The person who consented, also for a page's token. */
  userId: string | null;
  /** The page, for a page's token. */
  profileId: string | null;
  scopes: string[];
  /** Null for a token that does not end by itself, as those of pages. */
  expiresAt: Date | null;
  /** When the app may no longer read the person's data, although the token lives on. */
  dataAccessExpiresAt: Date | null;
  error?: { code: number; subcode?: number | undefined };
}

export interface FacebookPerson {
  /** Known to this app alone. */
  id: string;
  name: string | null;
  firstName: string | null;
  lastName: string | null;
  /** Null when they did not grant it, or have none that is confirmed. */
  email: string | null;
}

interface DialogOptions {
  redirectUri: string;
  state: string;
  scopes: readonly string[];
  /** SHA-256 of the verifier, in base64url (RFC 7636). */
  codeChallenge?: string | undefined;
  /** Asks again for what was declined before. */
  rerequest?: boolean;
}

const Token = z.object({ access_token: z.string().min(1), expires_in: z.number().optional() });
const Moment = z
  .number()
  .optional()
  .transform((seconds) => (seconds ? new Date(seconds * 1000) : null));
const Inspected = z.object({
  data: z.object({
    is_valid: z.boolean(),
    app_id: z.string().default(''),
    type: z.string().default(''),
    user_id: z.string().nullish(),
    profile_id: z.string().nullish(),
    scopes: z.array(z.string()).default([]),
    expires_at: Moment,
    data_access_expires_at: Moment,
    error: z.object({ code: z.number(), subcode: z.number().optional() }).optional(),
  }),
});
const Person = z.object({
  id: z.string().min(1),
  name: z.string().nullish(),
  first_name: z.string().nullish(),
  last_name: z.string().nullish(),
  email: z.string().nullish(),
});
const Done = z.object({ success: z.literal(true) });

/**
 * The log-in dialog, its codes, and the tokens of people:
 * https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
 */
export class MetaLogin {
  constructor(private readonly graph: GraphClient) {}

  /** Where the browser is sent. @throws MetaFailure `not-configured` */
  dialogUrl({ redirectUri, state, scopes, codeChallenge, rerequest = false }: DialogOptions): string {
    const url = new URL(this.graph.dialogAddress);
    url.search = new URLSearchParams({
      client_id: this.graph.app.id,
      redirect_uri: redirectUri,
      response_type: 'code',
      state,
      scope: scopes.join(','),
      ...(codeChallenge && { code_challenge: codeChallenge, code_challenge_method: 'S256' }),
      ...(rerequest && { auth_type: 'rerequest' }),
    }).toString();
    return url.href;
  }

  /** @throws MetaFailure `code-refused` for a code that is wrong, used or too old, or has another verifier */
  async exchange(p: { code: string; redirectUri: string; codeVerifier?: string | undefined }): Promise<UserToken> {
    try {
      const parameters = { redirect_uri: p.redirectUri, code: p.code, code_verifier: p.codeVerifier };
      return tokenIn(await this.graph.write(this.tokenCall(parameters), Token));
    } catch (error) {
      throw refusesCode(error) ? new MetaFailure('code-refused', error) : error;
    }
  }

  /** A long-lived token, of sixty days, for a short-lived one. */
  async extend(accessToken: string): Promise<UserToken> {
    const parameters = { grant_type: 'fb_exchange_token', fb_exchange_token: accessToken };
    return tokenIn(await this.graph.ask(this.tokenCall(parameters), Token));
  }

  /**
   * What a token is, asked in the app's own name: whose, of which app, and whether it still counts.
   *
   * The edge takes the token in the address alone; addresses are neither logged nor kept in an error.
   */
  async inspect(accessToken: string): Promise<TokenInspection> {
    const { id, secret } = this.graph.app;
    const parameters = { input_token: accessToken };
    const { data } = await this.graph.read(
      { path: 'debug_token', family: 'app', token: `${id}|${secret}`, parameters },
      Inspected,
    );
    return {
      isValid: data.is_valid,
      appId: data.app_id,
      type: data.type,
      userId: data.user_id ?? null,
      profileId: data.profile_id ?? null,
      scopes: data.scopes,
      expiresAt: data.expires_at,
      dataAccessExpiresAt: data.data_access_expires_at,
      ...(data.error && { error: data.error }),
    };
  }

  async me(accessToken: string): Promise<FacebookPerson> {
    const parameters = { fields: 'id,name,first_name,last_name,email' };
    const person = await this.graph.read({ path: 'me', family: 'app', token: accessToken, parameters }, Person);
    return {
      id: person.id,
      name: person.name ?? null,
      firstName: person.first_name ?? null,
      lastName: person.last_name ?? null,
      email: person.email ?? null,
    };
  }

  /** Takes all permissions back, and so ends all tokens of this person with this app. */
  async revoke(accessToken: string, userId = 'me'): Promise<void> {
    await this.graph.remove({ path: graphPath(userId, 'permissions'), family: 'app', token: accessToken }, Done);
  }

  /** Takes one permission of a person back in the app's own name: none of their tokens need be there any more. */
  async withdraw(userId: string, permission: string): Promise<void> {
    const { id, secret } = this.graph.app;
    const path = graphPath(userId, 'permissions', permission);
    await this.graph.remove({ path, family: 'app', token: `${id}|${secret}` }, Done);
  }

  private tokenCall(parameters: Record<string, string | undefined>): GraphCall {
    const { id, secret } = this.graph.app;
    const client = { client_id: id, client_secret: secret };
    return { path: 'oauth/access_token', family: 'app', parameters: { ...client, ...parameters } };
  }
}

function tokenIn({ access_token, expires_in }: z.infer<typeof Token>): UserToken {
  return { accessToken: access_token, expiresAt: expires_in ? new Date(Date.now() + expires_in * 1000) : null };
}

/** At this edge there is no object and no token that could be wrong, only the code and what belongs to it. */
function refusesCode(error: unknown): error is MetaFailure {
  return error instanceof MetaFailure && ['refused', 'not-found', 'token-invalid'].includes(error.kind);
}
