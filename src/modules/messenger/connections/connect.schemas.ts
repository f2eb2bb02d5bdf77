import { z } from 'zod';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';

export const ConnectStart = z.strictObject({
  clinicId: Uuid.optional().meta({
    description:
      'For which clinic: its staff can be handed conversations. One that is connected already keeps its own.',
  }),
});
export type ConnectStart = z.infer<typeof ConnectStart>;

export const MessengerAuthorization = z
  .object({
    authorizationUrl: z.string().meta({ description: "Meta's dialog: send this browser there." }),
    expiresAt: Timestamp,
  })
  .meta({ id: 'MessengerAuthorization' });
export type MessengerAuthorization = z.input<typeof MessengerAuthorization>;

/** As Meta sends it; more that comes along is not looked at. */
export const ConnectReturn = z.object({
  state: z.string().max(500).optional(),
  code: z.string().max(2_000).optional(),
  error: z.string().max(200).optional(),
});
export type ConnectReturn = z.infer<typeof ConnectReturn>;

const Candidate = z
  .object({
    id: z.string().meta({ description: 'At Meta; what the choice names.' }),
    name: z.string(),
    username: z.string().nullable().meta({ description: 'Of an Instagram account.' }),
    alreadyConnected: z.boolean(),
  })
  .meta({ id: 'MessengerCandidate' });

export const PendingChoice = z
  .object({ id: Uuid, expiresAt: Timestamp, candidates: z.array(Candidate) })
  .meta({ id: 'MessengerPendingChoice' });
export type PendingChoice = z.input<typeof PendingChoice>;

export const ConnectChoice = z
  .strictObject({ choice: z.string().min(1).max(64).meta({ description: 'The `id` of a candidate.' }) })
  .meta({ id: 'MessengerConnectChoice' });
export type ConnectChoice = z.infer<typeof ConnectChoice>;
