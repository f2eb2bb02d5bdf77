import { createHash, randomBytes } from 'node:crypto';
import type { World } from './world.ts';

/** Who writes to the pages and accounts, and what really stands in their conversations. */

export type Channel = 'messenger' | 'instagram';

/** Where people write to: a page, or the Instagram account behind one. */
export interface Place {
  channel: Channel;
  /** The page's id for both channels: its token is what answers. */
  pageId: string;
  /** As webhooks name the place: the page's id, or the account's. */
  id: string;
}

export interface Participant {
  /** Page-scoped or Instagram-scoped: the same person has another one at every other place. */
  id: string;
  place: Place;
  name: string;
  username: string;
  /** When the person last wrote; undefined for one who has only commented. */
  lastWroteAt: number | undefined;
  hasBlocked: boolean;
}

export interface Attachment {
  type: string;
  payload: { url?: string; [name: string]: unknown };
}

export interface Message {
  mid: string;
  channel: Channel;
  pageId: string;
  placeId: string;
  participantId: string;
  direction: 'in' | 'out';
  text: string | undefined;
  attachments: Attachment[];
  at: number;
  metadata: string | undefined;
  tag: string | undefined;
  /** The comment that it answers privately. */
  commentId: string | undefined;
  isDeleted: boolean;
}

type GivenMessage = Pick<Message, 'direction'> &
  Partial<Pick<Message, 'mid' | 'text' | 'attachments' | 'at' | 'metadata' | 'tag' | 'commentId'>>;

export class Conversations {
  readonly participants = new Map<string, Participant>();
  readonly messages: Message[] = [];
  private readonly byName = new Map<string, Participant>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** @param id of a page or of an Instagram account */
  place(id: string): Place {
    const account = this.world.instagram.get(id);
    if (account) return { channel: 'instagram', pageId: account.pageId, id };
    return { channel: 'messenger', pageId: this.world.page(id).id, id };
  }

  /**
   * The person of that name at that place; there is one from the first time that the name is said.
   *
   * @param id where it is to be another than the one that is made of place and name
   */
  person(place: Place, name: string, id = participantIdOf(place, name)): Participant {
    const key = `${place.id} ${name}`;
    const known = this.byName.get(key);
    if (known) return known;
    const username = name.toLowerCase().replaceAll(' ', '.');
    const person = { id, place, name, username, lastWroteAt: undefined, hasBlocked: false };
    this.byName.set(key, person);
    this.participants.set(person.id, person);
    return person;
  }

  /** What a person sends opens the window in which she may be answered. */
  add({ id, place }: Participant, given: GivenMessage): Message {
    const { direction, at = this.world.now(), mid = messageId(place.channel), attachments = [] } = given;
    const message: Message = {
      ...{ mid, channel: place.channel, pageId: place.pageId, placeId: place.id, participantId: id, direction },
      ...{ text: given.text, attachments, at, metadata: given.metadata, tag: given.tag },
      ...{ commentId: given.commentId, isDeleted: false },
    };
    this.messages.push(message);
    return message;
  }

  heardFrom(person: Participant, at: number): void {
    person.lastWroteAt = Math.max(person.lastWroteAt ?? 0, at);
  }

  /** The last one that was sent to the person. */
  lastSentTo(person: Participant): Message | undefined {
    return this.messages.findLast(({ direction, participantId }) => direction === 'out' && participantId === person.id);
  }

  ofPlace(id: string | undefined): Message[] {
    return this.messages.filter(({ pageId, placeId }) => !id || id === pageId || id === placeId);
  }
}

/** The same after a reset and in another process: a service that remembers somebody is not told of another under that id. */
function participantIdOf({ channel, id }: Place, name: string): string {
  const digest = createHash('sha256').update(`${id} ${name}`).digest('hex');
  const base = channel === 'messenger' ? 24_500_000_000_000_000n : 1_230_000_000_000_000n;
  return String(base + BigInt(`0x${digest.slice(0, 10)}`));
}

/** Opaque to whoever reads them, and long: those of Instagram far more so. */
export const messageId = (channel: Channel): string =>
  channel === 'messenger'
    ? `m_${randomBytes(48).toString('base64url')}`
    : `aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE${randomBytes(72).toString('base64url')}ZD`;
