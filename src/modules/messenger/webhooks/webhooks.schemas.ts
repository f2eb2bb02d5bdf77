import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp } from '../../../kernel/http/primitives.js';

/** Meta may add fields of its own. */
export const VerificationQuery = z.object({
  'hub.mode': z.literal('subscribe'),
  'hub.challenge': z
    .string()
    .regex(/^[\w.-]{1,200}$/)
    .meta({ description: 'Answered as it is.' }),
  'hub.verify_token': z.string().max(1_000).meta({ description: '`META_WEBHOOK_VERIFY_TOKEN` of the installation.' }),
});
export type VerificationQuery = z.infer<typeof VerificationQuery>;

export const Text = z.string();

export const EventId = z.uuid();

/** What an admin is asked to look at. */
const HeldState = z.enum(['failed', 'unresolved']);

export const WebhookEvent = z
  .object({
    id: EventId,
    object: z.enum(['page', 'instagram']),
    pageId: z.string().meta({ description: 'The page, or the Instagram account, as Meta names it.' }),
    state: z.enum(['received', 'processed', 'unresolved', 'failed', 'discarded']).meta({
      description: '`unresolved`: nobody has connected the page; `failed`: given up, until it is let run again.',
    }),
    attempts: z.int(),
    errorCode: z.string().nullable(),
    receivedAt: Timestamp,
    nextAttemptAt: Timestamp,
  })
  .meta({ id: 'WebhookEvent' });
export type WebhookEvent = z.input<typeof WebhookEvent>;

export const WebhookEvents = pageOf(WebhookEvent, 'WebhookEvents');
export type WebhookEvents = z.input<typeof WebhookEvents>;

export const WebhookEventsQuery = pageQuery.extend({
  state: HeldState.default('failed'),
  pageId: z
    .string()
    .regex(/^\d{1,40}$/)
    .optional()
    .meta({ description: 'Only those of that page or Instagram account.' }),
});
export type WebhookEventsQuery = z.infer<typeof WebhookEventsQuery>;

export const WebhookSummary = z
  .object({
    data: z.array(
      z.object({
        state: z.enum(['received', 'failed', 'unresolved']),
        count: z.int(),
        oldestReceivedAt: Timestamp.nullable(),
      }),
    ),
  })
  .meta({ id: 'WebhookSummary' });
export type WebhookSummary = z.input<typeof WebhookSummary>;

export const ReplayRequest = z
  .strictObject({
    state: z.literal('failed'),
    pageId: WebhookEventsQuery.shape.pageId,
  })
  .meta({ id: 'WebhookReplayRequest' });
export type ReplayRequest = z.infer<typeof ReplayRequest>;

export const Replayed = z
  .object({
    replayed: z.int(),
    hasMore: z.boolean().meta({ description: 'Whether some are left: ask again.' }),
  })
  .meta({ id: 'WebhookReplay' });
export type Replayed = z.input<typeof Replayed>;
