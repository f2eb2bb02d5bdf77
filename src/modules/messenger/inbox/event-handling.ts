import { Injectable } from '@nestjs/common';
import { type Connected, ConnectedPages } from '../connections/connected-pages.js';
import { CommentEvents } from '../leads/comment-events.js';
import { ConversationEvents } from './conversation-events.js';
import { done, early } from './event-failures.js';
import { type OpenedEvent, type Understood, understand } from './inbox-event.js';
import type { Conclusion } from './inbox-queue.js';

interface UnderstoodEvent {
  event: OpenedEvent;
  /** Nothing for a page that nobody has connected. */
  meant: Understood | undefined;
}

/** Carries out what events say: a few statements for a batch, however many they are. */
@Injectable()
export class EventHandling {
  constructor(
    private readonly pages: ConnectedPages,
    private readonly conversations: ConversationEvents,
    private readonly comments: CommentEvents,
  ) {}

  /** In the caller's transaction, as the service: all of them, or none. */
  async handle(events: readonly OpenedEvent[]): Promise<Conclusion[]> {
    const understood = await this.understand(events);
    const ofConversations = understood.flatMap(({ meant }) => (meant && 'party' in meant ? [meant] : []));
    const missing = await this.conversations.carryOut(ofConversations);
    const comments = understood.flatMap(({ event, meant }) =>
      meant?.kind === 'comment' ? [{ connected: meant.connected, change: meant.change, at: event.receivedAt }] : [],
    );
    if (comments.length > 0) await this.comments.handle(comments);
    return understood.map(({ event, meant }) => {
      if (!meant) return done(event, null, 'unresolved');
      return missing.has(event.id) ? early(event, meant.kind) : done(event, meant.kind);
    });
  }

  private async understand(events: readonly OpenedEvent[]): Promise<UnderstoodEvent[]> {
    const owners = { page: await this.ownersOf('page', events), instagram: await this.ownersOf('instagram', events) };
    return events.map((event) => {
      const connected = owners[event.object].get(event.pageId);
      return { event, meant: connected && understand(event, connected) };
    });
  }

  /** An event belongs to whoever has connected what its entry names, and to nobody else. */
  private async ownersOf(
    object: OpenedEvent['object'],
    events: readonly OpenedEvent[],
  ): Promise<Map<string, Connected>> {
    const entries = new Set(events.filter((event) => event.object === object).map(({ pageId }) => pageId));
    return entries.size > 0 ? this.pages.byEntry(object, [...entries]) : new Map();
  }
}
