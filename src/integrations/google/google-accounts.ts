import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { GoogleClient } from './google-client.js';
import { askingGoogle, GoogleFailure } from './google-failure.js';

/** What a synchronisation needs: the names of spreadsheets, their values, and whose account it is. */
export const neededScopes = [
  'https://www.googleapis.com/auth/drive.metadata.readonly',
  'https://www.googleapis.com/auth/spreadsheets.readonly',
] as const;
const askedScopes = ['openid', 'email', ...neededScopes];

const Tokens = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  expiry_date: z.number(),
  scope: z.string().default(''),
  id_token: z.string().optional(),
});

/** What somebody's consent gave. */
export interface GoogleTokens {
  accessToken: string;
  /** Not given by every exchange. */
  refreshToken: string | null;
  expiresAt: Date;
  scopes: string[];
  /** Null where the account did not allow us to know it. */
  email: string | null;
}

interface Authorization {
  state: string;
  /** SHA-256 of the verifier, in base64url (RFC 7636). */
  codeChallenge: string;
  loginHint?: string | undefined;
}

/** Consent, tokens and their end: Google's OAuth 2.0 for web server applications. */
export class GoogleAccounts {
  constructor(private readonly google: GoogleClient) {}

  /** Where the browser is sent. Asks for consent each time: only then does Google give a refresh token for certain. */
  async authorizationUrl({ state, codeChallenge, loginHint }: Authorization): Promise<string> {
    const client = await this.google.open();
    const { CodeChallengeMethod } = await import('google-auth-library');
    return client.generateAuthUrl({
      access_type: 'offline',
      prompt: 'consent',
      scope: askedScopes,
      state,
      code_challenge: codeChallenge,
      code_challenge_method: CodeChallengeMethod.S256,
      ...(loginHint && { login_hint: loginHint }),
    });
  }

  /** @throws GoogleFailure `invalid-grant` for a code that is wrong, used or too old */
  async exchange(code: string, codeVerifier: string): Promise<GoogleTokens> {
    const client = await this.google.open();
    return askingGoogle(async () => readTokens((await client.getToken({ code, codeVerifier })).tokens));
  }

  /** @throws GoogleFailure `invalid-grant` once the consent is withdrawn */
  async refresh(refreshToken: string): Promise<GoogleTokens> {
    const client = await this.google.open();
    client.setCredentials({ refresh_token: refreshToken });
    return askingGoogle(async () => readTokens((await client.refreshAccessToken()).credentials));
  }

  /** Ends the consent with all its tokens. */
  async revoke(token: string): Promise<void> {
    const client = await this.google.open();
    await askingGoogle(() => client.revokeToken(token));
  }
}

function readTokens(answer: unknown): GoogleTokens {
  const tokens = Tokens.safeParse(answer);
  if (!tokens.success) throw new GoogleFailure('unavailable');
  const { access_token, refresh_token = null, expiry_date, scope, id_token } = tokens.data;
  return {
    accessToken: access_token,
    refreshToken: refresh_token,
    expiresAt: new Date(expiry_date),
    scopes: scope.split(' ').filter(Boolean),
    email: id_token ? emailIn(id_token) : null,
  };
}

/** Straight from Google's token endpoint over TLS, which stands for its signature (OpenID Connect Core 3.1.3.7). */
function emailIn(idToken: string): string | null {
  const { email } = decodeJwt(idToken);
  return typeof email === 'string' ? email : null;
}
