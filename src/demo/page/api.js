/** The API as this page uses it. Tokens stay in the tab: its session storage ends with it. */

const base = '/api/v1';

/** A refusal of the API, with the problem document that says why. */
export class Refusal extends Error {
  constructor(problem) {
    super(
      problem.errors?.map(({ path, message }) => `${path}: ${message}`).join('; ') || problem.detail || problem.title,
    );
    this.code = problem.code;
  }
}

export const tokens = {
  get: () => JSON.parse(sessionStorage.getItem('tokens') ?? 'null'),
  keep: (given) => sessionStorage.setItem('tokens', JSON.stringify(given)),
  forget: () => sessionStorage.removeItem('tokens'),
};

/** Calls a route; a body makes it JSON. @throws Refusal */
export async function call(method, path, body) {
  const held = tokens.get();
  const answer = await fetch(base + path, {
    method,
    headers: {
      ...(held && { authorization: `Bearer ${held.accessToken}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const read = text ? JSON.parse(text) : undefined;
  if (!answer.ok) throw new Refusal(read ?? { title: answer.statusText });
  return read;
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/** The way to Facebook's dialog: what comes back can be exchanged in this tab alone (RFC 7636). */
export async function facebookAddress() {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  sessionStorage.setItem('verifier', verifier);
  const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)));
  const query = new URLSearchParams({ returnTo: `${location.origin}/demo`, codeChallenge: challenge });
  return `${base}/auth/facebook?${query}`;
}

/** Exchanges the one-time code that a log-in came back with. */
export async function exchange(code) {
  tokens.keep(
    await call('POST', '/auth/facebook/exchange', { code, codeVerifier: sessionStorage.getItem('verifier') }),
  );
}
