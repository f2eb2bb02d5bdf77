import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../kernel/database/partial-update.js';
import { Cursors } from '../../kernel/http/cursor.js';
import { Forbidden, NotFound } from '../../kernel/http/http.errors.js';
import { toPage } from '../../kernel/http/page.js';
import { Database } from '../../kernel/tenancy/database.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { MembershipsService, membersOfAdministeredClinics } from '../clinics/memberships.service.js';
import { NoAdminLeft, NotYourself } from './auth.errors.js';
import type { User, UserChanges, Users, UsersQuery } from './users.schemas.js';

const purpose = 'users';

/** Users as others see them: an admin all of them, a clinic's admin the members of their clinics. */
@Injectable()
export class UsersService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly memberships: MembershipsService,
  ) {}

  async list(query: UsersQuery, caller: Caller): Promise<Users> {
    const seesAll = await this.seesAll(caller);
    const [afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const values = [seesAll, query.email ?? null, query.userType ?? null, afterId, query.limit + 1];
    const rows = await this.database.query<Users['data'][number]>(listUsers, values);
    return toPage(rows, query.limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(userId: string, caller: Caller): Promise<User> {
    const seesAll = await this.seesAll(caller);
    const user = await this.database.first<User>(getUser, [userId, seesAll]);
    if (!user) throw new NotFound();
    return user;
  }

  async change(userId: string, changes: UserChanges, caller: Caller): Promise<User> {
    if (userId === caller.userId && changes.userType !== undefined) throw new NotYourself();
    const update = partialUpdate({
      table: 'public.profiles',
      where: { id: userId },
      changes,
      columns: adminColumns,
      returning: 'id',
    });
    if (update) await this.keepingAnAdmin(() => this.database.query(update.text, update.values));
    return this.get(userId, caller);
  }

  /** Disabling ends the person's sessions, by trigger. */
  async setDisabled(userId: string, isDisabled: boolean, caller: Caller): Promise<User> {
    if (userId === caller.userId) throw new NotYourself();
    const [changed] = await this.keepingAnAdmin(() => this.database.query(setDisabled, [userId, isDisabled]));
    if (!changed) throw new NotFound();
    return this.get(userId, caller);
  }

  /** The user goes, with sessions, tokens and identities; the profile stays, marked, and roles end, by trigger. */
  async remove(userId: string, caller: Caller): Promise<void> {
    if (userId === caller.userId) throw new NotYourself();
    const [removed] = await this.keepingAnAdmin(() => this.database.query(removeUser, [userId]));
    if (!removed) throw new NotFound();
  }

  /** Else the members of the clinics that the caller administers. @throws Forbidden for whoever administers none */
  private async seesAll(caller: Caller): Promise<boolean> {
    if (caller.userType === 'admin') return true;
    if (await this.memberships.administersAny()) return false;
    throw new Forbidden();
  }

  /** One such change at a time, so that two admins cannot put each other out at once. @throws NoAdminLeft */
  private async keepingAnAdmin<T>(change: () => Promise<T>): Promise<T> {
    await this.database.query(`SELECT pg_advisory_xact_lock(hashtextextended('admins of the installation', 0))`);
    const result = await change();
    const [left] = await this.database.query(anAdmin);
    if (!left) throw new NoAdminLeft();
    return result;
  }
}

/** @param seesAll the parameter that says so. A clinic elsewhere is not the business of an admin of this one. */
const profileColumns = (seesAll: string) => `
  p.id, p.email, p.first_name, p.last_name, p.user_type, p.phone, p.avatar_url, p.locale, p.time_zone,
  p.created_at, p.updated_at,
  CASE WHEN ${seesAll} OR p.default_clinic_id = ANY (app.clinic_ids('viewer')) THEN p.default_clinic_id END AS default_clinic_id`;

const listUsers = `
  SELECT ${profileColumns('$1::boolean')} FROM public.profiles p
   WHERE p.deleted_at IS NULL
     AND ($1::boolean OR p.id IN (${membersOfAdministeredClinics}))
     AND ($2::public.citext IS NULL OR p.email = $2)
     AND ($3::text IS NULL OR p.user_type = $3)
     AND ($4::uuid IS NULL OR p.id > $4)
   ORDER BY p.id LIMIT $5`;

/** What a clinic's admin may not see of the login itself comes back as null: the policy hides that row of auth.users. */
const getUser = `
  SELECT ${profileColumns('$2::boolean')}, u.email_verified_at, u.disabled_at, u.last_login_at
    FROM public.profiles p LEFT JOIN auth.users u ON u.id = p.id
   WHERE p.id = $1 AND p.deleted_at IS NULL AND ($2::boolean OR p.id IN (${membersOfAdministeredClinics}))`;

const setDisabled = `
  UPDATE auth.users SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END WHERE id = $1 RETURNING id`;

const removeUser = 'DELETE FROM auth.users WHERE id = $1 RETURNING id';

const anAdmin = `
  SELECT p.id FROM public.profiles p JOIN auth.users u ON u.id = p.id
   WHERE p.user_type = 'admin' AND p.deleted_at IS NULL AND u.disabled_at IS NULL LIMIT 1`;

const adminColumns = { firstName: 'first_name', lastName: 'last_name', userType: 'user_type' };
