import { Injectable } from '@nestjs/common';
import { Vault } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { failed, holdsUp, isOfDatabase } from './event-failures.js';
import { EventHandling } from './event-handling.js';
import type { OpenedEvent } from './inbox-event.js';
import type { Conclusion, TakenEvent } from './inbox-queue.js';
import { readPayload } from './webhook-event.js';

/** Handles what was taken, all at once. What cannot be handled is found by halving, so that it spoils nothing else. */
@Injectable()
export class EventBatches {
  constructor(
    private readonly database: Database,
    private readonly vault: Vault,
    private readonly handling: EventHandling,
  ) {}

  /**
   * In the caller's transaction, as the service.
   *
   * @param taken in the order in which they came
   * @returns what became of them; those that wait for one that has failed are not in it, and stay as they were
   * @throws whatever says nothing of the events: the transaction is to be given up, and tried again
   */
  async process(taken: readonly TakenEvent[]): Promise<Conclusion[]> {
    const unreadable: Conclusion[] = [];
    const opened: OpenedEvent[] = [];
    for (const event of taken) {
      try {
        opened.push({ ...event, payload: readPayload(this.vault, event) });
      } catch (error) {
        unreadable.push(failed(event, error));
      }
    }
    return [...unreadable, ...(await this.attempt(unblocked(opened, unreadable)))];
  }

  private async attempt(events: readonly OpenedEvent[]): Promise<Conclusion[]> {
    const [first] = events;
    if (!first) return [];
    try {
      return await this.database.attempt(() => this.handling.handle(events));
    } catch (error) {
      if (isOfDatabase(error)) throw error;
      return events.length === 1 ? [failed(first, error)] : this.halve(events);
    }
  }

  private async halve(events: readonly OpenedEvent[]): Promise<Conclusion[]> {
    const middle = Math.ceil(events.length / 2);
    const earlier = await this.attempt(events.slice(0, middle));
    const later = await this.attempt(unblocked(events.slice(middle), earlier));
    return [...earlier, ...later];
  }
}

/** Without those of conversations in which an earlier event waits to be tried again. */
function unblocked(events: readonly OpenedEvent[], earlier: readonly Conclusion[]): OpenedEvent[] {
  const waiting = new Set(earlier.filter(holdsUp).map(({ lane }) => lane));
  return events.filter(({ lane }) => !waiting.has(lane));
}
