import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** What must hold of every table, view and function that exists, and of every one that is yet to come. */

const schemas = `('app', 'auth', 'public', 'audit', 'jobs')`;
const apiRoles = `('polyclinic_api', 'anon', 'authenticated', 'super_admin', 'service_role', 'public')`;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const names = async (text: string): Promise<string[]> =>
  (await database.sql<{ name: string }>(text)).map(({ name }) => name);

const ourTables = `
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname IN ${schemas}`;

describe('Every table', () => {
  it('is there at all: the questions below find something to ask about', async () => {
    expect((await names(`SELECT c.relname AS name ${ourTables}`)).length).toBeGreaterThan(12);
  });

  it('enables and forces row-level security', async () => {
    expect(
      await names(`SELECT c.oid::regclass AS name ${ourTables} AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`),
    ).toEqual([]);
  });

  it('belongs to an owner that nobody can log in as', async () => {
    const owned = await names(`SELECT c.oid::regclass || ' ' || r.rolname AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
     WHERE n.nspname IN ${schemas} AND c.relkind IN ('r', 'p', 'v', 'S')
       AND (r.rolcanlogin OR r.rolname NOT IN ('polyclinic_owner', 'polyclinic_jobs'))`);
    expect(owned).toEqual([]);
  });

  it('has exactly one permissive policy for each command that it grants to a role, named after both', async () => {
    const missing = await names(`
      SELECT g.table_schema || '.' || g.table_name || ' ' || g.grantee || ' ' || g.privilege_type AS name
        FROM (SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.table_privileges
              UNION SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.column_privileges) g
       WHERE g.table_schema IN ${schemas} AND g.grantee IN ${apiRoles} AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
         -- A view has none of its own: it is read with the rights of who asks.
         AND (g.table_schema, g.table_name) NOT IN (SELECT v.table_schema, v.table_name FROM information_schema.views v)
         AND 1 <> (SELECT count(*) FROM pg_policies p
                    WHERE p.schemaname = g.table_schema AND p.tablename = g.table_name AND p.cmd = g.privilege_type
                      AND p.permissive = 'PERMISSIVE' AND p.roles = ARRAY[g.grantee::name]
                      AND p.policyname = g.grantee || '_' || lower(g.privilege_type))`);
    expect(missing).toEqual([]);
  });

  it('grants nothing but rows and columns: no TRUNCATE, TRIGGER, REFERENCES, and nothing to PUBLIC or the bare login', async () => {
    const surplus = await names(`
      SELECT table_schema || '.' || table_name || ' ' || grantee || ' ' || privilege_type AS name
        FROM (SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.table_privileges
              UNION SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.column_privileges) g
       WHERE table_schema IN ${schemas} AND grantee NOT IN ('polyclinic_owner', 'polyclinic_jobs', 'postgres')
         AND (grantee IN ('PUBLIC', 'polyclinic_api') OR privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))`);
    expect(surplus).toEqual([]);
  });

  it('has an index that leads with each column that its policies ask for', async () => {
    const unindexed = await names(`
      SELECT DISTINCT c.oid::regclass || '.' || a.attname AS name
        FROM pg_policies p
        JOIN pg_class c ON c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
       WHERE p.roles <> '{polyclinic_owner}' AND p.cmd <> 'INSERT' AND a.attname ~ '_id$|^id$'
         AND coalesce(p.qual, '') ~ ('(^|[^._a-z])' || a.attname || ' = ')
         AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum)`);
    expect(unindexed).toEqual([]);
  });

  it('is unique in no flag: one active row of many is a partial index, UNIQUE (owner, is_active) allows one of each', async () => {
    const flagged = await names(`
      SELECT i.indexrelid::regclass AS name
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname IN ${schemas} AND i.indisunique
         AND EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND a.atttypid = 'boolean'::regtype)`);
    expect(flagged).toEqual([]);
  });

  it('says in a comment what it is', async () => {
    expect(await names(`SELECT c.oid::regclass AS name ${ourTables} AND obj_description(c.oid) IS NULL`)).toEqual([]);
  });
});

