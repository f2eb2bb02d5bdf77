import { Injectable } from '@nestjs/common';
import type { ConnectionHealthBlock } from './health.schemas.js';

/** What is looked after: a page of its owner, or a doctor's Instagram account. */
export interface Watched {
  channel: 'messenger' | 'instagram';
  ownerId: string;
  /** Of the row: a connection's `id`, a doctor's `doctor_id`. */
  id: string;
}

/** How connections are: asked of Meta once within five minutes, written down as their owner. */
@Injectable()
export class ConnectionHealth {
  /**
   * Of the caller's own pages, by the connection's id; one that is not active is `not_connected`. Comes first in a
   * handler: Meta is asked while no connection to the database is held, for three seconds at most.
   */
  ofOwnPages(_userId: string): Promise<Map<string, ConnectionHealthBlock>> {
    throw new Error('To be built.');
  }

  /** The same of the caller's Instagram account; `not_connected` where there is none. */
  ofOwnInstagram(_userId: string): Promise<ConnectionHealthBlock> {
    throw new Error('To be built.');
  }

  /**
   * Meta does not take the token any more: the connection is in error, and its owner hears of it, once. Opens
   * transactions of its own.
   *
   * @param sealed the token that Meta refused, as it rests; a consent that came meanwhile is left alone
   */
  noteDeadToken(_watched: Watched, _sealed: string): Promise<void> {
    throw new Error('To be built.');
  }

  /** The person who consented removed our app at Meta: what hung on it by then is in error. */
  noteRemoval(_facebookUserId: string, _removedAt: Date): Promise<void> {
    throw new Error('To be built.');
  }
}
