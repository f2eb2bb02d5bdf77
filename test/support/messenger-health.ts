import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import { insertConnection, insertInstagram } from './messenger.js';
import type { Meta } from './meta.js';
import type { Service } from './service.js';

/** A page or account that is connected with a token of the emulator, and whose consent it hangs on. */
export interface Connected {
  personId: string;
  token: string;
  /** Of the row: a connection's, or the doctor's. */
  id: string;
  ownerId: string;
}

export const scopes = [
  ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement', 'business_management'],
  ...['instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
];
let people = 0;

/** The page of that person, in error or well as `columns` say. */
export async function connectPage(place: Place, email: string, columns: object = {}): Promise<Connected> {
  const { personId, token, pageId } = await consentedPage(place);
  const given = { token, page_id: pageId, facebook_user_id: personId, ...columns };
  const { connectionId, ownerId } = await insertConnection(place.service, email, given);
  return { personId, token, id: connectionId, ownerId };
}

/** The Instagram account of that doctor. */
export async function connectInstagram(place: Place, email: string, columns: object = {}): Promise<Connected> {
  const { personId, token, pageId, instagramId } = await consentedPage(place);
  const ids = { facebook_page_id: pageId, instagram_page_id: instagramId, facebook_user_id: personId };
  const { doctorId } = await insertInstagram(place.service, email, { token, ...ids, ...columns });
  return { personId, token, id: doctorId, ownerId: doctorId };
}

interface Place {
  meta: Meta;
  service: Service;
}

async function consentedPage({ meta, service }: Place) {
  people += 1;
  const name = `Practice ${people}`;
  const personId = await meta.person(name);
  const { id: pageId, instagramId } = await meta.page({ personId, name, instagram: { username: `practice${people}` } });
  const userToken = await meta.userToken(personId, { scopes, pageIds: [pageId], seconds: 60 * 86_400 });
  const pages = await service.application.get(MetaPages, { strict: false }).list(userToken);
  const token = pages.find(({ id }) => id === pageId)?.accessToken ?? '';
  return { personId, token, pageId, instagramId };
}