describe('Every policy', () => {
  it('is for one command and one role; only the owner has one for all', async () => {
    const wide = await names(`SELECT schemaname || '.' || tablename || ' ' || policyname AS name FROM pg_policies
      WHERE (cmd = 'ALL' AND policyname <> 'owner_all') OR cardinality(roles) <> 1
         OR (policyname = 'owner_all' AND roles NOT IN ('{polyclinic_owner}', '{polyclinic_jobs}'))`);
    expect(wide).toEqual([]);
  });

  it('checks what an INSERT or UPDATE writes', async () => {
    expect(
      await names(
        `SELECT policyname AS name FROM pg_policies WHERE cmd IN ('INSERT', 'UPDATE') AND with_check IS NULL`,
      ),
    ).toEqual([]);
  });

  it('asks for memberships once per statement, as a sub-select without a column', async () => {
    const perRow = await names(`
      SELECT schemaname || '.' || tablename || ' ' || policyname AS name FROM pg_policies
       WHERE regexp_replace(coalesce(qual, '') || coalesce(with_check, ''),
             '\\( ?SELECT (app\\.)?(user_id|clinic_ids|active_clinic_ids|active_clinic_ids_as|organisation_ids|staffed_organisation_ids|own_provider_ids|colleague_ids|user_type)\\([^()]*\\)( AS \\w+)?\\)', '', 'g')
             ~ '[a-z_]+\\('`);
    expect(perRow).toEqual([]);
  });

  it('gives only super_admin and service_role every row of a table', async () => {
    expect(
      await names(`SELECT tablename || ' ' || policyname AS name FROM pg_policies
      WHERE qual = 'true' AND roles && '{anon,authenticated}'`),
    ).toEqual([]);
  });
});

describe('Every column that decides access or holds a secret', () => {
  it.each([
    ['auth.users', 'password_hash', 'SELECT'],
    ['auth.sessions', 'refresh_hash', 'SELECT'],
    ['auth.sessions', 'previous_refresh_hash', 'SELECT'],
    ['auth.one_time_tokens', 'token_hash', 'SELECT'],
    ['auth.facebook_authorizations', 'state_hash', 'SELECT'],
    ['auth.facebook_codes', 'code_hash', 'SELECT'],
    ['auth.facebook_codes', 'facebook_user_id', 'SELECT'],
    ['auth.meta_callbacks', 'code_hash', 'SELECT'],
    ['public.invitations', 'token_hash', 'SELECT'],
  ])('%s.%s is readable by no role of the API', async (table, column, privilege) => {
    const readers = await database.sql<{ role: string }>(
      `SELECT role FROM unnest(ARRAY['anon', 'authenticated', 'super_admin', 'service_role', 'polyclinic_api']) AS role
        WHERE has_column_privilege(role, $1, $2, $3)`,
      [table, column, privilege],
    );
    expect(readers).toEqual([]);
  });

  it.each([
    ['public.profiles', 'user_type'],
    ['public.profiles', 'id'],
    ['public.clinics', 'organisation_id'],
    ['public.user_clinic_roles', 'clinic_id'],
    ['public.user_clinic_roles', 'user_id'],
    ['public.organisation_members', 'organisation_id'],
    ['public.providers', 'clinic_id'],
    ['public.invitations', 'clinic_id'],
    ['public.invitations', 'clinic_role'],
  ])('%s.%s is not updatable by an ordinary user', async (table, column) => {
    const [answer] = await database.sql<{ may: boolean }>(
      `SELECT has_column_privilege('authenticated', $1, $2, 'UPDATE') AS may`,
      [table, column],
    );
    expect(answer?.may).toBe(false);
  });

  it('that is sealed comes out to the service alone', async () => {
    const readable = await database.sql<{ name: string }>(
      `SELECT a.attrelid::regclass || '.' || a.attname || ' by ' || r.role AS name
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
              CROSS JOIN unnest(ARRAY['anon', 'authenticated', 'super_admin']) r (role)
        WHERE a.attname LIKE '%sealed' AND has_column_privilege(r.role, a.attrelid, a.attnum, 'SELECT')`,
    );
    expect(readable).toEqual([]);
  });

  it('is spared from an update that would move a row into another tenant: no tenant column is granted for UPDATE', async () => {
    expect(
      await names(`SELECT table_name || '.' || column_name AS name FROM information_schema.column_privileges
      WHERE privilege_type = 'UPDATE' AND grantee IN ('anon', 'authenticated') AND table_schema IN ${schemas}
        AND column_name IN ('clinic_id', 'organisation_id', 'created_by')`),
    ).toEqual([]);
  });
});

