import type { ManagedPage } from '../../../integrations/meta/meta-pages.js';
import type { Platform } from './consent-scopes.js';

/** A page, or the Instagram account behind it, that a person may choose. Rests in the pending choice; never a token. */
export interface Candidate {
  /** At Meta: of the page or of the Instagram account; of the page, too, where there is no Instagram account. */
  id: string;
  pageId: string;
  platform: Platform;
  name: string;
  username: string | null;
  pictureUrl: string | null;
  connectable: boolean;
  reason: 'task-missing' | 'no-instagram-account' | null;
}

/** What lets a person publish on a page: https://developers.facebook.com/docs/pages-api/overview#tasks */
const publishingTask = 'CREATE_CONTENT';

export const candidatesOf = (platform: Platform, pages: readonly ManagedPage[]): Candidate[] =>
  pages.map((page) => (platform === 'instagram' ? instagramOf(page) : pageOf(page)));

function pageOf(page: ManagedPage): Candidate {
  const reason = reasonAgainst(page);
  const { id, name, pictureUrl } = page;
  return { id, pageId: id, platform: 'facebook', name, username: null, pictureUrl, connectable: !reason, reason };
}

function instagramOf(page: ManagedPage): Candidate {
  const { instagram } = page;
  const reason = instagram ? reasonAgainst(page) : 'no-instagram-account';
  return {
    id: instagram?.id ?? page.id,
    pageId: page.id,
    platform: 'instagram',
    name: instagram?.name ?? page.name,
    username: instagram?.username ?? null,
    pictureUrl: instagram ? instagram.profilePictureUrl : page.pictureUrl,
    connectable: !reason,
    reason,
  };
}

const reasonAgainst = ({ tasks }: ManagedPage) => (tasks.includes(publishingTask) ? null : ('task-missing' as const));
