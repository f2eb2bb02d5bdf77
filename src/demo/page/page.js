import { call, exchange, facebookAddress, Refusal, tokens } from './api.js';
import { attempt, element, find, show } from './elements.js';
import { finishAnswering, listenToMessages, showMessages } from './messages.js';

/** One page that walks through log-in, connecting, posting and messages as an app of a clinic would. */

let organisationId;
const social = (path) => `/organisations/${organisationId}/social${path}`;

const whoIs = () => call('GET', '/auth/me');

async function showPerson() {
  const me = await whoIs();
  find('who').textContent = `Logged in as ${[me.firstName, me.lastName].join(' ').trim() || me.email || 'somebody'}`;
  const [organisation] = me.organisations;
  organisationId = organisation?.id;
  find('organisation').textContent = organisation?.name ?? '';
  show('account');
  show('found', !organisation);
  show('social', Boolean(organisation));
  if (organisation) await showAccounts();
  await showMessages(me);
}

async function showAccounts() {
  const { data } = await call('GET', social('/accounts'));
  find('accounts').replaceChildren(
    ...data.map(({ platform, username, status }) => element('li', `${username} on ${platform}: ${status}`)),
  );
  const active = data.filter(({ status }) => status === 'active');
  document
    .querySelector('#post select')
    .replaceChildren(
      ...active.map(({ id, platform, username }) => element('option', `${username} (${platform})`, { value: id })),
    );
  show('posting', data.length > 0);
  if (data.length > 0) await showPosts();
}

async function showPosts() {
  const { data } = await call('GET', social('/posts?limit=10'));
  find('posts').replaceChildren(...data.map(rowOf));
  if (data.some(({ status }) => status === 'queued' || status === 'processing'))
    setTimeout(() => attempt(showPosts), 1000);
}

function rowOf(post) {
  const row = element('tr', '', { 'data-status': post.status });
  const onPage = element('td', '');
  if (post.platformUrl) onPage.append(element('a', 'look', { href: post.platformUrl, rel: 'noreferrer' }));
  const state = post.errorMessage ?? post.waitingReason;
  row.append(
    element('td', post.caption.slice(0, 60)),
    element('td', state ? `${post.status} (${state})` : post.status),
    onPage,
    element('td', String(post.reach)),
    element('td', `${post.engagementRate} %`),
  );
  return row;
}

/** What Meta's dialog of connecting came back with. */
async function finishConnecting(query) {
  const { connected, pending } = await call('GET', social(`/connect/callback?${query}`));
  if (connected) return showAccounts();
  find('candidates').replaceChildren(
    ...pending.candidates.map(({ id, name, username }) => {
      const label = element('label', '');
      label.append(element('input', '', { type: 'checkbox', name: 'choice', value: id }), ` ${username ?? name}`);
      return label;
    }),
  );
  find('choice').dataset.pending = pending.id;
  show('choice');
}

function listen() {
  const on = (id, event, work) =>
    find(id).addEventListener(event, (happened) => {
      happened.preventDefault();
      attempt(() => work(new FormData(event === 'submit' ? happened.target : undefined)));
    });
  on('facebook', 'click', async () => location.assign(await facebookAddress()));
  on('password', 'submit', async (form) => {
    tokens.keep(await call('POST', '/auth/login', Object.fromEntries(form)));
    await linkWaiting();
    location.reload();
  });
  on('logout', 'click', async () => {
    await call('POST', '/auth/logout');
    tokens.forget();
    location.reload();
  });
  on('found', 'submit', async (form) => {
    await call('POST', '/organisations', Object.fromEntries(form));
    await showPerson();
  });
  on('choice', 'submit', async (form) => {
    await call('POST', social(`/connect/pending/${find('choice').dataset.pending}`), {
      choices: form.getAll('choice'),
    });
    show('choice', false);
    await showAccounts();
  });
  on('post', 'submit', publish);
  listenToMessages(whoIs);
  for (const button of document.querySelectorAll('[data-connect]'))
    button.addEventListener('click', () =>
      attempt(async () => {
        const { authorizationUrl } = await call('POST', social(`/connect/${button.dataset.connect}`));
        location.assign(authorizationUrl);
      }),
    );
}

/** A log-in whose address belongs to a password account waits until its owner has logged in. */
async function linkWaiting() {
  const code = sessionStorage.getItem('waitingCode');
  sessionStorage.removeItem('waitingCode');
  if (code) await call('POST', '/auth/facebook/link', { code, codeVerifier: sessionStorage.getItem('verifier') });
}

async function publish(form) {
  const draft = await call('POST', social('/posts'), {
    ...{ socialAccountId: form.get('accountId'), contentType: 'image', postType: 'feed' },
    ...{ contentUrl: form.get('contentUrl'), caption: form.get('caption') },
  });
  const { warnings = [] } = await call('POST', social(`/posts/${draft.id}/publish`));
  find('warnings').replaceChildren(...warnings.map(({ message }) => element('li', message)));
  await showPosts();
}

/** What an address brings is used once: it leaves the address bar before anything else happens. */
function takeAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  history.replaceState(null, '', '/demo');
  return { code: fragment.get('code'), error: fragment.get('error'), query };
}

async function start() {
  listen();
  const { code, error, query } = takeAddress();
  document.querySelector('#post [name="contentUrl"]').value = (await (await fetch('/demo/picture')).json()).url;
  if (error) throw new Refusal({ code: error, title: `Facebook did not log you in: ${error}.` });
  if (code) await exchange(code).catch((refusal) => waitForLogin(refusal, code));
  if (!tokens.get()) return show('login');
  await showPerson();
  if (query.has('state') && organisationId) await finishConnecting(query);
  if (query.has('of'))
    await finishAnswering(query, (code) => {
      throw new Refusal({ code, title: `That was not connected: ${code}.` });
    });
}

function waitForLogin(refusal, code) {
  if (refusal.code === 'link-required') sessionStorage.setItem('waitingCode', code);
  show('login');
  throw refusal;
}

attempt(start).then(() => show('login', !tokens.get()));
