import { z } from 'zod';
import { pageOf } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { ConnectionHealthBlock } from './health/health.schemas.js';

const page = {
  id: Uuid,
  pageId: z.string().meta({ description: 'Of the page, at Meta.' }),
  name: z.string(),
  clinicId: Uuid.nullable(),
  connected: z.boolean(),
  connectedAt: Timestamp,
  isPaused: z.boolean().meta({ description: 'No automatic answers there.' }),
  createdAt: Timestamp,
  updatedAt: Timestamp,
};

export const MessengerPage = z.object(page).meta({ id: 'MessengerPage' });
export type MessengerPage = z.input<typeof MessengerPage>;

export const MessengerPageWithHealth = z
  .object({ ...page, health: ConnectionHealthBlock })
  .meta({ id: 'MessengerPageWithHealth' });
export type MessengerPageWithHealth = z.input<typeof MessengerPageWithHealth>;

export const MessengerPages = pageOf(MessengerPageWithHealth, 'MessengerPages');
export type MessengerPages = z.input<typeof MessengerPages>;
