import { nextId, type World } from './world.ts';

/** Comments under what Instagram accounts publish. */

export interface Comment {
  id: string;
  accountId: string;
  mediaId: string;
  text: string;
  from: { id: string; username: string };
  parentId: string | undefined;
  at: number;
  /** The message that answered it privately. */
  privateReplyMid: string | undefined;
}

type GivenComment = Pick<Comment, 'accountId' | 'text' | 'from'> &
  Partial<Pick<Comment, 'mediaId' | 'parentId' | 'at'>>;

export class Comments {
  readonly all = new Map<string, Comment>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** Without a post of its own it stands under one that was there before. */
  add({ mediaId = nextId('media'), at = this.world.now(), parentId, ...given }: GivenComment): Comment {
    const comment = { id: nextId('comment'), ...given, mediaId, at, parentId, privateReplyMid: undefined };
    this.all.set(comment.id, comment);
    return comment;
  }

  repliesTo(id: string): Comment[] {
    return [...this.all.values()].filter(({ parentId }) => parentId === id);
  }
}
