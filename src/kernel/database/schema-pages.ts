import pg from 'pg';

const schemas = ['app', 'auth', 'public', 'audit', 'jobs'];
const roles = ['anon', 'authenticated', 'super_admin', 'service_role'];
const commands = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

interface Column {
  table: string;
  description: string | null;
  name: string;
  type: string;
  isRequired: boolean;
  comment: string | null;
}

interface Policy {
  table: string;
  role: string;
  command: (typeof commands)[number];
  rows: string | null;
  becoming: string | null;
  columns: string[] | null;
}

/** docs/schema.md: every table and column, from the catalogue. */
export async function schemaPage(url: string): Promise<string> {
  const columns = await ask<Column>(url, columnsQuery);
  const tables = [...new Set(columns.map(({ table }) => table))];
  const sections = tables.map((table) => {
    const own = columns.filter((column) => column.table === table);
    const rows = own.map(
      ({ name, type, isRequired, comment }) => `| ${name} | ${type} | ${isRequired ? 'yes' : ''} | ${comment ?? ''} |`,
    );
    return [
      `## ${table}`,
      '',
      own[0]?.description ?? '',
      '',
      '| column | type | required | |',
      '| --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n');
  });
  return ['# Schema', '', 'Written from a migrated database by `npm run docs`.', '', ...sections].join('\n');
}

/** docs/access-matrix.md: for each table and role, the rows and columns of each command, from policies and grants. */
export async function accessMatrixPage(url: string): Promise<string> {
  const policies = await ask<Policy>(url, policiesQuery);
  const tables = [...new Set(policies.map(({ table }) => table))];
  const sections = tables.map((table) => {
    const own = policies.filter((policy) => policy.table === table);
    const rows = roles.map(
      (role) => `| ${role} | ${commands.map((command) => cell(own, role, command)).join(' | ')} |`,
    );
    return [
      `## ${table}`,
      '',
      '| | select | insert | update | delete |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n');
  });
  return [
    '# Who may do what',
    '',
    'Written from `pg_policies` and the grants of a migrated database by `npm run docs`. Empty: not at all. `clinic ≥ staff`:',
    'the rows of clinics in which the caller has at least that role; owners and managers of the organisation count as',
    '`clinic_admin`. In brackets: only these columns.',
    '',
    ...sections,
  ].join('\n');
}

function cell(policies: readonly Policy[], role: string, command: Policy['command']): string {
  const policy = policies.find((each) => each.role === role && each.command === command);
  if (!policy) return '';
  const columns = policy.columns ? ` (${policy.columns.join(', ')})` : '';
  return `${inWords(policy.rows ?? policy.becoming ?? '')}${columns}`;
}

/** `(clinic_id = ANY (( SELECT app.clinic_ids('staff'::app.clinic_role) ...)))` -> `clinic ≥ staff`. */
function inWords(condition: string): string {
  if (condition === 'true') return 'every row';
  const bare = condition.includes(' OR ') ? condition : condition.replace(/^\((.*)\)$/, '$1');
  return bare
    .replace(
      /\w+ = ANY \(\(?\(? ?SELECT (?:app\.)?(active_)?(clinic|organisation)_ids\('(\w+)'[^)]*\)[^)]*\)\)?::uuid\[\]\)/g,
      (_, active, kind, role) => `${active ? 'active ' : ''}${kind} ≥ ${role}`,
    )
    .replace(
      /\w+ = ANY \(\(?\(? ?SELECT (?:app\.)?organisation_ids\([^)]*\)[^)]*\)\)?::uuid\[\]\)/g,
      'related organisation',
    )
    .replace(/\w+ = ANY \(\(?\(? ?SELECT (?:app\.)?colleague_ids\(\)[^)]*\)\)?::uuid\[\]\)/g, 'self and colleagues')
    .replace(/(\w+) = \( SELECT (?:app\.)?user_id\(\)[^)]*\)/g, 'own ($1)')
    .replace(/::app\.\w+/g, '')
    .replaceAll('|', '\\|');
}

async function ask<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(text, [schemas])).rows;
  } finally {
    await client.end();
  }
}

const columnsQuery = `
  SELECT n.nspname || '.' || c.relname AS "table", obj_description(c.oid) AS description, a.attname AS name,
         format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "isRequired", col_description(c.oid, a.attnum) AS comment
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY ($1)
   ORDER BY 1, a.attnum`;

/** The columns of a grant, where it is for some only. A partition is reached through its table alone. */
const policiesQuery = `
  SELECT p.schemaname || '.' || p.tablename AS "table", p.roles[1] AS role, p.cmd AS command, p.qual AS rows,
         p.with_check AS becoming,
         (SELECT array_agg(g.column_name::text ORDER BY a.attnum)
            FROM information_schema.column_privileges g
            JOIN pg_attribute a ON a.attrelid = format('%I.%I', p.schemaname, p.tablename)::regclass AND a.attname = g.column_name
           WHERE g.table_schema = p.schemaname AND g.table_name = p.tablename AND g.grantee = p.roles[1]
             AND g.privilege_type = p.cmd
             AND NOT has_table_privilege(p.roles[1], format('%I.%I', p.schemaname, p.tablename), p.cmd)) AS columns
    FROM pg_policies p
    JOIN pg_class t ON t.oid = format('%I.%I', p.schemaname, p.tablename)::regclass AND NOT t.relispartition
   WHERE p.schemaname = ANY ($1) AND p.policyname <> 'owner_all'
   ORDER BY 1, 2, 3`;
