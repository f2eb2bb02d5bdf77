import { setTimeout as delay } from 'node:timers/promises';

export interface StreamedEvent {
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: an event is looked into freely, as a client would
  data: any;
}

/** A client of a stream of events, which keeps what it is told. */
export interface EventClient {
  status: number;
  headers: Headers;
  events: StreamedEvent[];
  /** What came as it came. */
  text(): string;
  /** What it would come back with. */
  lastEventId(): string | undefined;
  /** Waits for an event that fits, also among those that came already. */
  until(fits: (event: StreamedEvent) => boolean, milliseconds?: number): Promise<StreamedEvent>;
  /** Waits for the end, of itself or by a broken connection. */
  ended(milliseconds?: number): Promise<'ended' | 'broken'>;
  hangUp(): void;
}

export async function openEvents(
  url: string,
  token: string,
  { lastEventId }: { lastEventId?: string } = {},
): Promise<EventClient> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/api/v1/messenger/stream`, {
    headers: { authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
    signal: leaving.signal,
  });
  const state: State = { text: '', rest: '', events: [], lastEventId, end: undefined };
  void listen(response, state);
  return {
    status: response.status,
    headers: response.headers,
    events: state.events,
    text: () => state.text,
    lastEventId: () => state.lastEventId,
    until: (fits, milliseconds = 15_000) =>
      found(
        () => state.events.find(fits),
        milliseconds,
        () => `It was told: ${JSON.stringify(state.events)}`,
      ),
    ended: (milliseconds = 15_000) =>
      found(
        () => state.end,
        milliseconds,
        () => 'The stream goes on.',
      ),
    hangUp: () => leaving.abort(),
  };
}

interface State {
  text: string;
  rest: string;
  events: StreamedEvent[];
  lastEventId: string | undefined;
  end: 'ended' | 'broken' | undefined;
}

async function listen({ body }: Response, state: State): Promise<void> {
  const decoder = new TextDecoder();
  try {
    for await (const bytes of body ?? []) {
      const text = decoder.decode(bytes, { stream: true });
      state.text += text;
      state.rest += text;
      take(state);
    }
    state.end = 'ended';
  } catch {
    state.end = 'broken';
  }
}

/** As browsers read it: fields up to an empty line; what has no data is no event, though its id counts. */
function take(state: State): void {
  const blocks = state.rest.split('\n\n');
  state.rest = blocks.pop() ?? '';
  for (const block of blocks) {
    let [name, data]: [string, string | undefined] = ['message', undefined];
    for (const line of block.split('\n')) {
      const [field = '', value = ''] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)];
      if (field === 'event') name = value;
      if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
      if (field === 'id') state.lastEventId = value;
    }
    if (data !== undefined) state.events.push({ name, data: JSON.parse(data) });
  }
}

async function found<T>(look: () => T | undefined, milliseconds: number, complaint: () => string): Promise<T> {
  for (const deadline = Date.now() + milliseconds; ; ) {
    const it = look();
    if (it !== undefined) return it;
    if (Date.now() > deadline) throw new Error(complaint());
    await delay(10);
  }
}