describe('Every function', () => {
  const ourFunctions = `FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname IN ${schemas} AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = f.oid AND d.deptype = 'e')`;

  it('has a fixed search path, or a body that was bound when it was created', async () => {
    expect(
      await names(`SELECT f.oid::regprocedure AS name ${ourFunctions}
      AND f.prosqlbody IS NULL AND NOT coalesce(f.proconfig, '{}') && ARRAY['search_path=""', 'search_path=']`),
    ).toEqual([]);
  });

  it('is executable by nobody to whom it was not granted', async () => {
    expect(
      await names(`SELECT f.oid::regprocedure AS name ${ourFunctions}
      AND EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee = 0)`),
    ).toEqual([]);
  });

  it('that runs as its owner for a role of the API is one of these, each with its reason in its migration', async () => {
    const definers = await names(`SELECT DISTINCT n.nspname || '.' || f.proname AS name ${ourFunctions} AND f.prosecdef
      AND EXISTS (SELECT FROM aclexplode(f.proacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname IN ${apiRoles}) ORDER BY 1`);
    expect(definers).toEqual([
      'app.accept_invitation',
      'app.active_clinic_ids',
      'app.active_clinic_ids_as',
      'app.add_fact_partitions',
      'app.applied_migrations',
      'app.begin_request',
      'app.begin_work',
      'app.clinic_has_facts',
      'app.clinic_ids',
      'app.colleague_ids',
      'app.find_person',
      'app.forget_messenger_user',
      'app.invitation_address',
      'app.is_connected',
      'app.organisation_ids',
      'app.own_provider_ids',
      'app.reseal_connection_token',
      'app.reseal_instagram_token',
      'app.staffed_organisation_ids',
      'audit.drop_month',
      'audit.make_partitions',
      'audit.month_digest',
      'audit.month_lines',
      'audit.months_before',
      'audit.read',
      'auth.begin_facebook_login',
      'auth.change_password',
      'auth.credentials',
      'auth.exchange_facebook_code',
      'auth.forget_facebook_user',
      'auth.keep_facebook_code',
      'auth.link_facebook_code',
      'auth.meta_callback_state',
      'auth.open_session',
      'auth.own_password_hash',
      'auth.receive_meta_callback',
      'auth.register',
      'auth.renew_password_hash',
      'auth.reset_password',
      'auth.rotate_session',
      'auth.sign_in_with_facebook',
      'auth.token_email',
      'auth.use_facebook_state',
      'auth.verify_email',
      'jobs.dead',
      'jobs.enqueue',
      'jobs.queue_health',
      'jobs.recent_runs',
      'jobs.retry',
      'jobs.tick',
      'public.check_clinic_access',
    ]);
  });

  it('builds no statement out of what it is given: those that build any take tables of a list, or a name made of a date', async () => {
    expect(
      await names(
        `SELECT n.nspname || '.' || f.proname AS name ${ourFunctions} AND f.prosrc ~* '\\mexecute\\M' ORDER BY 1`,
      ),
    ).toEqual([
      'app.add_fact_partitions',
      'app.clinic_has_facts',
      'app.close_partition',
      // A day becomes `events_YYYY_MM`: these two take no text.
      'audit.drop_month',
      'audit.make_partition',
    ]);
    const writers = await names(`SELECT DISTINCT a.privilege_type || ' ' || r.rolname AS name
      FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
     WHERE c.oid = 'app.fact_tables'::regclass AND r.rolname IN ${apiRoles}`);
    expect(writers).toEqual([]);
  });

  it('that begins a transaction is for the bare login alone', async () => {
    const executors = await names(`SELECT f.proname || ' ' || r.rolname AS name
      FROM pg_proc f CROSS JOIN LATERAL aclexplode(f.proacl) a JOIN pg_roles r ON r.oid = a.grantee
     WHERE f.oid IN ('app.begin_work'::regproc, (SELECT oid FROM pg_proc WHERE proname = 'begin_request'))
       AND r.rolname <> 'polyclinic_owner' ORDER BY 1`);
    expect(executors).toEqual(['begin_request polyclinic_api', 'begin_work polyclinic_api']);
  });

  it('of the queue itself is out of reach: jobs are added through one door', async () => {
    expect(
      await names(`SELECT f.oid::regprocedure || ' ' || r AS name
      FROM pg_proc f, unnest(ARRAY['anon', 'authenticated', 'super_admin', 'service_role']) AS r
     WHERE f.pronamespace = 'graphile_worker'::regnamespace AND has_schema_privilege(r, 'graphile_worker', 'USAGE')`),
    ).toEqual([]);
  });
});

