import { parseKeyRing } from '../../src/kernel/secrets/key-ring.js';
import { Vault } from '../../src/kernel/secrets/vault.js';
import { post, type Style, signed, styled } from '../emulators/meta/callbacks.js';
import type { Service } from './service.js';

/** What Meta's app and the installation share in these tests. */
export const appSecret = 'the secret of the app';
export const verifyToken = 'the verify token of the test';
export const webhookVariables = {
  META_APP_ID: 'the-app',
  META_APP_SECRET: appSecret,
  META_WEBHOOK_VERIFY_TOKEN: verifyToken,
};

/** A row of the inbox, with what it says. */
export interface KeptEvent {
  id: string;
  object: string;
  page_id: string;
  lane: number;
  event_key: string;
  state: string;
  attempts: number;
  payload: { field: string; event: Record<string, unknown> };
}

export interface Answered {
  status: number;
  body: string;
}

/** The webhook as Meta meets it. */
export interface Webhook {
  url: string;
  /** Exactly these bytes, with whatever headers. */
  send(body: Buffer, headers?: Record<string, string>): Promise<Answered>;
  /** As Meta does: signed over the bytes. */
  deliver(payload: unknown, style?: Style): Promise<Answered>;
  /** What is kept of one page, or of all, in the order in which it came. */
  kept(pageId?: string): Promise<KeptEvent[]>;
  /** How many deliveries or events ended so since the service was started. */
  counted(what: 'deliveries' | 'events', outcome: string): Promise<number>;
}

export function webhookOf(service: Service): Webhook {
  const url = `${service.url}/api/v1/webhooks/meta`;
  const send: Webhook['send'] = (body, headers = {}) => post(url, body, headers);
  const vault = new Vault(parseKeyRing(service.config.secrets.vaultKeys));
  return {
    url,
    send,
    deliver: (payload, style = 'escaped') => {
      const body = styled(payload, style);
      return send(body, signed(body, appSecret));
    },
    kept: async (pageId) => {
      const rows = await service.database.sql<KeptEvent & { payload_sealed: string }>(
        'SELECT * FROM webhook_events WHERE $1::text IS NULL OR page_id = $1 ORDER BY id',
        [pageId ?? null],
      );
      return rows.map((row) => {
        const place = { table: 'public.webhook_events', column: 'payload_sealed', rowId: row.id };
        return { ...row, payload: JSON.parse(vault.open(row.payload_sealed, place)) };
      });
    },
    counted: async (what, outcome) => {
      const { text } = await service.call('GET', '//metrics');
      const line = new RegExp(`^polyclinic_webhook_${what}_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm');
      return Number(line.exec(text)?.[1] ?? 0);
    },
  };
}

/** One thing that a person does to a page: what stands in `messaging` of an entry. */
export const fromPerson = (pageId: string, personId: string, content: object, at = 1_700_000_000_000) => ({
  sender: { id: personId },
  recipient: { id: pageId },
  timestamp: at,
  ...content,
});

export const entryOf = (pageId: string, ...messaging: object[]) => ({ id: pageId, time: 1_700_000_000_000, messaging });
