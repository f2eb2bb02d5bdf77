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
    const rows = await this.database.query<EventRow>(listEvents, [
      clinicId,
      ...filters,
      after,
      afterId,
      query.limit + 1,
    ]);
    return toPage(rows, query.limit, (row) => this.cursors.encode([row.cursorAt, row.id], purpose));
  }
}

/** The cursor carries microseconds, which a JavaScript date would lose. */
const listEvents = `
  SELECT id, occurred_at, actor_id, database_role, session_id, request_id, host(address) AS address, route,
         table_name, action, row_id, organisation_id, clinic_id, changes, occurred_at::text AS cursor_at
    FROM audit.events
   WHERE ($1::uuid IS NULL OR clinic_id = $1)
     AND ($2::timestamptz IS NULL OR occurred_at >= $2)
     AND ($3::timestamptz IS NULL OR occurred_at < $3)
     AND ($4::uuid IS NULL OR actor_id = $4)
     AND ($5::text IS NULL OR table_name = $5)
     AND ($6::text IS NULL OR row_id = $6)
     AND ($7::text IS NULL OR action = $7)
     AND ($8::timestamptz IS NULL OR (occurred_at, id) < ($8, $9::uuid))
   ORDER BY occurred_at DESC, id DESC
   LIMIT $10`;
