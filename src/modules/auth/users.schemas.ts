import { z } from 'zod';
import { pageOf, pageQuery } from '../../kernel/http/page.js';
import { Email, Line, Timestamp } from '../../kernel/http/primitives.js';
import { Profile, UserType } from './auth.schemas.js';

export const User = Profile.extend({
  emailVerifiedAt: Timestamp.nullable(),
  disabledAt: Timestamp.nullable(),
  lastLoginAt: Timestamp.nullable(),
}).meta({ id: 'User' });
export type User = z.input<typeof User>;

export const Users = pageOf(Profile, 'Users');
export type Users = z.input<typeof Users>;

export const UsersQuery = pageQuery.extend({ email: Email.optional(), userType: UserType.optional() });
export type UsersQuery = z.infer<typeof UsersQuery>;

export const UserChanges = z
  .strictObject({ firstName: Line, lastName: Line, userType: UserType })
  .partial()
  .meta({ id: 'UserChanges' });
export type UserChanges = z.infer<typeof UserChanges>;
