import type { StoredEvent } from '../inbox/webhook-event.js';

/**
 * One delivery of Meta as its events. https://developers.facebook.com/docs/messenger-platform/webhooks#event-notifications
 *
 *     { object: 'page' | 'instagram', entry: [{ id, time, messaging: [...] | standby: [...] | changes: [...] }] }
 *
 * Meta puts up to a thousand updates into one, and adds fields and kinds without notice. So no more is asked of a delivery than what
 * it takes to keep it: what an event says is understood when it is processed.
 */
export interface Delivery {
  object: MetaObject;
  events: DeliveredEvent[];
  /** Parts that are no event at all, and which nobody will ever understand. */
  malformed: number;
  /** Entries of a kind that we do not know. */
  unknown: number;
}

/** What Meta can tell of that has messages. */
export type MetaObject = 'page' | 'instagram';

export interface DeliveredEvent extends StoredEvent {
  /** As the entry names it: the page, or the Instagram account. */
  pageId: string;
  event: Json;
}

export type Json = Readonly<Record<string, unknown>>;

const objects: ReadonlySet<unknown> = new Set<MetaObject>(['page', 'instagram']);

const fields = ['messaging', 'standby', 'changes'] as const;

/** Undefined for one that tells of something else than pages and Instagram accounts. */
export function readDelivery(delivery: unknown): Delivery | undefined {
  const { object, entry } = asJson(delivery) ?? {};
  if (!isKnown(object)) return undefined;
  const read: Delivery = { object, events: [], malformed: 0, unknown: 0 };
  if (!Array.isArray(entry)) read.malformed += 1;
  else for (const each of entry) readEntry(each, read);
  return read;
}

function isKnown(object: unknown): object is MetaObject {
  return objects.has(object);
}

/** One entry that is broken leaves the others alone, and one broken item of it its neighbours. */
function readEntry(entry: unknown, read: Delivery): void {
  const parts = asJson(entry);
  const pageId = idOf(parts?.id);
  if (!parts || pageId === undefined) {
    read.malformed += 1;
    return;
  }
  const present = fields.filter((field) => parts[field] !== undefined);
  if (present.length === 0) read.unknown += 1;
  for (const field of present) {
    const items = parts[field];
    for (const item of Array.isArray(items) ? items : [undefined]) {
      const event = asJson(item);
      if (event) read.events.push({ pageId, field, event });
      else read.malformed += 1;
    }
  }
}

/** Digits, which Meta writes as a string; the test button of an app's dashboard sends a number. */
export function idOf(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^\d{1,40}$/.test(text) ? text : undefined;
}

/** An object, or undefined for everything else that JSON knows. */
export function asJson(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
