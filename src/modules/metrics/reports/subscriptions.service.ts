import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Deliveries, DeliveriesQuery, Delivery, Subscriptions } from './subscriptions.schemas.js';

const purpose = 'report deliveries';

/** The caller's own subscriptions, and what was sent. */
@Injectable()
export class SubscriptionsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async get(clinicId: string): Promise<Subscriptions> {
    const rows = await this.database.query<{ kind: string }>(listOwn, [clinicId]);
    const has = (kind: string) => rows.some((row) => row.kind === kind);
    return { weekly: has('weekly'), monthly: has('monthly') };
  }

  async set(clinicId: string, wanted: Subscriptions): Promise<Subscriptions> {
    const kinds = Object.entries(wanted).flatMap(([kind, isWanted]) => (isWanted ? [kind] : []));
    await this.database.query(removeOthers, [clinicId, kinds]);
    await this.database.query(insertMissing, [clinicId, kinds]);
    return this.get(clinicId);
  }

  async remove(clinicId: string): Promise<void> {
    await this.database.query(removeOthers, [clinicId, []]);
  }

  /** What was made for the caller; a clinic_admin sees that of all. */
  async deliveries(clinicId: string, query: DeliveriesQuery): Promise<Deliveries> {
    const [before] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const rows = await this.database.query<Delivery>(listDeliveries, [clinicId, before, query.limit + 1]);
    return toPage(rows, query.limit, ({ id }) => this.cursors.encode([id], purpose));
  }
}

const listOwn = 'SELECT kind FROM public.report_subscriptions WHERE clinic_id = $1 AND user_id = app.user_id()';

const removeOthers = `
  DELETE FROM public.report_subscriptions
   WHERE clinic_id = $1 AND user_id = app.user_id() AND NOT kind = ANY ($2::text[])`;

const insertMissing = `
  INSERT INTO public.report_subscriptions (clinic_id, user_id, kind)
  SELECT $1, app.user_id(), kind FROM unnest($2::text[]) AS kind
  ON CONFLICT DO NOTHING`;

const listDeliveries = `
  SELECT id, user_id, kind, period, state, created_at, sent_at FROM public.report_deliveries
   WHERE clinic_id = $1 AND ($2::uuid IS NULL OR id < $2)
   ORDER BY id DESC LIMIT $3`;
