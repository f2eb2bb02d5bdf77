import { z } from 'zod';
import { Timestamp } from '../../../../kernel/http/primitives.js';

export const healthLevels = ['ok', 'warning', 'error', 'unknown', 'not_connected'] as const;

export const ConnectionHealthBlock = z
  .object({
    level: z.enum(healthLevels).meta({
      description:
        '`warning`: it works, and somebody should look. `error`: nothing can be sent. `unknown`: Meta could not be asked.',
    }),
    checkedAt: Timestamp.nullable().meta({ description: 'When Meta last said how it is.' }),
    tokenExpiresAt: Timestamp.nullable().meta({ description: 'Null for an access that Meta gives no end.' }),
    lastDmSuccessAt: Timestamp.nullable().meta({ description: 'When a message was last sent there.' }),
    message: z.string().nullable().meta({ description: 'What is wrong and what helps; null where all is well.' }),
    reconnectRecommended: z.boolean(),
  })
  .meta({ id: 'ConnectionHealth' });
export type ConnectionHealthBlock = z.input<typeof ConnectionHealthBlock>;
