import { Injectable } from '@nestjs/common';
import { Cursors } from '../../kernel/http/cursor.js';
import { toPage } from '../../kernel/http/page.js';
import { Database } from '../../kernel/tenancy/database.js';
import type { AuditEvent, AuditEvents, AuditQuery } from './audit.schemas.js';

type EventRow = AuditEvent & { cursorAt: string };

const purpose = 'audit';

/** Reads the audit log, newest first. Row-level security shows a clinic's admins that clinic's lines only. */
@Injectable()
export class AuditService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async list(query: AuditQuery, clinicId: string | null = null): Promise<AuditEvents> {
    const [after, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const filters = [query.from, query.to, query.actorId, query.table, query.rowId, query.action].map(
      (each) => each ?? null,
    );
    const rows = await this.database.query<EventRow>(clinicId === null ? listOfAll : listOfClinic, [
      clinicId,
      ...filters,
      after,
      afterId,
      query.limit + 1,
    ]);
    return toPage(rows, query.limit, (row) => this.cursors.encode([row.cursorAt, row.id], purpose));
  }
}

/**
 * The cursor carries microseconds, which a JavaScript date would lose. Times without a value are the ends of time, so that
 * a plan that is kept for all values still leaves out the months that lie outside, and starts within the index.
 */
const listOf = (tenant: string): string => `
  SELECT id, occurred_at, actor_id, database_role, session_id, request_id, host(address) AS address, route,
         table_name, action, row_id, organisation_id, clinic_id, changes, occurred_at::text AS cursor_at
    FROM audit.events
   WHERE ${tenant}
     AND occurred_at >= coalesce($2::timestamptz, '-infinity')
     AND occurred_at < coalesce($3::timestamptz, 'infinity')
     AND ($4::uuid IS NULL OR actor_id = $4)
     AND ($5::text IS NULL OR table_name = $5)
     AND ($6::text IS NULL OR row_id = $6)
     AND ($7::text IS NULL OR action = $7)
     AND occurred_at <= coalesce($8::timestamptz, 'infinity')
     AND (occurred_at, id) < (coalesce($8::timestamptz, 'infinity'), coalesce($9::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
   ORDER BY occurred_at DESC, id DESC
   LIMIT $10`;

const listOfAll = listOf('$1::uuid IS NULL');
const listOfClinic = listOf('clinic_id = $1');
