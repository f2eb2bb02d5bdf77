/**
 * What a merge does alike for every table. Rows wait in temporary tables: COPY is refused on tables with row-level
 * security; these need no policy because nobody else can see them, write no log, and are gone with the transaction
 * however it ends, so that there is nothing to clean up after a crash.
 */

export const createRefusals = `CREATE TEMPORARY TABLE import_refusals
  (line integer, column_name text, field text, code text, message text) ON COMMIT DROP`;

export const createProviders = `CREATE TEMPORARY TABLE import_providers
  (name text PRIMARY KEY, provider_id uuid, matches integer) ON COMMIT DROP`;

export const copyRefusals = 'COPY pg_temp.import_refusals (line, column_name, field, code, message) FROM STDIN';

/** Providers by what the file calls them: their id, their exact name or their NPI, and of this clinic only. */
export const findProviders = `
  INSERT INTO pg_temp.import_providers (name, provider_id, matches)
  WITH named AS (SELECT DISTINCT provider FROM pg_temp.import_rows WHERE provider IS NOT NULL),
  keys AS (SELECT p.name AS key, p.id FROM public.providers p WHERE p.clinic_id = $1
     UNION SELECT p.npi_number, p.id FROM public.providers p WHERE p.clinic_id = $1 AND p.npi_number IS NOT NULL
     UNION SELECT p.id::text, p.id FROM public.providers p WHERE p.clinic_id = $1)
  SELECT n.provider, min(k.id::text)::uuid, count(k.id) FROM named n LEFT JOIN keys k ON k.key = n.provider GROUP BY 1`;

export const refuseProviders = `
  INSERT INTO pg_temp.import_refusals (line, field, code, message)
  SELECT r.line, 'provider', CASE p.matches WHEN 0 THEN 'unknown-provider' ELSE 'ambiguous-provider' END,
         CASE p.matches WHEN 0 THEN 'No provider of this clinic has this id, name or NPI.'
                        ELSE 'Several providers of this clinic have this name: use the NPI or the id.' END
    FROM pg_temp.import_rows r JOIN pg_temp.import_providers p ON p.name = r.provider WHERE p.matches <> 1`;

export const refuseMembers = `
  INSERT INTO pg_temp.import_refusals (line, field, code, message)
  SELECT r.line, 'staffMember', 'unknown-member', 'Nobody of this id is a member of this clinic.'
    FROM pg_temp.import_rows r
   WHERE r.staff_member_id IS NOT NULL AND NOT EXISTS (
         SELECT FROM public.user_clinic_roles m WHERE m.clinic_id = $1 AND m.user_id = r.staff_member_id)`;

/** The first of those that carry one reference counts; which of them is meant cannot be known of the others. */
export const refuseRepeated = `
  INSERT INTO pg_temp.import_refusals (line, field, code, message)
  SELECT line, 'sourceReference', 'reference-twice', 'Line ' || first || ' has the same reference.'
    FROM (SELECT line, min(line) OVER (PARTITION BY source_reference) AS first FROM pg_temp.import_rows
           WHERE source_reference IN (SELECT source_reference FROM pg_temp.import_rows
                                       WHERE source_reference IS NOT NULL GROUP BY 1 HAVING count(*) > 1)) r
   WHERE line > first`;

/** Of an import that only adds. Rows that are there already as they are do no harm: they are the same file again. */
export const refuseChanges = `
  INSERT INTO pg_temp.import_refusals (line, field, code, message)
  SELECT f.line, 'sourceReference', 'already-there', 'A fact of this reference is there with other values.'
    FROM pg_temp.import_facts f WHERE f.action = 'update'`;

export const leaveOutRefused = `
  UPDATE pg_temp.import_facts f SET action = 'refused'
   WHERE f.action <> 'refused' AND EXISTS (SELECT FROM pg_temp.import_refusals n WHERE n.line = f.line)`;

export const countActions = `
  SELECT (SELECT count(*) FROM pg_temp.import_facts WHERE action = 'insert')::integer AS inserted,
         (SELECT count(*) FROM pg_temp.import_facts WHERE action = 'update')::integer AS updated,
         (SELECT count(*) FROM pg_temp.import_facts WHERE action = 'same')::integer AS unchanged,
         (SELECT count(DISTINCT line) FROM pg_temp.import_refusals)::integer AS rejected`;

/** $1 clinic, $2 import, $3 the columns of the file by the fields that they were mapped to. */
export const keepRefusals = `
  INSERT INTO public.import_errors (clinic_id, import_id, line, column_name, field, code, message)
  SELECT $1, $2, line, coalesce(column_name, $3::jsonb ->> field), field, code, message
    FROM pg_temp.import_refusals ORDER BY line`;

/** One import at a time brings rows into a table of a clinic: two of the same file must not both miss its rows. */
export const takeTurns = `SELECT pg_advisory_xact_lock(hashtextextended('imports ' || $1::text || $2::text, 0))`;

/** Facts of an import are traced by it and not line by line in the audit log. */
export const markImport = `SELECT set_config('app.import_id', $1, true), set_config('work_mem', '64MB', true)`;
