import { z } from 'zod';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { PlatformName, SocialAccount } from './accounts.schemas.js';

export const Authorization = z
  .object({
    authorizationUrl: z.string().meta({ description: "Meta's dialog: send the browser there." }),
    expiresAt: Timestamp,
  })
  .meta({ id: 'SocialAuthorization' });
export type Authorization = z.input<typeof Authorization>;

/** What else Meta may add to the address is not looked at. */
export const ConnectAnswer = z
  .object({
    state: z.string().min(1).max(300),
    code: z.string().min(1).max(2_000).optional(),
    error: z.string().min(1).max(200).optional().meta({ description: 'What Meta answers in place of a code.' }),
  })
  .refine(({ code, error }) => (code === undefined) !== (error === undefined), 'holds either code or error');
export type ConnectAnswer = z.infer<typeof ConnectAnswer>;

const Candidate = z
  .object({
    id: z.string().meta({ description: 'At Meta; what the choice names.' }),
    platform: PlatformName,
    name: z.string(),
    username: z.string().nullable(),
    pictureUrl: z.string().nullable(),
    alreadyConnected: z.boolean(),
    connectable: z.boolean(),
    reason: z
      .enum(['task-missing', 'no-instagram-account'])
      .nullable()
      .meta({ description: 'Why it is not: the person may not publish there, or the page has no Instagram account.' }),
  })
  .meta({ id: 'SocialCandidate' });

export const PendingConnection = z
  .object({ id: Uuid, expiresAt: Timestamp, candidates: z.array(Candidate) })
  .meta({ id: 'PendingSocialConnection' });
export type PendingConnection = z.input<typeof PendingConnection>;

export const Connection = z
  .object({
    connected: SocialAccount.nullable().meta({ description: 'Where there was one that could be connected.' }),
    pending: PendingConnection.nullable().meta({ description: 'Where there are several: choose.' }),
  })
  .meta({ id: 'SocialConnection' });
export type Connection = z.input<typeof Connection>;

export const ConnectChoice = z
  .strictObject({
    choices: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(100)
      .refine((ids) => new Set(ids).size === ids.length, 'names one twice')
      .meta({ description: 'Ids of candidates.' }),
  })
  .meta({ id: 'SocialConnectChoice' });
export type ConnectChoice = z.infer<typeof ConnectChoice>;

export const ConnectedAccounts = z.object({ data: z.array(SocialAccount) }).meta({ id: 'ConnectedSocialAccounts' });
export type ConnectedAccounts = z.input<typeof ConnectedAccounts>;
