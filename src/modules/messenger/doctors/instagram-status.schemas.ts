import { z } from 'zod';
import { Timestamp } from '../../../kernel/http/primitives.js';
import { ConnectionHealthBlock } from '../connections/health/health.schemas.js';

export const InstagramStatus = z
  .object({
    connected: z.boolean(),
    name: z.string().nullable().meta({ description: 'The account, as Instagram names it.' }),
    pageName: z.string().nullable().meta({ description: 'The Facebook page that it is linked with.' }),
    connectedAt: Timestamp.nullable(),
    paused: z.boolean().meta({ description: 'No automatic answers.' }),
    health: ConnectionHealthBlock,
  })
  .meta({ id: 'InstagramStatus' });
export type InstagramStatus = z.input<typeof InstagramStatus>;
