import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { Meta } from './meta.js';
import type { Answer, Service } from './service.js';

/** A person of Facebook's. */
export interface FacebookPerson {
  id: string;
  name: string;
  email: string | null;
}

interface Journey {
  returnTo?: string;
  codeChallenge?: string;
  denies?: boolean;
  withholds?: string[];
}

/** What an app keeps while its person is at Facebook, and what it shows of it (RFC 7636). */
export function newVerifier(): { codeVerifier: string; codeChallenge: string } {
  const codeVerifier = randomBytes(32).toString('base64url');
  return { codeVerifier, codeChallenge: createHash('sha256').update(codeVerifier).digest('base64url') };
}

/** A browser that keeps its cookie, follows no redirect by itself, and shows where it was sent. */
export class Browser {
  cookie: string | undefined;

  constructor(
    readonly service: Service,
    readonly meta: Meta,
  ) {}

  async start(journey: Pick<Journey, 'returnTo' | 'codeChallenge'> = {}): Promise<Answer> {
    const query = new URLSearchParams(Object.entries(journey).filter(([, value]) => value !== undefined));
    const answer = await this.get(`/auth/facebook?${query}`);
    this.cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return answer;
  }

  /** From the app to Facebook and to the door of the service: what Facebook sends the browser back with. */
  async consent(person: FacebookPerson, { denies, withholds, ...begin }: Journey = {}): Promise<URLSearchParams> {
    const { headers } = await this.start(begin);
    const choice = { personId: person.id, denies, withholds };
    return this.meta.consent(headers.get('location') ?? '', choice);
  }

  comeBack(answer: URLSearchParams): Promise<Answer> {
    return this.get(`/auth/facebook/callback?${answer}`);
  }

  /** The whole way: what the app finds behind the #. */
  async travel(person: FacebookPerson, journey: Journey = {}): Promise<URLSearchParams> {
    return toldTo(await this.comeBack(await this.consent(person, journey)));
  }

  async code(person: FacebookPerson, journey: Journey = {}): Promise<string> {
    return (await this.travel(person, journey)).get('code') ?? '';
  }

  exchange(code: string, codeVerifier?: string): Promise<Answer> {
    return this.service.call('POST', '/auth/facebook/exchange', { body: { code, codeVerifier } });
  }

  private get(path: string): Promise<Answer> {
    return this.service.call('GET', path, { headers: this.cookie ? { cookie: this.cookie } : {} });
  }
}

/** What stands behind the # of the address that the browser is sent to. */
export function toldTo({ headers }: Answer): URLSearchParams {
  return new URLSearchParams(new URL(headers.get('location') ?? '').hash.slice(1));
}

/** Somebody new at Facebook, unless said otherwise with an address of their own. */
export async function newcomer(meta: Meta, email?: string | null): Promise<FacebookPerson> {
  const address = email === undefined ? `${randomUUID()}@facebook.example` : email;
  const person = { name: 'Lise Meitner', firstName: 'Lise', lastName: 'Meitner', email: address };
  return { id: await meta.person(person), name: person.name, email: address };
}

const ourApp = { id: 'emulator-app', secret: 'emulator-secret' };

/** A token as Facebook's SDK gives it to a mobile app. */
export async function sdkToken(meta: Meta, { id: personId }: FacebookPerson, { id, secret } = ourApp): Promise<string> {
  const client = { client_id: id, redirect_uri: 'https://mobile.example/' };
  const asked = new URLSearchParams({ ...client, response_type: 'code', scope: 'email,pages_show_list' });
  const answer = await meta.consent(`${meta.url}/v25.0/dialog/oauth?${asked}`, { personId });
  const exchange = new URLSearchParams({ ...client, client_secret: secret, code: answer.get('code') ?? '' });
  const given = await fetch(`${meta.url}/v25.0/oauth/access_token?${exchange}`);
  return ((await given.json()) as { access_token: string }).access_token;
}

/** The token of a page of theirs, which names the person as well, and is not of them. */
export async function pageToken(meta: Meta, person: FacebookPerson): Promise<string> {
  await meta.page({ personId: person.id, name: 'A page of Facebook' });
  const token = await sdkToken(meta, person);
  const proof = createHmac('sha256', ourApp.secret).update(token).digest('hex');
  const asked = new URLSearchParams({ access_token: token, appsecret_proof: proof });
  const given = await fetch(`${meta.url}/v25.0/me/accounts?${asked}`);
  return ((await given.json()) as { data: { access_token: string }[] }).data[0]?.access_token ?? '';
}

/** A token of the SDK in an app that somebody else has at Facebook. */
export async function foreignToken(meta: Meta, person: FacebookPerson): Promise<string> {
  const theirs = { id: 'an-app-of-somebody-else', secret: 'their-secret' };
  await meta.control('app', theirs);
  try {
    return await sdkToken(meta, person, theirs);
  } finally {
    await meta.control('app', ourApp);
  }
}