describe('The login of the API', () => {
  it('is no superuser, bypasses nothing and inherits nothing', async () => {
    const [login] = await database.sql(
      `SELECT rolsuper, rolbypassrls, rolinherit, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'polyclinic_api'`,
    );
    expect(login).toEqual({
      rolsuper: false,
      rolbypassrls: false,
      rolinherit: false,
      rolcreaterole: false,
      rolcreatedb: false,
    });
  });

  it('can become the four request roles and the queue, and never the owner', async () => {
    expect(
      await names(`SELECT g.rolname AS name FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
      JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = 'polyclinic_api' ORDER BY 1`),
    ).toEqual(['anon', 'authenticated', 'polyclinic_jobs', 'service_role', 'super_admin']);
  });
});

describe('The audit log', () => {
  it('can be changed and deleted by nobody that the API can become', async () => {
    expect(
      await names(`SELECT role AS name FROM unnest(ARRAY['anon', 'authenticated', 'super_admin', 'service_role', 'polyclinic_api', 'polyclinic_jobs']) AS role
      WHERE has_table_privilege(role, 'audit.events', 'INSERT, UPDATE, DELETE, TRUNCATE')`),
    ).toEqual([]);
  });

  it('refuses a change even by its owner', async () => {
    await expect(database.sql('DELETE FROM audit.events')).rejects.toThrow('append-only');
    await expect(database.sql(`UPDATE audit.events SET action = 'read'`)).rejects.toThrow('append-only');
  });
});

describe('Every table whose changes leave a trace', () => {
  it('has the key by which its trace finds a row before and after a change', async () => {
    const traced = await database.sql<{ table: string; key: string; found: boolean }>(
      `SELECT t.tgrelid::regclass::text AS table, k.key,
              EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.tgrelid AND a.attname = k.key) AS found
         FROM pg_trigger t, LATERAL (SELECT split_part(encode(t.tgargs, 'escape'), E'\\\\000', 4) AS named) n,
              LATERAL (SELECT CASE WHEN n.named = '' THEN 'id' ELSE n.named END AS key) k
        WHERE t.tgfoid = 'audit.record()'::regprocedure AND t.tgparentid = 0 AND t.tgtype & 16 > 0
          AND (SELECT bool_or(has_any_column_privilege(role, t.tgrelid, 'UPDATE'))
                 FROM unnest(ARRAY['authenticated', 'service_role']) AS role)`,
    );
    expect(traced.length).toBeGreaterThan(20);
    expect(traced).toContainEqual({ table: 'doctor_settings', key: 'doctor_id', found: true });
    expect(traced.filter(({ found }) => !found)).toEqual([]);
  });
});

describe('Every view', () => {
  it('is read with the rights of who asks', async () => {
    expect(
      await names(`SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('v', 'm') AND n.nspname IN ${schemas} AND NOT coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true']`),
    ).toEqual([]);
  });
});
