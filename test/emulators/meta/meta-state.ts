import { Comments } from './comments.ts';
import { Containers } from './containers.ts';
import { Content } from './content.ts';
import { Conversations } from './conversations.ts';
import { GraphRefusal, noPermission, pageTokenRequired, permissionRequired, unknownObject } from './graph-errors.ts';
import { type Token, Tokens } from './tokens.ts';
import { Webhooks } from './webhooks.ts';
import { furnish, World } from './world.ts';

export type NodeKind =
  | 'person'
  | 'page'
  | 'instagram'
  | 'container'
  | 'media'
  | 'post'
  | 'photo'
  | 'video'
  | 'participant'
  | 'comment'
  | 'unknown';

/** Everything that a reset makes anew. */
export class MetaState {
  readonly world = new World();
  readonly tokens = new Tokens(this.world);
  readonly content = new Content(this.world);
  readonly containers = new Containers(this.world);
  readonly conversations = new Conversations(this.world);
  readonly comments = new Comments(this.world);
  readonly webhooks = new Webhooks(this.tokens);
  /** What the usage headers of good answers say, by object; '' is the application. */
  readonly usage = new Map<string, Usage>();

  constructor() {
    furnish(this.world);
  }

  kindOf(id: string): NodeKind {
    if (this.world.people.has(id)) return 'person';
    if (this.world.pages.has(id)) return 'page';
    if (this.world.instagram.has(id)) return 'instagram';
    if (this.containers.all.has(id)) return 'container';
    if (this.conversations.participants.has(id)) return 'participant';
    if (this.comments.all.has(id)) return 'comment';
    const found = this.content.find(id);
    if (!found) return this.content.hiddenPhotos.has(id) ? 'photo' : 'unknown';
    if (found.kind.startsWith('instagram')) return 'media';
    if (found.postId === id || found.kind === 'page-post') return 'post';
    return found.kind === 'page-photo' ? 'photo' : 'video';
  }

  /** The page or account that a node belongs to; itself where it is one. */
  ownerOf(id: string): string {
    return (
      this.containers.all.get(id)?.accountId ??
      this.content.find(id)?.objectId ??
      this.content.hiddenPhotos.get(id)?.pageId ??
      this.conversations.participants.get(id)?.place.pageId ??
      this.comments.all.get(id)?.accountId ??
      id
    );
  }

  /** Refuses as if the object did not exist, unless the token's person gave the app its page. */
  demandReach(token: Token, objectId: string, method: string): void {
    const pageId = this.world.instagram.get(objectId)?.pageId ?? objectId;
    const page = this.world.pages.get(pageId);
    const isOwn = page && token.grant && page.personIds.includes(token.grant.personId);
    const isGranted = token.grant?.pageIds.has(pageId) && (token.kind !== 'PAGE' || token.pageId === pageId);
    if (!isOwn || !isGranted) throw unknownObject(objectId, method);
  }

  /** Reads are refused in general words, changes with the permission's name. */
  demandScopes(token: Token, method: string, ...scopes: string[]): void {
    const missing = scopes.find((scope) => !token.grant?.scopes.has(scope));
    if (missing) throw method === 'GET' ? noPermission() : permissionRequired(missing);
  }

  demandTask(pageId: string, task: string): void {
    if (!this.world.page(pageId).tasks.includes(task))
      throw new GraphRefusal(`(#283) Requires the task ${task} on the page`, 283, { status: 403 });
  }
}

export function demandPageToken(token: Token): void {
  if (token.kind !== 'PAGE') throw pageTokenRequired();
}

export interface Usage {
  callCount: number;
  totalTime: number;
  /** Until calls are taken again. */
  minutes: number;
}
