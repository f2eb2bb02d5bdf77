import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';

interface PersonReference {
  userId?: string;
  email?: string;
}

type Tenant = { clinicId: string } | { organisationId: string };

/** Finds people who have an account, for whoever may add members to a tenant. */
@Injectable()
export class People {
  constructor(private readonly database: Database) {}

  /** @throws NotFound when nobody has that id or address */
  async find({ userId, email }: PersonReference, tenant: Tenant): Promise<string> {
    const clinicId = 'clinicId' in tenant ? tenant.clinicId : null;
    const organisationId = 'organisationId' in tenant ? tenant.organisationId : null;
    const row = await this.database.first<{ id: string | null }>('SELECT app.find_person($1, $2, $3, $4) AS id', [
      email ?? null,
      userId ?? null,
      clinicId,
      organisationId,
    ]);
    if (!row?.id) throw new NotFound('Nobody has an account of this id or address: send an invitation.');
    return row.id;
  }
}
