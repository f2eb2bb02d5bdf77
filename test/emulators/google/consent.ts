import type { Accounts, Client } from './accounts.ts';

/** The page on which a person allows or denies: GET shows it, its form decides. */

export interface Page {
  status: number;
  html?: string;
  location?: string;
}

/** What the link to the page asks for, kept in the form's hidden fields. */
const carried = [
  ...['client_id', 'redirect_uri', 'scope', 'state', 'access_type', 'prompt'],
  ...['code_challenge', 'code_challenge_method'],
];

/** GET /o/oauth2/v2/auth. A wrong client or address is shown to the person, never redirected. */
export function showConsent(accounts: Accounts, query: URLSearchParams): Page {
  const refusal = refusalOf(accounts, query);
  if (refusal) return refusal;
  const people = [...accounts.people.keys()].filter((email) => (query.get('login_hint') ?? email) === email);
  const hidden = carried.map(
    (name) => `<input type="hidden" name="${name}" value="${escaped(query.get(name) ?? '')}">`,
  );
  const accountsList = people.map(
    (email, index) =>
      `<label><input type="radio" name="email" value="${escaped(email)}"${index === 0 ? ' checked' : ''}> ${escaped(email)}</label><br>`,
  );
  const scopes = scopesOf(query).map(
    (scope) =>
      `<label><input type="checkbox" name="granted" value="${escaped(scope)}" checked> ${escaped(scope)}</label><br>`,
  );
  return {
    status: 200,
    html: page(
      'Sign in with Google (emulator)',
      `<form method="post" action="/o/oauth2/v2/consent">${hidden.join('')}
       <p>${escaped(query.get('client_id') ?? '')} wants access to your Google Account.</p>
       ${accountsList.join('\n')}<hr>${scopes.join('\n')}
       <button name="decision" value="allow">Continue</button> <button name="decision" value="deny">Cancel</button></form>`,
    ),
  };
}

/** POST /o/oauth2/v2/consent: back to the application, with a code or a refusal, and its state as it was. */
export function decide(accounts: Accounts, form: URLSearchParams): Page {
  const refusal = refusalOf(accounts, form);
  if (refusal) return refusal;
  const email = form.get('email') ?? '';
  const back = new URL(form.get('redirect_uri') ?? '');
  if (form.has('state')) back.searchParams.set('state', form.get('state') ?? '');
  if (form.get('decision') !== 'allow') {
    back.searchParams.set('error', 'access_denied');
    return { status: 302, location: back.href };
  }
  if (!accounts.people.has(email)) return problem('invalid_request', 'Unknown account.');
  const scopes = form.getAll('granted');
  const code = accounts.giveCode({
    email,
    scopes,
    clientId: form.get('client_id') ?? '',
    redirectUri: form.get('redirect_uri') ?? '',
    challenge: form.get('code_challenge') || undefined,
    isOffline: form.get('access_type') === 'offline',
    prompt: form.get('prompt') ?? '',
  });
  back.searchParams.set('code', code);
  back.searchParams.set('scope', scopes.join(' '));
  return { status: 302, location: back.href };
}

function refusalOf(accounts: Accounts, asked: URLSearchParams): Page | undefined {
  const client = accounts.clients.get(asked.get('client_id') ?? '');
  if (!client) return problem('invalid_client', 'The OAuth client was not found.', 401);
  if (!isRegistered(client, asked.get('redirect_uri') ?? ''))
    return problem('redirect_uri_mismatch', 'The redirect URI in the request does not match the ones authorised.');
  if (scopesOf(asked).length === 0) return problem('invalid_request', 'Missing required parameter: scope');
  const method = asked.get('code_challenge_method');
  if (asked.get('code_challenge') && method !== 'S256')
    return problem('invalid_request', `Unsupported code_challenge_method: ${method}`);
  return undefined;
}

const isRegistered = ({ redirectUris }: Client, uri: string): boolean =>
  URL.canParse(uri) && (redirectUris.includes('*') || redirectUris.includes(uri));

const scopesOf = (asked: URLSearchParams): string[] => (asked.get('scope') ?? '').split(' ').filter(Boolean);

function problem(error: string, description: string, status = 400): Page {
  return { status, html: page(`Error ${status}: ${error}`, `<p>${escaped(description)}</p>`) };
}

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title></head><body><h1>${escaped(title)}</h1>${body}</body></html>`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
