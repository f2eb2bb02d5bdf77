import { call, hear } from './api.js';
import { attempt, element, find, show } from './elements.js';

/** Messages: where one answers, who has written, and what is said, as it happens. */

/** The conversations that are shown, and which of them is open. */
const shown = new Map();
let openId;
let isListening = false;

/** @param me who is logged in: a doctor answers on Instagram, too */
export async function showMessages(me) {
  const isDoctor = me.userType === 'provider';
  document.querySelector('[data-answer="instagram"]').hidden = !isDoctor;
  show('messages');
  await showPlaces(isDoctor);
  await showConversations();
  if (isListening) return;
  isListening = true;
  hear('/messenger/stream', (name, data) => attempt(() => heard(name, data)));
}

async function showPlaces(isDoctor) {
  const { data: pages } = await call('GET', '/messenger/pages');
  const account = isDoctor ? await call('GET', '/settings/instagram/status') : undefined;
  const places = [
    ...pages.map(({ name, connected, health }) => ({ name, connected, health, on: 'Messenger' })),
    ...(account?.connected ? [{ name: account.name, connected: true, health: account.health, on: 'Instagram' }] : []),
  ];
  const stateOf = ({ connected, health }) => (connected ? `connected (${health.level})` : 'not connected');
  find('answering').replaceChildren(
    ...places.map((place) => element('li', `${place.name} on ${place.on}: ${stateOf(place)}`)),
  );
  const connected = places.filter((place) => place.connected);
  document
    .querySelector('#patient select')
    .replaceChildren(...connected.map(({ name, on }) => element('option', `${name} (${on})`, { value: name })));
  show('patient', connected.length > 0);
}

async function showConversations() {
  const { data } = await call('GET', '/messenger/conversations?limit=20');
  shown.clear();
  for (const conversation of data) shown.set(conversation.id, conversation);
  drawConversations();
}

function drawConversations() {
  const sorted = [...shown.values()].sort((one, other) => (one.lastMessageAt < other.lastMessageAt ? 1 : -1));
  find('conversations').replaceChildren(
    ...sorted.map(({ id, participantName, channel, status, unreadCount }) => {
      const name = participantName ?? 'Somebody';
      const unread = unreadCount > 0 ? `, ${unreadCount} new` : '';
      const item = element('li', '', { 'data-unread': unreadCount });
      const button = element('button', `${name} on ${channel} (${status}${unread})`, { type: 'button' });
      button.addEventListener('click', () => attempt(() => openConversation(id)));
      item.append(button);
      return item;
    }),
  );
}

function drawParticipant() {
  find('participant').textContent = shown.get(openId)?.participantName ?? 'Somebody';
}

async function openConversation(id) {
  openId = id;
  drawParticipant();
  const { data } = await call('GET', `/messenger/conversations/${id}/messages`);
  find('lines').replaceChildren(...data.toReversed().map(lineOf));
  show('conversation');
  await call('POST', `/messenger/conversations/${id}/read`);
}

function lineOf({
  id,
  direction,
  text,
  attachments,
  status,
  errorCode,
  reaction,
  deletedAt,
  sentBy,
  platformTimestamp,
}) {
  const line = element('li', '', { 'data-id': id, 'data-direction': direction, 'data-status': status });
  line.dataset.at = platformTimestamp;
  const said = text ?? (deletedAt ? '(taken back)' : attachments.map(({ type }) => `(${type})`).join(' '));
  const notes = [
    direction === 'out' ? (errorCode ?? status) : '',
    sentBy === 'automation' ? 'by itself' : '',
    reaction,
  ];
  line.append(element('span', said), element('small', notes.filter(Boolean).join(', ')));
  return line;
}

/** What the stream tells, which may tell it twice. */
async function heard(name, data) {
  if (name === 'reset') {
    await showConversations();
    if (openId) await openConversation(openId);
  }
  if (name === 'conversation') {
    shown.set(data.id, data);
    drawConversations();
    drawParticipant();
  }
  if (name === 'message' && data.conversationId === openId) drawLine(data);
}

function drawLine(message) {
  const lines = find('lines');
  const known = [...lines.children].find(({ dataset }) => dataset.id === message.id);
  if (known) return known.replaceWith(lineOf(message));
  const next = [...lines.children].find(({ dataset }) => dataset.at > message.platformTimestamp);
  lines.insertBefore(lineOf(message), next ?? null);
}

const routes = { page: '/messenger/pages', instagram: '/settings/instagram' };

/** What Meta's dialog came back with, by way of the service: done, a choice, or why not. */
export async function finishAnswering(query, refuse) {
  const [of, choose, error] = ['of', 'choose', 'error'].map((name) => query.get(name));
  if (error) refuse(error);
  if (!choose) return;
  const { id, candidates } = await call('GET', `${routes[of]}/pending/${choose}`);
  find('places').replaceChildren(
    ...candidates.map(({ id: candidateId, name, username }) => {
      const label = element('label', '');
      label.append(
        element('input', '', { type: 'radio', name: 'choice', value: candidateId, required: '' }),
        ` ${username ?? name}`,
      );
      return label;
    }),
  );
  find('place-choice').dataset.path = `${routes[of]}/pending/${id}`;
  show('place-choice');
}

/** @param whoIs reads again who is logged in */
export function listenToMessages(whoIs) {
  const on = (id, work) =>
    find(id).addEventListener('submit', (happened) => {
      happened.preventDefault();
      attempt(() => work(new FormData(happened.target), happened));
    });
  for (const button of document.querySelectorAll('[data-answer]'))
    button.addEventListener('click', () =>
      attempt(async () => {
        const { authorizationUrl } = await call('GET', `${routes[button.dataset.answer]}/connect`);
        location.assign(authorizationUrl);
      }),
    );
  on('place-choice', async (form) => {
    await call('POST', find('place-choice').dataset.path, { choice: form.get('choice') });
    show('place-choice', false);
    await showMessages(await whoIs());
  });
  on('patient', async (form, { submitter }) => {
    const body = JSON.stringify({ ...Object.fromEntries(form), kind: submitter.value });
    await fetch('/demo/patient', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  });
  on('reply', async (form, { target }) => {
    const path = `/messenger/conversations/${openId}/messages`;
    await call('POST', path, { text: form.get('text') }, { 'idempotency-key': crypto.randomUUID() });
    target.reset();
  });
}
