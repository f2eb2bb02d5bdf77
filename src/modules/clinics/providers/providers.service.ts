import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { NewProvider, Provider, ProviderChanges, Providers, ProvidersQuery } from './providers.schemas.js';

const purpose = 'providers';
const columns = `id, clinic_id, user_id, name, provider_type, specialty, license_number, npi_number, status,
  created_at, updated_at`;

@Injectable()
export class ProvidersService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async list(clinicId: string, query: ProvidersQuery): Promise<Providers> {
    const [afterName, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const values = [clinicId, query.status ?? null, afterName, afterId, query.limit + 1];
    const rows = await this.database.query<Provider>(listProviders, values);
    return toPage(rows, query.limit, ({ name, id }) => this.cursors.encode([name, id], purpose));
  }

  async get(clinicId: string, providerId: string): Promise<Provider> {
    const row = await this.database.first<Provider>(getProvider, [clinicId, providerId]);
    if (!row) throw new NotFound();
    return row;
  }

  async create(clinicId: string, provider: NewProvider): Promise<Provider> {
    const { userId, name, providerType, specialty, licenseNumber, npiNumber, status = 'active' } = provider;
    const [row] = await this.database.query<Provider>(insertProvider, [
      clinicId,
      ...[userId, name, providerType, specialty, licenseNumber, npiNumber].map((value) => value ?? null),
      status,
    ]);
    if (!row) throw new NotFound();
    return row;
  }

  async change(clinicId: string, providerId: string, changes: ProviderChanges, ifMatch?: string): Promise<Provider> {
    const present = await this.database.first<Provider>(`${getProvider} FOR UPDATE`, [clinicId, providerId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    const where = { clinic_id: clinicId, id: providerId };
    const update = partialUpdate({
      table: 'public.providers',
      where,
      changes,
      columns: changeable,
      returning: columns,
    });
    if (!update) return present;
    const [row] = await this.database.query<Provider>(update.text, update.values);
    if (!row) throw new NotFound();
    return row;
  }

  /** Something that refers to the provider keeps it (409 `still-referenced`): make it inactive instead. */
  async remove(clinicId: string, providerId: string): Promise<void> {
    const [removed] = await this.database.query(deleteProvider, [clinicId, providerId]);
    if (!removed) throw new NotFound();
  }
}

const listProviders = `
  SELECT ${columns} FROM public.providers
   WHERE clinic_id = $1
     AND ($2::text IS NULL OR status = $2)
     AND ($3::text IS NULL OR (name, id) > ($3, $4::uuid))
   ORDER BY name, id LIMIT $5`;

const getProvider = `SELECT ${columns} FROM public.providers WHERE clinic_id = $1 AND id = $2`;

const insertProvider = `
  INSERT INTO public.providers
    (clinic_id, user_id, name, provider_type, specialty, license_number, npi_number, status, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, app.user_id())
  RETURNING ${columns}`;

const deleteProvider = 'DELETE FROM public.providers WHERE clinic_id = $1 AND id = $2 RETURNING id';

const changeable = {
  userId: 'user_id',
  name: 'name',
  providerType: 'provider_type',
  specialty: 'specialty',
  licenseNumber: 'license_number',
  npiNumber: 'npi_number',
  status: 'status',
};
