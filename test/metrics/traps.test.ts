import { demoAddress } from '../../src/demo/demo.js';
import { JobRegistry } from '../../src/kernel/jobs/job-registry.js';
import { type Service, startService } from '../support/service.js';

/** Traps that older systems fell into, as far as they are not of one noun alone. */

let service: Service;
let clinicId: string;

beforeAll(async () => {
  service = await startService();
  const token = await service.tokenOf(demoAddress('clinic_admin', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token })).body.data[0].id;
});
afterAll(() => service.stop());

describe('Rows without a clinic, which everybody may read', () => {
  const asClinicAdmin = async (statement: string) => {
    const [user] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [
      demoAddress('clinic_admin', 'northside'),
    ]);
    await service.database.sql(`
      BEGIN;
      SELECT set_config('app.user_id', '${user?.id}', true), set_config('app.clinic_id', '${clinicId}', true);
      SET LOCAL ROLE authenticated;
      ${statement};
      COMMIT`);
  };

  // An invitation without a clinic is one of its organisation, which its policies ask for; what a person owns is theirs.
  it('are in no table but those of what the system brings, and are marked as that', async () => {
    const rows = await service.database.sql<{ name: string; marked: boolean }>(`
      SELECT t.relname AS name, EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'c'
               AND pg_get_constraintdef(k.oid) ~ '^CHECK \\(\\(is_system(_template)? = \\(clinic_id IS NULL\\)\\)\\)') AS marked
        FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'clinic_id'
       WHERE t.relkind IN ('r', 'p') AND t.relnamespace = 'public'::regnamespace AND NOT t.relispartition
         AND NOT a.attnotnull AND t.relname <> 'invitations'
         AND NOT EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = t.oid AND o.attnotnull
                            AND o.attname IN ('owner_id', 'doctor_id', 'user_id'))
       ORDER BY 1`);
    expect(rows).toEqual([
      { name: 'goal_templates', marked: true },
      { name: 'metric_definitions', marked: true },
    ]);
  });

  const definition = (clinic: string, isSystem: boolean) => `
    INSERT INTO metric_definitions (clinic_id, code, name, data_type, category, is_composite, calculation_formula, postfix, is_system, created_by)
    VALUES (${clinic}, 'slipped_in', 'x', 'decimal', 'own', true, 'calls', '{calls}', ${isSystem}, app.user_id())`;
  const template = (clinic: string, isSystem: boolean) => `
    INSERT INTO goal_templates (clinic_id, name, metric_definition_id, target_formula, time_period, is_system_template, created_by)
    SELECT ${clinic}, 'Slipped in', id, '1', 'monthly', ${isSystem}, app.user_id() FROM metric_definitions WHERE code = 'calls'`;

  it.each([
    ['a definition', definition],
    ['a template', template],
  ])('come from no clinic: neither as %s of the system nor as one of nobody', async (_name, insert) => {
    await expect(asClinicAdmin(insert('NULL', true))).rejects.toMatchObject({ code: '42501' });
    await expect(asClinicAdmin(insert('NULL', false))).rejects.toMatchObject({ code: /42501|23514/ });
    await expect(asClinicAdmin(insert(`'${clinicId}'`, true))).rejects.toMatchObject({ code: /42501|23514/ });
  });
});

describe('Uniqueness over a provider that may be null', () => {
  it('holds of nulls too, in every index that has one', async () => {
    const indexes = await service.database.sql<{ name: string; definition: string }>(`
      SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
        JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = 'public'::regnamespace AND NOT t.relispartition
       WHERE (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary AND EXISTS (
               SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'provider_id' AND NOT a.attnotnull
                  AND pg_get_indexdef(i.indexrelid) ~ 'provider_id')`);
    expect(indexes.map(({ name }) => name).sort()).toEqual([
      'goals_metric_definition_id_excl',
      'metric_aggregations_period_start_key',
    ]);
    for (const { definition } of indexes) expect(definition).toMatch(/NULLS NOT DISTINCT|COALESCE\(provider_id/);
  });
});

describe('Cleaning up', () => {
  it('deletes no fact, no roll-up and no goal, however old they are', async () => {
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, source_reference, created_at)
       VALUES ($1, '2001-05-05', 'production', 5, 'old', '2001-05-05'), ($1, '2020-05-05', 'production', 7, NULL, '2020-05-05')`,
      [clinicId],
    );
    await service.database.sql(
      `INSERT INTO goals (clinic_id, metric_definition_id, name, time_period, start_date, end_date, target_value, direction, status, created_at)
       SELECT $1, id, 'Old', 'monthly', '2020-05-01', '2020-05-31', 7, 'at_least', 'active', '2020-05-01'
         FROM metric_definitions WHERE code = 'production' AND is_system`,
      [clinicId],
    );
    const scheduled = service.application
      .get(JobRegistry)
      .all()
      .filter(({ schedule }) => schedule !== undefined);
    // Twice: what one job closes or rolls up, the next could take for old.
    for (const job of [...scheduled, ...scheduled]) await job.run({});
    const kept = await service.database.sql(
      `SELECT (SELECT array_agg(date::text ORDER BY date) FROM financial_metrics WHERE clinic_id = $1 AND date < '2021-01-01') AS facts,
              (SELECT array_agg(a.period_start::text ORDER BY a.period_start) FROM metric_aggregations a
                WHERE a.clinic_id = $1 AND a.aggregation_type = 'daily' AND a.period_start < '2021-01-01') AS roll_ups,
              (SELECT source_reference FROM fact_sources WHERE clinic_id = $1 AND date = '2001-05-05') AS reference,
              (SELECT array_agg(status || ' ' || current_value) FROM goals WHERE clinic_id = $1 AND name = 'Old') AS goals`,
      [clinicId],
    );
    expect(kept).toEqual([
      {
        facts: ['2001-05-05', '2020-05-05'],
        roll_ups: ['2001-05-05', '2020-05-05'],
        reference: 'old',
        goals: ['achieved 7.00'],
      },
    ]);
  }, 30_000);
});
