import { z } from 'zod';
import { Email, Line, NewPassword, Timestamp, TimeZone, Uuid } from '../../kernel/http/primitives.js';
import { clinicRoles, organisationRoles, userTypes } from '../../kernel/tenancy/actor.js';

export const UserType = z.enum(userTypes);

/** What is typed in to log in: only bounded, since rules for new passwords may be younger than the password. */
const GivenPassword = z.string().min(1).max(1_000);
const OneTimeToken = z.string().min(20).max(200);

export const Registration = z
  .strictObject({ email: Email, password: NewPassword, firstName: Line, lastName: Line })
  .meta({ id: 'Registration' });
export type Registration = z.infer<typeof Registration>;

export const RegistrationReceived = z
  .object({ message: z.string() })
  .meta({ id: 'RegistrationReceived', description: 'The same whether the address was free or taken.' });
export type RegistrationReceived = z.infer<typeof RegistrationReceived>;

export const Login = z.strictObject({ email: Email, password: GivenPassword }).meta({ id: 'Login' });
export type Login = z.infer<typeof Login>;

export const Refresh = z.strictObject({ refreshToken: z.string().min(1).max(300) }).meta({ id: 'Refresh' });
export type Refresh = z.infer<typeof Refresh>;

export const Tokens = z
  .object({
    accessToken: z.string(),
    refreshToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().meta({ description: 'Seconds until the access token ends.' }),
    user: z.object({ id: Uuid, userType: UserType }),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.infer<typeof Tokens>;

export const Profile = z
  .object({
    id: Uuid,
    email: z.string().nullable(),
    firstName: z.string(),
    lastName: z.string(),
    userType: UserType,
    phone: z.string().nullable(),
    avatarUrl: z.string().nullable(),
    locale: z.string(),
    timeZone: z.string(),
    defaultClinicId: Uuid.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Profile' });

export const Me = Profile.extend({
  emailVerified: z.boolean(),
  hasPassword: z.boolean(),
  identities: z
    .array(z.object({ provider: z.string(), linkedAt: Timestamp }))
    .meta({ description: 'Other ways in: providers that the account is linked with.' }),
  clinics: z.array(z.object({ id: Uuid, name: z.string(), organisationId: Uuid, role: z.enum(clinicRoles) })),
  organisations: z.array(
    z.object({ id: Uuid, name: z.string(), slug: z.string(), role: z.enum(organisationRoles).nullable() }),
  ),
}).meta({ id: 'Me' });
export type Me = z.input<typeof Me>;

export const ProfileChanges = z
  .strictObject({
    firstName: Line,
    lastName: Line,
    phone: z
      .string()
      .regex(/^\+?[0-9 ()/-]{5,30}$/)
      .nullable(),
    avatarUrl: z
      .url({ protocol: /^https$/ })
      .max(500)
      .nullable(),
    locale: z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/),
    timeZone: TimeZone,
    defaultClinicId: Uuid.nullable(),
  })
  .partial()
  .meta({ id: 'ProfileChanges' });
export type ProfileChanges = z.infer<typeof ProfileChanges>;

export const Session = z
  .object({
    id: Uuid,
    userAgent: z.string().nullable(),
    address: z.string().nullable(),
    createdAt: Timestamp,
    refreshedAt: Timestamp,
    expiresAt: Timestamp,
    isCurrent: z.boolean(),
  })
  .meta({ id: 'Session' });

export const Sessions = z.object({ data: z.array(Session) }).meta({ id: 'Sessions' });
export type Sessions = z.input<typeof Sessions>;

export const ForgottenPassword = z.strictObject({ email: Email }).meta({ id: 'ForgottenPassword' });
export const PasswordReset = z
  .strictObject({ token: OneTimeToken, password: NewPassword })
  .meta({ id: 'PasswordReset' });
export type PasswordReset = z.infer<typeof PasswordReset>;
export const PasswordChange = z
  .strictObject({ currentPassword: GivenPassword, newPassword: NewPassword })
  .meta({ id: 'PasswordChange' });
export type PasswordChange = z.infer<typeof PasswordChange>;

export const EmailVerification = z.strictObject({ token: OneTimeToken }).meta({ id: 'EmailVerification' });

const Jwk = z.object({
  kty: z.string(),
  crv: z.string(),
  x: z.string(),
  kid: z.string(),
  alg: z.string(),
  use: z.string(),
});
export const JwkSet = z.object({ keys: z.array(Jwk) }).meta({ id: 'JwkSet' });
export type JwkSet = z.infer<typeof JwkSet>;
