import type { Meta } from './meta.js';
import type { Answer, Service } from './service.js';

/** For what somebody is sent to Meta: the routes of pages, or those of the own Instagram account. */
export type ConnectRoutes = '/messenger/pages' | '/settings/instagram';

type Consent = Parameters<Meta['consent']>[1];

export interface BegunConsent {
  dialogUrl: string;
  /** What the browser sends back with. */
  cookie: string;
}

/** Begins as the person of that address does, in a browser of its own unless it has a cookie already. */
export async function beginConsent(
  service: Service,
  email: string,
  routes: ConnectRoutes,
  { query = '', cookie }: { query?: string; cookie?: string } = {},
): Promise<BegunConsent> {
  const token = await service.tokenOf(email);
  const headers = { ...(cookie && { cookie }) };
  const {
    status,
    text,
    body,
    headers: answered,
  } = await service.call('GET', `${routes}/connect${query}`, {
    token,
    headers,
  });
  if (status !== 200) throw new Error(`Nothing begins: ${text}`);
  return { dialogUrl: body.authorizationUrl, cookie: answered.get('set-cookie')?.split(';')[0] ?? '' };
}

/** The browser comes back from Meta: what the page of settings is told. */
export async function comeBack(
  service: Service,
  routes: ConnectRoutes,
  query: URLSearchParams | Record<string, string>,
  cookie?: string,
): Promise<URLSearchParams> {
  const path = `${routes}/callback?${new URLSearchParams(query)}`;
  const answer: Answer = await service.call('GET', path, { headers: { ...(cookie && { cookie }) } });
  const location = answer.headers.get('location');
  if (answer.status !== 302 || !location)
    throw new Error(`The browser is not sent on: ${answer.status} ${answer.text}`);
  return new URL(location).searchParams;
}

/** From the beginning to the page of settings; several pages lead to `?choose=`. */
export async function consentAs(
  service: Service,
  meta: Meta,
  email: string,
  routes: ConnectRoutes,
  consent: Consent,
): Promise<URLSearchParams> {
  const { dialogUrl, cookie } = await beginConsent(service, email, routes);
  return comeBack(service, routes, await meta.consent(dialogUrl, consent), cookie);
}

/** A person at Meta with so many pages, each with an Instagram account. */
export async function personWithPages(
  meta: Meta,
  count = 1,
): Promise<{ personId: string; pages: { id: string; instagramId: string; username: string }[] }> {
  const personId = await meta.person(`Person of ${count}`);
  const pages = [];
  for (let each = 1; each <= count; each += 1) {
    const username = `practice.${personId}.${each}`;
    const page = await meta.page({ personId, name: `Practice ${each}`, instagram: { username } });
    pages.push({ id: page.id, instagramId: page.instagramId ?? '', username });
  }
  return { personId, pages };
}

/** Fields that Meta tells us of, by the id of a page or an account. */
export async function subscribedAt(meta: Meta, pageId: string): Promise<string[]> {
  const pages = (await meta.control('pages')) as { id: string; subscribedFields: string[] }[];
  return pages.find(({ id }) => id === pageId)?.subscribedFields ?? [];
}
