import type { Tokens } from './tokens.ts';
import type { World } from './world.ts';

/**
 * The page on which a person allows or denies: GET shows it, its form decides.
 * Source: https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow.
 */

export interface Shown {
  status: number;
  html?: string;
  location?: string;
}

/** What the link to the page asks for, kept in the form's hidden fields. */
const carried = ['client_id', 'redirect_uri', 'scope', 'state', 'response_type', 'auth_type'];
const challenges = ['code_challenge', 'code_challenge_method'];

/** GET /dialog/oauth. A wrong app or address is shown to the person, never redirected. */
export function showDialog(world: World, tokens: Tokens, query: URLSearchParams): Shown {
  const refusal = refusalOf(tokens, query);
  if (refusal) return refusal;
  const hidden = [...carried, ...challenges].map(
    (name) => `<input type="hidden" name="${name}" value="${escaped(query.get(name) ?? '')}">`,
  );
  const scopes = scopesOf(query).map((scope) => box('granted', scope, scope, `scope-${scope}`));
  const body = `<p class="label">Emulator of Facebook: nobody's real account is involved.</p>
    <p>${escaped(tokens.app.id)} asks for access to your account.</p>
    <form method="post" action="/_dialog/decide">${hidden.join('')}
      <fieldset><legend>Continue as</legend>${peopleOf(world)}</fieldset>
      ${pagesOf(world, query)}
      <fieldset><legend>Permissions</legend>${scopes.join('\n')}</fieldset>
      <button id="continue" name="decision" value="allow">Continue</button>
      <button id="cancel" name="decision" value="deny">Cancel</button></form>`;
  return { status: 200, html: page('Log in with Facebook (emulator)', body) };
}

/** The form's answer: back to the application with a code or a refusal, and its state as it was. */
export function decide(world: World, tokens: Tokens, form: URLSearchParams): Shown {
  const refusal = refusalOf(tokens, form);
  if (refusal) return refusal;
  const redirectUri = form.get('redirect_uri') ?? '';
  if (form.get('decision') !== 'allow') return back(redirectUri, { ...denial, ...stateOf(form) });
  const person = world.people.get(form.get('person') ?? '');
  if (!person) return problem('Unknown account', 'Choose the account to continue with.');
  const asked = scopesOf(form);
  const granted = form.getAll('granted').filter((scope) => asked.includes(scope));
  const own = (id: string) => world.pages.get(id)?.personIds.includes(person.id) === true;
  const pageIds = asked.includes('pages_show_list') ? form.getAll('page').filter(own) : undefined;
  const grant = tokens.consent({ personId: person.id, asked, granted, pageIds });
  const code = tokens.giveCode(grant, redirectUri, form.get('code_challenge') || undefined);
  return back(redirectUri, { code, ...stateOf(form) });
}

const denial = {
  error: 'access_denied',
  error_code: '200',
  error_description: 'Permissions error',
  error_reason: 'user_denied',
};

const stateOf = (form: URLSearchParams): { state?: string } =>
  form.get('state') ? { state: form.get('state') ?? '' } : {};

/** Facebook ends the address with a fragment of its own, which a browser carries through later redirects. */
function back(redirectUri: string, answer: Record<string, string>): Shown {
  const location = new URL(redirectUri);
  for (const [name, value] of Object.entries(answer)) location.searchParams.set(name, value);
  location.hash = '_=_';
  return { status: 302, location: location.href };
}

function refusalOf(tokens: Tokens, asked: URLSearchParams): Shown | undefined {
  if (asked.get('client_id') !== tokens.app.id) return problem('Invalid App ID', 'The provided app ID does not exist.');
  const uri = asked.get('redirect_uri') ?? '';
  const { redirectUris } = tokens.app;
  if (!URL.canParse(uri) || !(redirectUris.includes('*') || redirectUris.includes(uri)))
    return problem(
      'URL Blocked',
      "This redirect failed because the redirect URI is not allowlisted in the app's settings.",
    );
  const type = asked.get('response_type') || 'code';
  if (type !== 'code') return problem('Invalid response_type', `The emulator knows the code flow alone, not ${type}.`);
  const method = asked.get('code_challenge_method');
  if (asked.get('code_challenge') && method && method !== 'S256')
    return problem('Invalid code_challenge_method', 'The supported method is S256.');
  const unknown = scopesOf(asked).filter((scope) => !knownScopes.has(scope));
  if (unknown.length > 0)
    return problem(
      'Invalid Scopes',
      `Invalid Scopes: ${unknown.join(', ')}. This message is only shown to developers.`,
    );
  return undefined;
}

const scopesOf = (asked: URLSearchParams): string[] =>
  (asked.get('scope') ?? '').split(/[ ,]+/).filter((scope) => scope !== '' && scope !== 'public_profile');

/** https://developers.facebook.com/docs/permissions */
const knownScopes = new Set([
  ...['email', 'business_management', 'read_insights'],
  ...['pages_show_list', 'pages_read_engagement', 'pages_read_user_content', 'pages_manage_posts'],
  ...['pages_manage_metadata', 'pages_manage_engagement', 'pages_messaging'],
  ...['instagram_basic', 'instagram_content_publish', 'instagram_manage_insights'],
  ...['instagram_manage_comments', 'instagram_manage_messages', 'ads_management', 'ads_read'],
]);

function peopleOf({ people }: World): string {
  return [...people.values()]
    .map(({ id, name, email }, index) => {
      const text = email ? `${name} (${email})` : `${name} (no e-mail)`;
      const checked = index === 0 ? ' checked' : '';
      return `<label><input type="radio" name="person" id="person-${id}" value="${id}"${checked}> ${escaped(text)}</label><br>`;
    })
    .join('\n');
}

/** All pages of all people: a page that is not of the one who continues is left out of her choice. */
function pagesOf({ people, pages }: World, query: URLSearchParams): string {
  if (!scopesOf(query).includes('pages_show_list')) return '';
  const boxes = [...pages.values()].map(({ id, name, personIds }) => {
    const owners = personIds.map((personId) => people.get(personId)?.name ?? '').join(', ');
    return box('page', id, `${name} (${owners})`, `page-${id}`);
  });
  return `<fieldset><legend>Pages</legend>${boxes.join('\n')}</fieldset>`;
}

const box = (name: string, value: string, text: string, id: string): string =>
  `<label><input type="checkbox" name="${name}" id="${id}" value="${escaped(value)}" checked> ${escaped(text)}</label><br>`;

const problem = (title: string, words: string): Shown => ({
  status: 400,
  html: page(title, `<p>${escaped(words)}</p>`),
});

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>${escaped(title)}</title></head><body><h1>${escaped(title)}</h1>${body}</body></html>`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
