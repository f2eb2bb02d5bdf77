import { z } from 'zod';
import { pageOf, pageQuery } from '../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../kernel/http/primitives.js';

const auditActions = ['insert', 'update', 'delete', 'read', 'access', 'refuse'] as const;

export const AuditEvent = z
  .object({
    id: Uuid,
    occurredAt: Timestamp,
    actorId: Uuid.nullable(),
    databaseRole: z.string(),
    sessionId: Uuid.nullable(),
    requestId: z.string().nullable(),
    address: z.string().nullable(),
    route: z.string().nullable(),
    tableName: z.string(),
    action: z.enum(auditActions),
    rowId: z.string().nullable(),
    organisationId: Uuid.nullable(),
    clinicId: Uuid.nullable(),
    changes: z
      .record(z.string(), z.array(z.unknown()))
      .nullable()
      .meta({ description: 'Column -> [old, new]. Masked columns say only that they changed.' }),
  })
  .meta({ id: 'AuditEvent' });
export type AuditEvent = z.input<typeof AuditEvent>;

export const AuditEvents = pageOf(AuditEvent, 'AuditEvents');
export type AuditEvents = z.input<typeof AuditEvents>;

export const AuditQuery = pageQuery.extend({
  from: z.iso.datetime().optional().meta({ description: 'Events at or after this time.' }),
  to: z.iso.datetime().optional().meta({ description: 'Events before this time.' }),
  actorId: Uuid.optional(),
  table: z.string().max(100).optional().meta({ description: 'With its schema: `public.providers`.' }),
  rowId: z.string().max(100).optional(),
  action: z.enum(auditActions).optional(),
});
export type AuditQuery = z.infer<typeof AuditQuery>;
