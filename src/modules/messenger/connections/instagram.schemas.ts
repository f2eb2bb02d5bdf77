import { z } from 'zod';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';

export const InstagramConnection = z
  .object({
    accountId: z.string().meta({ description: 'Of the account, at Meta.' }),
    username: z.string(),
    pageId: z.string().meta({ description: 'Of the page that it is linked with.' }),
    pageName: z.string().nullable(),
    clinicId: Uuid.nullable(),
    connectedAt: Timestamp,
  })
  .meta({ id: 'InstagramConnection' });
export type InstagramConnection = z.input<typeof InstagramConnection>;
