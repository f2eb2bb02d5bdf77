import { once } from 'node:events';
import type { CallName, RecordedCall } from '../emulators/meta/call.ts';
import type { Published } from '../emulators/meta/content.ts';
import type { Channel, Message } from '../emulators/meta/conversations.ts';
import type { Fault } from '../emulators/meta/faults.ts';
import type { Commented, Delivered, Written } from '../emulators/meta/messaging-controls.ts';
import type { Delivery, Settings } from '../emulators/meta/webhooks.ts';
import type { GivenPage, GivenPerson } from '../emulators/meta/world.ts';
import { startEmulator } from './emulator.ts';

/** Meta as a process of its own, and the strings that a test pulls. */
export interface Meta {
  url: string;
  /** What makes a service call it. */
  variables: Record<string, string>;
  /** GET where nothing is given and something is read, POST otherwise. */
  control(what: string, given?: object): Promise<unknown>;
  /** @returns the person's id */
  person(given: string | GivenPerson): Promise<string>;
  page(given: GivenPage): Promise<{ id: string; instagramId: string | null }>;
  fault(fault: Fault): Promise<unknown>;
  calls(): Promise<RecordedCall[]>;
  /** How often a call was made since the counts were cleared; all of them unless one is named. */
  count(name?: CallName): Promise<number>;
  /** What really stands on the pages and accounts; of one of them where its id is given. */
  published(objectId?: string): Promise<(Omit<Published, 'at'> & { at: string })[]>;
  /** Every token that was ever issued: none of them may stand anywhere. */
  tokens(): Promise<string[]>;
  /** A token without the dialog, as an app on a phone brings one. */
  userToken(personId: string, given?: HandedToken): Promise<string>;
  /** Follows the dialog as a person does, and answers what the browser is sent back with. */
  consent(dialogUrl: string, choice: Consent): Promise<URLSearchParams>;
  /** The same, with the whole address, for a browser that follows it. */
  consentUrl(dialogUrl: string, choice: Consent): Promise<string>;
  /** What Meta posts when a person removes the app or asks for the deletion of her data. */
  signedRequest(personId: string): Promise<string>;
  /** Address of a file to publish: `photo.jpg`, `{ bytes: 9_000_000 }`. */
  media(name: string, asked?: Record<string, string | number>): string;
  /** A person writes to a page or an Instagram account, presses a button, reacts, reads. */
  write(given: Written): Promise<Told & { mid: string }>;
  writeMany(given: Written[]): Promise<(Told & { mid: string })[]>;
  /** A person comments on a post of the account. */
  comment(given: Commented): Promise<Told & { commentId: string; mediaId: string }>;
  /** What stands in the conversations of a page or account, or of all. */
  messages(pageId?: string): Promise<StoredMessage[]>;
  /** What the app has really sent there. */
  sent(pageId?: string): Promise<StoredMessage[]>;
  /** From now on Meta tells this address; @throws unless the address proves that it is the app's. */
  webhookTo(url: string, verifyToken: string): Promise<void>;
  webhooks(settings: Partial<Settings>): Promise<unknown>;
  deliveries(): Promise<Delivery[]>;
  /** Until everything that is told was answered with 200, or was given up. */
  settled(timeoutMs?: number): Promise<void>;
  /** One delivery by hand, of exactly these bytes. */
  deliver(given: Delivered): Promise<{ status: number; body: string }>;
  stop(): Promise<void>;
}

interface Told {
  participantId: string;
  /** What Meta's delivery holds. */
  payload: { object: string; entry: object[] };
}

type StoredMessage = Omit<Message, 'at' | 'channel'> & { channel: Channel; at: string; participantName: string };

interface Consent {
  personId: string;
  denies?: boolean;
  /** Permissions whose box is unticked. */
  withholds?: string[];
  /** Pages whose box stays ticked; all unless given. */
  pages?: string[];
}

interface HandedToken {
  scopes?: string[];
  pageIds?: string[];
  /** How long it lasts; over already when it is negative. */
  seconds?: number;
  /** Of another app. */
  appId?: string;
}

