import type { ManagedPage } from '../../../integrations/meta/meta-pages.js';
import type { Purpose } from './purposes.js';

/** A page, or the Instagram account behind it, that a person may choose. Rests in the pending choice; never a token. */
export interface Candidate {
  /** At Meta: of the page or of the account. */
  id: string;
  pageId: string;
  name: string;
  /** Of the account. */
  username: string | null;
}

/** What lets a person answer for a page: https://developers.facebook.com/docs/pages-api/overview#tasks */
const answeringTask = 'MESSAGING';

export function candidatesOf(purpose: Purpose, pages: readonly ManagedPage[]): Candidate[] {
  const answering = pages.filter(({ tasks }) => tasks.includes(answeringTask));
  if (purpose === 'page') return answering.map(({ id, name }) => ({ id, pageId: id, name, username: null }));
  return answering.flatMap(({ id, name, instagram }) =>
    instagram
      ? [{ id: instagram.id, pageId: id, name: instagram.name ?? name, username: instagram.username || null }]
      : [],
  );
}

/** As Meta has it now: a page can be lost between the dialog and the choice, or the account hang on another one. */
export function pageOf(purpose: Purpose, candidate: Candidate, pages: readonly ManagedPage[]): ManagedPage | undefined {
  const isThere = candidatesOf(purpose, pages).some(
    ({ id, pageId }) => id === candidate.id && pageId === candidate.pageId,
  );
  return isThere ? pages.find(({ id }) => id === candidate.pageId) : undefined;
}
