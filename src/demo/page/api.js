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

const bearer = () => {
  const held = tokens.get();
  return held ? { authorization: `Bearer ${held.accessToken}` } : {};
};

/** Calls a route; a body makes it JSON. @throws Refusal */
export async function call(method, path, body, headers = {}) {
  const answer = await fetch(base + path, {
    method,
    headers: { ...bearer(), ...(body && { 'content-type': 'application/json' }), ...headers },
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

/**
 * Hears what the server tells of, for as long as this tab is there. EventSource sends no token: the stream is read by
 * hand, and taken up again where it was cut off.
 */
export async function hear(path, tell) {
  for (let lastId = ''; tokens.get(); ) {
    const headers = { ...bearer(), accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) };
    const answer = await fetch(base + path, { headers }).catch(() => undefined);
    if (answer && answer.status >= 400 && answer.status < 500) return;
    for await (const { name, data, id } of eventsOf(answer?.body)) {
      lastId = id ?? lastId;
      if (name === 'end' && data.code === 'replaced') return;
      if (name) tell(name, data);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function* eventsOf(body) {
  if (!body) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) yield eventIn(block);
  }
}

function eventIn(block) {
  const lines = block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
  const { event: name, data, id } = Object.fromEntries(lines);
  return { name, id, data: data && JSON.parse(data) };
}