export async function startMeta(): Promise<Meta> {
  const { child, url } = await startEmulator('meta');
  const control = (what: string, given?: object) => pull(url, what, given);
  const calls = async () => (await control('calls')) as RecordedCall[];
  const published = async () => (await control('published')) as Awaited<ReturnType<Meta['published']>>;
  const consentUrl = (dialogUrl: string, choice: Consent) => decide(url, dialogUrl, choice);
  return {
    url,
    variables: variablesFor(url),
    control,
    person: async (given) => idOf(await control('people', typeof given === 'string' ? personCalled(given) : given)),
    page: async (given) => (await control('pages', given)) as { id: string; instagramId: string | null },
    fault: (fault) => control('faults', fault),
    calls,
    count: async (name) => (await calls()).filter((call) => !name || call.name === name).length,
    published: async (objectId) => (await published()).filter((each) => !objectId || each.objectId === objectId),
    tokens: async () => (await control('tokens')) as string[],
    userToken: async (personId, given = {}) =>
      ((await control('tokens/issue', { personId, ...given })) as { token: string }).token,
    consent: async (dialogUrl, choice) => new URL(await consentUrl(dialogUrl, choice)).searchParams,
    consentUrl,
    signedRequest: async (personId) =>
      ((await control('signed-request', { personId })) as { signedRequest: string }).signedRequest,
    media: (name, asked = {}) => `${url}/media/${name}?${new URLSearchParams(Object.entries(asked).map(textual))}`,
    ...messagingOf(control),
    stop: async () => {
      child.kill();
      await once(child, 'close');
    },
  };
}

type Control = Meta['control'];
type Messaging = 'write' | 'writeMany' | 'comment' | 'messages' | 'sent';
type Telling = 'webhookTo' | 'webhooks' | 'deliveries' | 'settled' | 'deliver';

function messagingOf(control: Control): Pick<Meta, Messaging | Telling> {
  const messages = async (pageId?: string) =>
    (await control(`messages${pageId ? `?pageId=${pageId}` : ''}`)) as StoredMessage[];
  return {
    write: (given) => control('write', given) as ReturnType<Meta['write']>,
    writeMany: (events) => control('write/many', { events }) as ReturnType<Meta['writeMany']>,
    comment: (given) => control('comment', given) as ReturnType<Meta['comment']>,
    messages,
    sent: async (pageId) => (await messages(pageId)).filter(({ direction }) => direction === 'out'),
    webhookTo: async (url, verifyToken) => {
      const answer = (await control('webhooks/callback', { url, verifyToken })) as { verified: boolean };
      if (!answer.verified) throw new Error(`${url} does not verify itself: ${JSON.stringify(answer)}`);
    },
    webhooks: (settings) => control('webhooks/settings', settings),
    deliveries: async () => (await control('webhooks/deliveries')) as Delivery[],
    settled: async (timeoutMs = 20_000) => {
      const { pending } = (await control('webhooks/settle', { timeoutMs })) as { pending: number };
      if (pending > 0) throw new Error(`${pending} deliveries are still not answered with 200.`);
    },
    deliver: (given) => control('webhooks', given) as ReturnType<Meta['deliver']>,
  };
}

const read = [
  ...['calls', 'published', 'tokens', 'people', 'pages', 'containers'],
  ...['messages', 'comments', 'webhooks/deliveries'],
];
const idOf = (made: unknown): string => (made as { id: string }).id;
const textual = ([name, value]: [string, string | number]): [string, string] => [name, String(value)];
const personCalled = (name: string): GivenPerson => ({
  name,
  email: `${name.toLowerCase().replaceAll(' ', '.')}@meta.example`,
});

async function pull(url: string, what: string, given?: object): Promise<unknown> {
  const isRead = !given && read.includes(what.split('?')[0] ?? '');
  const body = isRead ? undefined : JSON.stringify(given ?? {});
  const response = await fetch(`${url}/_control/${what}`, { method: isRead ? 'GET' : 'POST', body });
  if (response.status !== 200) throw new Error(`The emulator refuses ${what}: ${await response.text()}`);
  return response.json();
}

function variablesFor(url: string): Record<string, string> {
  return {
    META_APP_ID: 'emulator-app',
    META_APP_SECRET: 'emulator-secret',
    META_GRAPH_URL: url,
    META_DIALOG_URL: url,
    META_INSTAGRAM_URL: url,
    META_TIMEOUT_MS: '2000',
    MEDIA_ALLOW_PRIVATE: 'true',
  };
}

async function decide(url: string, dialogUrl: string, choice: Consent): Promise<string> {
  const page = await fetch(dialogUrl);
  const html = await page.text();
  if (page.status !== 200) throw new Error(`Meta shows: ${html}`);
  const form = new URLSearchParams();
  for (const [, name = '', value = ''] of html.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g))
    form.set(name, unescaped(value));
  for (const [, name = '', value = ''] of html.matchAll(/type="checkbox" name="(\w+)" id="[^"]*" value="([^"]*)"/g))
    if (isTicked(choice, name, value)) form.append(name, value);
  form.set('person', choice.personId);
  form.set('decision', choice.denies ? 'deny' : 'allow');
  const decided = await fetch(`${url}/_dialog/decide`, { method: 'POST', body: form, redirect: 'manual' });
  const location = decided.headers.get('location');
  if (!location) throw new Error(`Meta sends nobody back: ${await decided.text()}`);
  return location;
}

function isTicked({ withholds = [], pages }: Consent, name: string, value: string): boolean {
  return name === 'page' ? (pages ?? [value]).includes(value) : !withholds.includes(value);
}

const unescaped = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
