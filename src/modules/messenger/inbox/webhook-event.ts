import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { SealBroken, type SealedPlace, type Vault } from '../../../kernel/secrets/vault.js';

/** One event as the inbox keeps it: sealed as JSON, since it holds what people wrote. */
export interface StoredEvent {
  /** Where in its entry it stood: a message to us, one to another app of the page, or a change of an object. */
  field: 'messaging' | 'standby' | 'changes';
  /** Meta's own JSON of the one item. */
  event: unknown;
}

const payloadColumn = { table: 'public.webhook_events', column: 'payload_sealed' };
declareSealedColumn(payloadColumn);

export const payloadPlace = (rowId: string): SealedPlace => ({ ...payloadColumn, rowId });

/** @throws SealBroken for one that was sealed under a key that is lost, or that is not what was once sealed there */
export function readPayload(vault: Vault, { id, payloadSealed }: { id: string; payloadSealed: string }): StoredEvent {
  const text = vault.open(payloadSealed, payloadPlace(id));
  try {
    return JSON.parse(text) as StoredEvent;
  } catch {
    throw new SealBroken();
  }
}
