import { badOAuthRequest, noToken, type Reply } from './graph-errors.ts';
import { challengeOf, type Token, type Tokens } from './tokens.ts';

/**
 * Codes become tokens, short-lived tokens long-lived ones, and a token says what it is.
 *
 * Sources: https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow,
 * https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived,
 * https://developers.facebook.com/docs/graph-api/reference/debug_token.
 */

/** GET or POST /oauth/access_token */
export function accessToken(tokens: Tokens, asked: URLSearchParams, now: number): Reply {
  if (asked.get('client_id') !== tokens.app.id)
    throw badOAuthRequest('Error validating application. Cannot get application info due to a system error.', 101);
  if (asked.get('client_secret') !== tokens.app.secret) throw badOAuthRequest('Error validating client secret.', 1);
  if (asked.get('grant_type') === 'client_credentials')
    return { status: 200, body: { access_token: tokens.issueForApp().value, token_type: 'bearer' } };
  if (asked.get('grant_type') === 'fb_exchange_token') return extend(tokens, asked, now);
  return exchange(tokens, asked, now);
}

function exchange(tokens: Tokens, asked: URLSearchParams, now: number): Reply {
  const code = tokens.code(asked.get('code') ?? '');
  if (!asked.get('redirect_uri')) throw badOAuthRequest('Missing redirect_uri parameter.', 191);
  if (!code) throw badOAuthRequest('Invalid verification code format.', 100, 36009);
  if (code.isUsed) throw badOAuthRequest('This authorization code has been used.', 100, 36009);
  if (code.expiresAt <= now) throw badOAuthRequest('This authorization code has expired.', 100, 36007);
  if (code.redirectUri !== asked.get('redirect_uri'))
    throw badOAuthRequest(
      'Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request',
      100,
      36008,
    );
  if (code.challenge && code.challenge !== challengeOf(asked.get('code_verifier') ?? ''))
    throw badOAuthRequest('Invalid code_verifier parameter.', 100);
  code.isUsed = true;
  return tokenReply(tokens.issueForPerson(code.grant, false), now);
}

/** Asked without a token and without a proof: the secret of the app stands in for both. */
function extend(tokens: Tokens, asked: URLSearchParams, now: number): Reply {
  const value = asked.get('fb_exchange_token');
  if (!value) throw badOAuthRequest('fb_exchange_token parameter not specified', 1);
  const token = tokens.authenticate(value, proofOf(tokens, asked, value));
  if (token.kind !== 'USER' || !token.grant) throw badOAuthRequest('The access token is not a user token.', 190);
  return tokenReply(tokens.issueForPerson(token.grant, true), now);
}

/** No proof is asked for here; one that is given is checked. */
function proofOf(tokens: Tokens, asked: URLSearchParams, value: string): string | null {
  return asked.get('appsecret_proof') ?? tokens.proofFor(value);
}

function tokenReply({ value, expiresAt }: Token, now: number): Reply {
  const expires = expiresAt === null ? {} : { expires_in: Math.round((expiresAt - now) / 1000) };
  return { status: 200, body: { access_token: value, token_type: 'bearer', ...expires } };
}

/** GET /debug_token: asked with the app's own token; a token that is none is an answer, not an error. */
export function debugToken(tokens: Tokens, asker: Token, inputToken: string | null, now: number): Reply {
  if (!inputToken) throw badOAuthRequest('(#100) The parameter input_token is required', 100);
  if (asker.kind !== 'APP' && asker.value !== inputToken) throw noToken();
  const token = tokens.find(inputToken);
  if (!token) {
    const error = { code: 190, message: 'Invalid OAuth access token - Cannot parse access token' };
    return { status: 200, body: { data: { error, is_valid: false, scopes: [] } } };
  }
  if (token.appId !== tokens.app.id)
    throw badOAuthRequest('(#100) The App_id in the input_token did not match the Viewing App', 100);
  return { status: 200, body: { data: inspected(tokens, token, now) } };
}

function inspected(tokens: Tokens, token: Token, now: number): object {
  const end = tokens.endOf(token);
  const seconds = (at: number | null) => (at === null ? 0 : Math.floor(at / 1000));
  const scopes = [...(token.grant?.scopes ?? [])];
  return {
    app_id: token.appId,
    type: token.kind,
    application: 'Polyclinic (emulator)',
    data_access_expires_at: seconds(token.dataAccessExpiresAt),
    ...(end && { error: { code: 190, message: 'Error validating access token', subcode: end } }),
    expires_at: seconds(token.expiresAt),
    is_valid: !end && (token.dataAccessExpiresAt ?? now + 1) > now,
    issued_at: seconds(token.issuedAt),
    ...(token.pageId && { profile_id: token.pageId }),
    scopes,
    granular_scopes: scopes
      .filter((scope) => scope.startsWith('pages_') || scope.startsWith('instagram_'))
      .map((scope) => ({ scope, target_ids: [...(token.grant?.pageIds ?? [])] })),
    ...(token.grant && { user_id: token.grant.personId }),
  };
}
