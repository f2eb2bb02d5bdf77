import { type IdKind, nextId, type World } from './world.ts';

export type PublishedKind =
  | 'instagram-feed'
  | 'instagram-reel'
  | 'instagram-story'
  | 'page-post'
  | 'page-photo'
  | 'page-video';

/** What really stands on a page or an account. */
export interface Published {
  id: string;
  kind: PublishedKind;
  /** The page or Instagram account. */
  objectId: string;
  caption: string;
  at: number;
  urls: string[];
  containerId?: string;
  /** Of a photo or a video: the page's post that shows it. */
  postId?: string;
  link?: string;
  mediaType?: 'IMAGE' | 'VIDEO' | 'CAROUSEL_ALBUM';
}

/** A photo that is uploaded but shown nowhere yet. */
interface HiddenPhoto {
  id: string;
  pageId: string;
  url: string;
  isUsed: boolean;
}

/** What people did with something published; Meta's own words for it differ by kind. */
export interface Counts {
  likes: number;
  comments: number;
  shares: number;
  saves: number;
  reach: number;
  impressions: number;
  plays: number;
}
const none: Counts = { likes: 0, comments: 0, shares: 0, saves: 0, reach: 0, impressions: 0, plays: 0 };

export class Content {
  readonly hiddenPhotos = new Map<string, HiddenPhoto>();
  private readonly published = new Map<string, Published>();
  private readonly byPost = new Map<string, Published>();
  private readonly counts = new Map<string, Counts>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  publish(given: Omit<Published, 'id' | 'at'>): Published {
    const id = given.kind === 'page-post' ? this.postId(given.objectId) : nextId(idKinds[given.kind]);
    const withPost = given.kind === 'page-photo' || given.kind === 'page-video';
    const postId = withPost ? this.postId(given.objectId) : undefined;
    const published = { ...given, id, at: this.world.now(), ...(postId && { postId }) };
    this.published.set(id, published);
    if (postId) this.byPost.set(postId, published);
    return published;
  }

  hidePhoto(pageId: string, url: string): HiddenPhoto {
    const photo = { id: nextId('photo'), pageId, url, isUsed: false };
    this.hiddenPhotos.set(photo.id, photo);
    return photo;
  }

  remove(id: string): void {
    const found = this.find(id);
    if (!found) return;
    this.published.delete(found.id);
    this.byPost.delete(found.postId ?? '');
  }

  /** By its own id, or by that of the post that shows it. */
  find(id: string): Published | undefined {
    return this.published.get(id) ?? this.byPost.get(id);
  }

  all(): Published[] {
    return [...this.published.values()];
  }

  /** The newest first, as Meta's lists are. */
  of(objectId: string, kinds: readonly PublishedKind[]): Published[] {
    const found = this.all().filter((each) => each.objectId === objectId && kinds.includes(each.kind));
    return found.sort((one, other) => other.at - one.at || (BigInt(tail(other.id)) > BigInt(tail(one.id)) ? 1 : -1));
  }

  countsOf({ id, postId }: Published): Counts {
    return this.counts.get(id) ?? this.counts.get(postId ?? '') ?? none;
  }

  setCounts(id: string, counts: Partial<Counts>): void {
    this.counts.set(id, { ...none, ...this.counts.get(id), ...counts });
  }

  private postId(pageId: string): string {
    return `${pageId}_${nextId('post')}`;
  }
}

const idKinds: Record<PublishedKind, IdKind> = {
  'instagram-feed': 'media',
  'instagram-reel': 'media',
  'instagram-story': 'media',
  'page-post': 'post',
  'page-photo': 'photo',
  'page-video': 'video',
};

const tail = (id: string): string => id.split('_').at(-1) ?? id;
