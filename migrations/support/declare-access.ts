import type { QueryRunner } from 'typeorm';

/**
 * Declares who may do what with the rows of a table, and writes the policies, grants and audit triggers from it.
 *
 * What this file emits never changes once a migration that uses it has landed: a new form is a new function beside it.
 */

type ApiRole = 'anon' | 'authenticated' | 'super_admin' | 'service_role';
type Command = 'select' | 'insert' | 'update' | 'delete';

/** Rows and columns of one command. `rows` is an SQL condition: use the builders below, which ask once per statement. */
export interface Grant {
  rows: string;
  /** Only these columns; all of them unless given. Leave those that decide access out of an update. */
  columns?: readonly string[];
}

export interface TableAccess {
  /** With its schema: `public.providers`. */
  table: string;
  access: Partial<Record<ApiRole, Partial<Record<Command, Grant>>>>;
  /** What a change leaves in the audit log; `false` with a reason in the migration for tables that need no trace. */
  audit: AuditDeclaration | false;
}

export interface AuditDeclaration {
  /** The column that names the clinic, where there is one. */
  clinic?: string;
  /** The column that names the organisation, where there is one. Else it is taken from the clinic. */
  organisation?: string;
  /** Sealed, hashed and health columns: the log tells that they changed, not from what to what. */
  masked?: readonly string[];
}

/** Every row: for `super_admin`, whose accesses are audited, and for public catalogues. */
export const everyRow = 'true';

/** Rows whose column names the caller. */
export const ownRows = (column: string): string => `${column} = (SELECT app.user_id())`;

/** Rows of the clinics in which the caller has at least this role. */
export const clinicRows = (column: string, role: string): string =>
  `${column} = ANY ((SELECT app.clinic_ids('${role}'))::uuid[])`;

/** The same for writes: an inactive clinic is read-only. */
export const activeClinicRows = (column: string, role: string): string =>
  `${column} = ANY ((SELECT app.active_clinic_ids('${role}'))::uuid[])`;

/** Writes that a rank does not give: active clinics in which the caller's role is one of these, and no other. */
export const activeClinicRowsAs = (column: string, ...roles: readonly string[]): string =>
  `${column} = ANY ((SELECT app.active_clinic_ids_as('{${roles.join(',')}}'))::uuid[])`;

/** Rows of the organisations in which the caller has at least this role. */
export const organisationRows = (column: string, role: string): string =>
  `${column} = ANY ((SELECT app.organisation_ids('${role}'))::uuid[])`;

/** Rows of the organisations that the caller belongs to in any way, a role in one of their clinics included. */
export const relatedOrganisationRows = (column: string): string =>
  `${column} = ANY ((SELECT app.organisation_ids())::uuid[])`;

/** Rows of the organisations that the caller manages, or in one of whose active clinics they have at least this role. */
export const staffedOrganisationRows = (column: string, clinicRole: string): string =>
  `${column} = ANY ((SELECT app.staffed_organisation_ids('${clinicRole}'))::uuid[])`;

export const either = (...conditions: readonly string[]): string => conditions.map((each) => `(${each})`).join(' OR ');
export const both = (...conditions: readonly string[]): string => conditions.map((each) => `(${each})`).join(' AND ');

/** All four commands on every row, which is what `super_admin` has on ordinary tables. */
export const everything: Record<Command, Grant> = {
  select: { rows: everyRow },
  insert: { rows: everyRow },
  update: { rows: everyRow },
  delete: { rows: everyRow },
};

/** Enables and forces row-level security, then writes exactly the declared policies, grants and audit triggers. */
export async function declareAccess(queryRunner: QueryRunner, declaration: TableAccess): Promise<void> {
  for (const statement of statementsFor(declaration)) await queryRunner.query(statement);
}

function statementsFor({ table, access, audit }: TableAccess): string[] {
  const grants = Object.entries(access).flatMap(([role, commands]) =>
    Object.entries(commands).flatMap(([command, grant]) => grantStatements(table, role, command, grant)),
  );
  return [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`,
    // FORCE binds the owner too; the context functions and triggers that run as the owner see through this one policy.
    `CREATE POLICY owner_all ON ${table} TO polyclinic_owner USING (true) WITH CHECK (true)`,
    ...grants,
    ...(audit ? auditStatements(table, audit) : []),
  ];
}

function grantStatements(table: string, role: string, command: string, grant: Grant): string[] {
  const columns = grant.columns ? ` (${grant.columns.join(', ')})` : '';
  const using = command === 'insert' ? '' : ` USING (${grant.rows})`;
  const check = command === 'insert' || command === 'update' ? ` WITH CHECK (${grant.rows})` : '';
  const verb = command.toUpperCase();
  return [
    `GRANT ${verb}${columns} ON ${table} TO ${role}`,
    `CREATE POLICY ${role}_${command} ON ${table} FOR ${verb} TO ${role}${using}${check}`,
  ];
}

function auditStatements(table: string, { clinic = '', organisation = '', masked = [] }: AuditDeclaration): string[] {
  const images = {
    insert: 'NEW TABLE AS new_rows',
    update: 'OLD TABLE AS old_rows NEW TABLE AS new_rows',
    delete: 'OLD TABLE AS old_rows',
  };
  return Object.entries(images).map(
    ([command, tables]) =>
      `CREATE TRIGGER audit_${command} AFTER ${command.toUpperCase()} ON ${table} REFERENCING ${tables}
       FOR EACH STATEMENT EXECUTE FUNCTION audit.record('${clinic}', '${organisation}', '${masked.join(',')}')`,
  );
}
