import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { Vault } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { payloadPlace } from '../inbox/webhook-event.js';
import type { DeliveredEvent, Delivery, MetaObject } from './delivery.js';
import { keyOf, laneOf } from './event-keys.js';

export interface EventRow {
  id: string;
  object: MetaObject;
  pageId: string;
  lane: number;
  key: string;
  sealed: string;
}

/** Events as rows of the inbox, sealed. */
@Injectable()
export class ReceivedEvents {
  constructor(
    private readonly database: Database,
    private readonly vault: Vault,
  ) {}

  /** In the order in which their ids ascend, each as it came; without those that are nested too deeply to be written. */
  rowsOf({ object, events }: Delivery): EventRow[] {
    return events.flatMap((event) => {
      try {
        return [this.rowOf(object, event)];
      } catch (error) {
        if (error instanceof RangeError) return [];
        throw error;
      }
    });
  }

  /** The ids of those that are new. */
  async insert(rows: readonly EventRow[]): Promise<ReadonlySet<string>> {
    // Two statements at once that share events wait for each other's rows: in one order, so that neither waits for ever.
    const inOrder = [...rows].sort((one, other) => (one.key < other.key ? -1 : 1));
    const column = <Name extends keyof EventRow>(name: Name) => inOrder.map((row) => row[name]);
    const inserted = await this.database.query<{ id: string }>(insertEvents, [
      ...[column('id'), column('object'), column('pageId'), column('lane'), column('key'), column('sealed')],
    ]);
    return new Set(inserted.map(({ id }) => id));
  }

  private rowOf(object: MetaObject, delivered: DeliveredEvent): EventRow {
    const id = uuidv7();
    const { pageId, field, event } = delivered;
    const sealed = this.vault.seal(JSON.stringify({ field, event }), payloadPlace(id));
    return { id, object, pageId, lane: laneOf(delivered), key: keyOf(object, delivered), sealed };
  }
}

const insertEvents = `
  INSERT INTO public.webhook_events (id, object, page_id, lane, event_key, payload_sealed)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[])
      ON CONFLICT (event_key) DO NOTHING RETURNING id`;
