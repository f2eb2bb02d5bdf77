import { Injectable } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { WebhookSignatures } from '../../../integrations/meta/webhook-signatures.js';
import { Metrics } from '../../../kernel/observability/metrics.js';
import { InboxWake } from '../inbox/inbox-wake.js';
import { WebhookSignatureRefused } from '../messenger.errors.js';
import { type Delivery, readDelivery } from './delivery.js';
import { InboxWriter } from './inbox-writer.js';
import { ReceivedEvents } from './received-events.js';

/** What became of a delivery. */
type DeliveryOutcome = 'stored' | 'refused' | 'unreadable' | 'unknown-object';

/** What became of the parts of a delivery: `unknown` are entries of a kind that we do not know. */
type EventOutcome = 'stored' | 'duplicate' | 'malformed' | 'unknown';

/**
 * Takes what Meta delivers: whose it is, what it is, kept, answered. What it says is for the inbox.
 *
 * Meta delivers again for hours what was not answered 200, and stops delivering at all to a webhook that fails for long.
 * So 200 is said of everything that Meta has signed, also of what nobody understands; but never before the commit of
 * what is to be processed.
 */
@Injectable()
export class WebhookIntake {
  private readonly deliveries: Counter<'outcome'>;
  private readonly events: Counter<'outcome'>;

  constructor(
    private readonly signatures: WebhookSignatures,
    private readonly received: ReceivedEvents,
    private readonly writer: InboxWriter,
    private readonly inbox: InboxWake,
    metrics: Metrics,
  ) {
    const labels = ['outcome'] as const;
    this.deliveries = metrics.counter('webhook_deliveries_total', "Meta's deliveries, by what became of them", labels);
    this.events = metrics.counter(
      'webhook_events_total',
      "Events of Meta's deliveries, by what became of them",
      labels,
    );
  }

  /** @throws WebhookSignatureRefused for whatever Meta has not signed, before a byte of it is understood */
  async receive(rawBody: Buffer, signature: string | undefined): Promise<void> {
    if (!this.signatures.isValid(rawBody, signature)) {
      this.count('refused');
      throw new WebhookSignatureRefused();
    }
    const json = parsed(rawBody);
    const delivery = readDelivery(json);
    if (delivery) await this.store(delivery);
    else this.count(json === undefined ? 'unreadable' : 'unknown-object');
  }

  private async store(delivery: Delivery): Promise<void> {
    const rows = this.received.rowsOf(delivery);
    const stored = rows.length === 0 ? 0 : await this.writer.write(rows);
    if (stored > 0) this.inbox.wake();
    this.count('stored');
    this.countEvents('stored', stored);
    this.countEvents('duplicate', rows.length - stored);
    this.countEvents('malformed', delivery.malformed + delivery.events.length - rows.length);
    this.countEvents('unknown', delivery.unknown);
  }

  private count(outcome: DeliveryOutcome): void {
    this.deliveries.inc({ outcome });
  }

  private countEvents(outcome: EventOutcome, number: number): void {
    if (number > 0) this.events.inc({ outcome }, number);
  }
}

/** Undefined for what is no JSON. */
function parsed(rawBody: Buffer): unknown {
  try {
    return JSON.parse(rawBody.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
