import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../kernel/database/partial-update.js';
import { NotFound } from '../../kernel/http/http.errors.js';
import { Database } from '../../kernel/tenancy/database.js';
import { MembershipsService } from '../clinics/memberships.service.js';
import type { Me, ProfileChanges } from './auth.schemas.js';

/** The caller's own profile. */
@Injectable()
export class MeService {
  constructor(
    private readonly database: Database,
    private readonly memberships: MembershipsService,
  ) {}

  async read(): Promise<Me> {
    const profile = await this.database.first<Omit<Me, 'identities' | 'clinics' | 'organisations'>>(ownProfile);
    if (!profile) throw new NotFound();
    const identities = await this.database.query<Me['identities'][number]>(ownIdentities);
    const clinics = await this.memberships.clinicsOfCaller();
    const organisations = await this.memberships.organisationsOfCaller();
    return { ...profile, identities, clinics, organisations };
  }

  /** Only the columns that the database grants to a person: user type, address and deletion are not among them. */
  async change(changes: ProfileChanges): Promise<Me> {
    const me = await this.database.first<{ id: string }>('SELECT app.user_id() AS id');
    const update = partialUpdate({
      table: 'public.profiles',
      where: { id: me?.id },
      changes,
      columns: ownColumns,
      returning: 'id',
    });
    if (update) await this.database.query(update.text, update.values);
    return this.read();
  }
}

const ownColumns = {
  firstName: 'first_name',
  lastName: 'last_name',
  phone: 'phone',
  avatarUrl: 'avatar_url',
  locale: 'locale',
  timeZone: 'time_zone',
  defaultClinicId: 'default_clinic_id',
};

const ownProfile = `
  SELECT p.id, p.email, p.first_name, p.last_name, p.user_type, p.phone, p.avatar_url, p.locale, p.time_zone,
         p.default_clinic_id, p.created_at, p.updated_at,
         u.email IS NOT NULL AND u.email_verified_at IS NOT NULL AS email_verified,
         auth.own_password_hash() IS NOT NULL AS has_password
    FROM public.profiles p JOIN auth.users u ON u.id = p.id
   WHERE p.id = app.user_id()`;

const ownIdentities = `
  SELECT provider, created_at AS linked_at FROM auth.identities WHERE user_id = app.user_id() ORDER BY provider`;
