import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { reportKinds } from './period.js';

export const Subscriptions = z
  .strictObject({
    weekly: z.boolean().meta({ description: 'On Monday morning, of the week before.' }),
    monthly: z.boolean().meta({ description: 'On the morning of the 1st, of the month before.' }),
  })
  .meta({ id: 'ReportSubscriptions', description: 'Which reports of the clinic the caller gets by mail.' });
export type Subscriptions = z.infer<typeof Subscriptions>;

const Delivery = z
  .object({
    id: Uuid,
    userId: Uuid,
    kind: z.enum(reportKinds),
    period: z.string(),
    state: z.enum(['pending', 'sending', 'sent', 'skipped']).meta({
      description:
        '`skipped`: the person may not see the clinic any more or has no usable address, or the clinic is inactive.',
    }),
    createdAt: Timestamp,
    sentAt: Timestamp.nullable(),
  })
  .meta({ id: 'ReportDelivery' });
export type Delivery = z.input<typeof Delivery>;

export const Deliveries = pageOf(Delivery, 'ReportDeliveries');
export type Deliveries = z.input<typeof Deliveries>;
export const DeliveriesQuery = pageQuery;
export type DeliveriesQuery = z.infer<typeof DeliveriesQuery>;
