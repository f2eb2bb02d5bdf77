import { z } from 'zod';
import { Timestamp } from '../../../kernel/http/primitives.js';

/** S256 of RFC 7636: BASE64URL(SHA256(verifier)). */
const CodeChallenge = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'is no S256 challenge');
const CodeVerifier = z.string().regex(/^[A-Za-z0-9._~-]{43,128}$/, 'is no verifier');
const OneTimeCode = z.string().min(1).max(200);
const GivenToken = z.string().min(1).max(2_000);

export const FacebookStart = z.object({
  returnTo: z.string().max(2_000).optional().meta({
    description: 'Page of the app that gets `#code=` or `#error=`, on an allowed origin. Default: `APP_URL/login`.',
  }),
  codeChallenge: CodeChallenge.optional().meta({
    description: 'S256 challenge (RFC 7636) of the app: the code is then exchanged and linked by its verifier alone.',
  }),
});
export type FacebookStart = z.infer<typeof FacebookStart>;

/** Either a code or an error, as Facebook sends it; more that comes along is not looked at. */
export const FacebookAnswer = z.object({
  state: z.string().max(500).optional(),
  code: z.string().max(2_000).optional(),
  error: z.string().max(200).optional(),
  error_code: z.string().max(20).optional(),
});
export type FacebookAnswer = z.infer<typeof FacebookAnswer>;

const code = { code: OneTimeCode, codeVerifier: CodeVerifier.optional() };

export const FacebookCode = z.strictObject(code).meta({ id: 'FacebookCode' });
export type FacebookCode = z.infer<typeof FacebookCode>;

export const FacebookToken = z
  .strictObject({ accessToken: GivenToken.meta({ description: "Of Facebook's SDK in a mobile app, for our app." }) })
  .meta({ id: 'FacebookToken' });
export type FacebookToken = z.infer<typeof FacebookToken>;

export const FacebookProof = z
  .union([z.strictObject(code), z.strictObject({ accessToken: GivenToken })])
  .meta({ id: 'FacebookProof', description: 'A code of a log-in that this browser began, or a token of the SDK.' });
export type FacebookProof = z.infer<typeof FacebookProof>;

export const SignedRequest = z.object({ signed_request: z.string().min(1).max(10_000) }).meta({ id: 'SignedRequest' });
export type SignedRequest = z.infer<typeof SignedRequest>;

export const DataDeletionReceived = z
  .object({ url: z.string(), confirmation_code: z.string() })
  .meta({ id: 'DataDeletionReceived', description: 'In the names that Meta asks for.' });
export type DataDeletionReceived = z.infer<typeof DataDeletionReceived>;

export const DataDeletion = z
  .object({
    state: z.enum(['unknown', 'pending', 'done']),
    receivedAt: Timestamp.nullable(),
    finishedAt: Timestamp.nullable(),
  })
  .meta({ id: 'DataDeletion' });
export type DataDeletion = z.input<typeof DataDeletion>;
