import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { ConnectionHealth } from '../connections/health/connection-health.js';
import type { InstagramStatus } from './instagram-status.schemas.js';

/** How a doctor's own account is. */
@Injectable()
export class InstagramStatusService {
  constructor(
    private readonly database: Database,
    private readonly health: ConnectionHealth,
  ) {}

  async read(doctorId: string): Promise<InstagramStatus> {
    const health = await this.health.ofOwnInstagram(doctorId);
    const row = await this.database.first<Omit<InstagramStatus, 'health'>>(readStatus, [doctorId]);
    if (!row) throw new NotFound();
    return { ...row, health };
  }
}

/** One row in any case, whatever of both there is. */
const readStatus = `
  SELECT d.doctor_id IS NOT NULL AS connected, d.instagram_username AS name, d.facebook_page_name AS page_name,
         d.connected_at, coalesce(s.instagram_receptionist_paused, false) AS paused
    FROM (SELECT $1::uuid AS id) own
    LEFT JOIN public.doctor_instagram d ON d.doctor_id = own.id
    LEFT JOIN public.doctor_settings s ON s.doctor_id = own.id`;
