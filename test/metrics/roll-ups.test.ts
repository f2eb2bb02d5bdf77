import fc from 'fast-check';
import pg from 'pg';
import { demoAddress } from '../../src/demo/demo.js';
import { RollUpJobs } from '../../src/modules/metrics/aggregations/roll-ups.jobs.js';
import { type Service, startService } from '../support/service.js';

/** The roll-ups against the facts: whatever is written, by however many, and whoever is killed meanwhile. */

interface Place {
  clinicId: string;
  providers: string[];
}

let service: Service;
let jobs: RollUpJobs;
let northside: Place;
let southbank: Place;

beforeAll(async () => {
  service = await startService();
  jobs = service.application.get(RollUpJobs);
  northside = await placeOf('northside');
  southbank = await placeOf('southbank');
});
afterAll(() => service.stop());
beforeEach(() =>
  service.database.sql(`
    TRUNCATE financial_metrics, appointment_metrics, call_metrics, patient_metrics, fact_sources, metric_dirty_days,
      metric_aggregations, roll_up_states`),
);

async function placeOf(slug: string): Promise<Place> {
  const rows = await service.database.sql<{ clinic: string; provider: string }>(
    `SELECT p.clinic_id AS clinic, p.id AS provider FROM providers p JOIN clinics c ON c.id = p.clinic_id
       JOIN organisations o ON o.id = c.organisation_id WHERE o.slug = $1 ORDER BY p.name`,
    [slug],
  );
  return { clinicId: rows[0]?.clinic ?? '', providers: rows.map(({ provider }) => provider) };
}

const produce = (place: Place, date: string, amount: number, provider: string | null = null) =>
  service.database.sql(
    `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, provider_id) VALUES ($1, $2, 'production', $3, $4)`,
    [place.clinicId, date, amount, provider],
  );

async function valuesOf(code: string, type: string, place = northside, provider: string | null = null) {
  const rows = await service.database.sql<{ start: string; value: string }>(
    `SELECT a.period_start::text AS start, a.value::float::text AS value FROM metric_roll_ups a
       JOIN metric_definitions d ON d.id = a.metric_definition_id
      WHERE a.clinic_id = $1 AND d.code = $2 AND a.aggregation_type = $3
        AND a.provider_id IS NOT DISTINCT FROM $4 ORDER BY 1`,
    [place.clinicId, code, type, provider],
  );
  return Object.fromEntries(rows.map(({ start, value }) => [start, Number(value)]));
}

/** What the table should hold, worked out from the facts alone, period by period and without any roll-up below it. */
const fromScratch = `
  SELECT m.clinic_id, d.id AS metric_definition_id, whole.provider_id, g.type AS aggregation_type,
         app.period_start(g.type, m.date) AS period_start, app.period_end(g.type, min(m.date)) AS period_end,
         count(*)::int AS count,
         CASE d.behaviour WHEN 'sum' THEN sum(m.value) WHEN 'mean' THEN sum(m.value * m.weight) / sum(m.weight)
           ELSE (array_agg(m.value ORDER BY m.date DESC, m.level_of DESC))[1] END AS value,
         min(m.value) AS minimum, max(m.value) AS maximum,
         avg(m.value::float) AS average, stddev_pop(m.value::float) AS standard_deviation
    FROM app.measures m
    JOIN metric_definitions d ON d.code = m.code
    CROSS JOIN unnest(ARRAY['daily', 'weekly', 'monthly', 'quarterly', 'yearly']) AS g (type)
    CROSS JOIN LATERAL (SELECT NULL::uuid AS provider_id UNION ALL SELECT m.provider_id WHERE m.provider_id IS NOT NULL) whole
   GROUP BY m.clinic_id, d.id, d.behaviour, whole.provider_id, g.type, app.period_start(g.type, m.date)`;

/** Roll-ups that are missing, superfluous or different. */
function differences() {
  return service.database.sql(`
    WITH expected AS (${fromScratch})
    SELECT coalesce(e.aggregation_type, a.aggregation_type) AS type, coalesce(e.period_start, a.period_start)::text AS start,
           e.value AS expected, a.value AS found, e.count, a.count AS found_count
      FROM expected e
      FULL JOIN metric_roll_ups a ON a.clinic_id = e.clinic_id AND a.metric_definition_id = e.metric_definition_id
       AND coalesce(a.provider_id, a.clinic_id) = coalesce(e.provider_id, e.clinic_id)
       AND a.aggregation_type = e.aggregation_type AND a.period_start = e.period_start
     WHERE e.clinic_id IS NULL OR a.clinic_id IS NULL OR a.period_end <> e.period_end
        OR (a.count, a.minimum, a.maximum) <> (e.count, e.minimum, e.maximum) OR abs(a.value - e.value) > 1e-9
        OR abs(a.average - e.average) > 1e-6 OR abs(a.standard_deviation - e.standard_deviation) > 1e-4
     LIMIT 5`);
}

describe('Roll-ups', () => {
  it('add up days, ISO weeks, months, quarters and years, of the clinic and of each provider', async () => {
    const [robin = '', sam = ''] = northside.providers;
    // A Thursday and the Friday after it lie in two years, two quarters, two months, and in one week.
    await produce(northside, '2025-12-31', 100, robin);
    await produce(northside, '2026-01-02', 20, sam);
    await produce(northside, '2026-01-02', 3);
    await jobs.rollUp();
    expect(await valuesOf('production', 'daily')).toEqual({ '2025-12-31': 100, '2026-01-02': 23 });
    expect(await valuesOf('production', 'weekly')).toEqual({ '2025-12-29': 123 });
    expect(await valuesOf('production', 'monthly')).toEqual({ '2025-12-01': 100, '2026-01-01': 23 });
    expect(await valuesOf('production', 'quarterly')).toEqual({ '2025-10-01': 100, '2026-01-01': 23 });
    expect(await valuesOf('production', 'yearly')).toEqual({ '2025-01-01': 100, '2026-01-01': 23 });
    expect(await valuesOf('production', 'yearly', northside, robin)).toEqual({ '2025-01-01': 100 });
    expect(await valuesOf('production', 'monthly', northside, sam)).toEqual({ '2026-01-01': 20 });
  });

  it('weight a rate with what it is a rate of, and take the last of a level', async () => {
    await service.database.sql(
      `INSERT INTO appointment_metrics (clinic_id, date, scheduled_count, utilization_rate)
       VALUES ($1, '2026-03-02', 30, 90), ($1, '2026-03-03', 10, 50), ($1, '2026-03-04', 0, 7)`,
      [northside.clinicId],
    );
    await service.database.sql(
      `INSERT INTO patient_metrics (clinic_id, date, active_patients) VALUES ($1, '2026-03-04', 1200), ($1, '2026-03-02', 900)`,
      [northside.clinicId],
    );
    await jobs.rollUp();
    expect(await valuesOf('utilization', 'monthly')).toEqual({ '2026-03-01': 80 });
    expect(await valuesOf('active_patients', 'yearly')).toEqual({ '2026-01-01': 1200 });
  });

  it('follow a fact that is changed, moved to another day, or deleted', async () => {
    await produce(northside, '2026-02-10', 100);
    await produce(northside, '2026-02-11', 5);
    await jobs.rollUp();
    await service.database.sql(`UPDATE financial_metrics SET amount = 50, date = '2026-05-01' WHERE amount = 100`);
    await jobs.rollUp();
    expect(await valuesOf('production', 'daily')).toEqual({ '2026-02-11': 5, '2026-05-01': 50 });
    expect(await valuesOf('production', 'quarterly')).toEqual({ '2026-01-01': 5, '2026-04-01': 50 });
    await service.database.sql('DELETE FROM financial_metrics');
    await jobs.rollUp();
    expect(await service.database.sql('SELECT 1 FROM metric_aggregations')).toEqual([]);
  });

  it('of many days at once are built from scratch, to the same end', async () => {
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, provider_id)
       SELECT $1, d::date, 'production', 7, $2 FROM generate_series('2025-01-01'::date, '2026-06-30', '1 day') d`,
      [northside.clinicId, northside.providers[0]],
    );
    await produce(southbank, '2026-01-01', 1);
    await jobs.rollUp();
    expect(await differences()).toEqual([]);
    expect(await valuesOf('production', 'yearly')).toEqual({ '2025-01-01': 2555, '2026-01-01': 1267 });
  });

  it('are there once per clinic, metric and period, although the clinic as a whole has no provider', async () => {
    await produce(northside, '2026-01-05', 1);
    await jobs.rollUp();
    await expect(
      service.database.sql('INSERT INTO metric_aggregations SELECT * FROM metric_aggregations'),
    ).rejects.toThrow('metric_aggregations_period_start_key');
  });
});

type Step =
  | { kind: 'insert' | 'delete' | 'roll-up' | 'kill' }
  | { kind: 'move'; days: number }
  | { kind: 'change'; amount: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ kind: 'insert' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'delete' }) },
  { weight: 3, arbitrary: fc.integer({ min: -40, max: 400 }).map<Step>((days) => ({ kind: 'move', days })) },
  { weight: 3, arbitrary: fc.integer({ min: -500, max: 500 }).map<Step>((amount) => ({ kind: 'change', amount })) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'roll-up' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'kill' }) },
);

const statements = {
  insert: `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, provider_id)
    SELECT p.clinic_id, date '2025-01-01' + (random() * 60)::int, (ARRAY['production', 'collection', 'refund'])[1 + (random() * 2)::int],
           round((random() * 900)::numeric, 2), CASE WHEN random() < 0.7 THEN p.id END FROM providers p`,
  delete: 'DELETE FROM financial_metrics WHERE random() < 0.3',
  move: 'UPDATE financial_metrics SET date = least(date + $1::int, current_date) WHERE random() < 0.3',
  change: 'UPDATE financial_metrics SET amount = amount + $1 WHERE random() < 0.3',
};

async function take(client: pg.Client, { kind, ...rest }: Step): Promise<void> {
  if (kind === 'roll-up') {
    await jobs.rollUp().catch(() => undefined);
  } else if (kind === 'kill') {
    await service.database.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'polyclinic_api'`,
    );
  } else {
    // Two that change the same rows may end in a deadlock: then one of them has changed nothing.
    await client.query(statements[kind], Object.values(rest)).catch(() => undefined);
  }
}

describe('After any sequence of writes by several sessions at once, with workers killed in between', () => {
  it('the roll-ups are those computed from scratch', async () => {
    const sessions = fc.array(fc.array(step, { minLength: 3, maxLength: 10 }), { minLength: 2, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(sessions, async (each) => {
        await Promise.all(each.map(runSession));
        await jobs.rollUp();
        expect(await service.database.sql('SELECT 1 FROM metric_dirty_days')).toEqual([]);
        expect(await differences()).toEqual([]);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  }, 120_000);
});

async function runSession(steps: Step[]): Promise<void> {
  const client = new pg.Client(service.database.adminUrl);
  await client.connect();
  try {
    for (const one of steps) await take(client, one);
  } finally {
    await client.end();
  }
}

describe('Two workers at one clinic', () => {
  it('do not overwrite what one saw with what the other saw before it', async () => {
    await service.database.sql(`
      CREATE FUNCTION public.hesitate() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.value = 100 THEN PERFORM pg_sleep(0.5); END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER hesitate BEFORE INSERT ON metric_aggregations FOR EACH ROW EXECUTE FUNCTION public.hesitate()`);
    try {
      await produce(northside, '2026-01-05', 100);
      const slow = jobs.rollUp();
      await new Promise((resolve) => setTimeout(resolve, 150));
      await produce(northside, '2026-01-05', 50);
      await jobs.rollUp();
      await slow;
      await jobs.rollUp();
      expect(await valuesOf('production', 'daily')).toEqual({ '2026-01-05': 150 });
    } finally {
      await service.database.sql('DROP FUNCTION public.hesitate CASCADE');
    }
  });
});

describe('A clinic whose roll-ups fail', () => {
  it('keeps its days noted and is reported, while all others are rolled up', async () => {
    await produce(northside, '2026-01-05', 666);
    await produce(southbank, '2026-01-05', 7);
    await service.database.sql('ALTER TABLE metric_aggregations ADD CONSTRAINT poison CHECK (value <> 666)');
    try {
      await expect(jobs.rollUp()).rejects.toThrow('1 clinics could not be rolled up');
      expect(await valuesOf('production', 'yearly', southbank)).toEqual({ '2026-01-01': 7 });
      expect(await valuesOf('production', 'yearly')).toEqual({});
      expect(await service.database.sql('SELECT DISTINCT clinic_id FROM metric_dirty_days')).toEqual([
        { clinic_id: northside.clinicId },
      ]);
    } finally {
      await service.database.sql('ALTER TABLE metric_aggregations DROP CONSTRAINT poison');
    }
    await jobs.rollUp();
    expect(await differences()).toEqual([]);
  });
});

describe('The nightly verification', () => {
  it('mends what drifted, and says how much', async () => {
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount) VALUES ($1, current_date - 3, 'production', 10)`,
      [northside.clinicId],
    );
    await jobs.rollUp();
    await service.database.sql(
      `UPDATE metric_aggregations SET value = 99 WHERE aggregation_type IN ('daily', 'monthly')`,
    );
    await jobs.verify();
    expect(await differences()).toEqual([]);
    const [state] = await service.database.sql(
      'SELECT drifted_rows, drifted_at IS NOT NULL AS drifted FROM roll_up_states WHERE clinic_id = $1',
      [northside.clinicId],
    );
    expect(state).toEqual({ drifted_rows: 2, drifted: true });
  });

  it('takes a change that waits for its minute for no drift', async () => {
    await produce(northside, new Date().toISOString().slice(0, 10), 10);
    await jobs.verify();
    const [state] = await service.database.sql('SELECT drifted_rows FROM roll_up_states WHERE clinic_id = $1', [
      northside.clinicId,
    ]);
    expect(state).toEqual({ drifted_rows: 0 });
    expect(await differences()).toEqual([]);
  });
});

describe('A read of roll-ups', () => {
  it('enters the index by clinic, granularity, metric and day also under the policies', async () => {
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount, provider_id)
       SELECT p.clinic_id, d::date, 'production', 7, p.id FROM providers p, generate_series('2024-01-01'::date, '2026-06-30', '1 day') d`,
    );
    await jobs.rollUp();
    await service.database.sql('ANALYZE metric_aggregations');
    const client = new pg.Client(service.database.adminUrl);
    await client.connect();
    try {
      await client.query(`BEGIN; SET LOCAL ROLE authenticated`);
      const { rows } = await client.query<Record<string, string>>(
        `EXPLAIN SELECT value FROM metric_aggregations WHERE clinic_id = $1 AND aggregation_type = $2
            AND metric_definition_id = $3 AND period_start BETWEEN $4 AND $5`,
        [northside.clinicId, 'monthly', northside.clinicId, '2026-01-01', '2026-03-31'],
      );
      const condition = rows.map((row) => row['QUERY PLAN'] ?? '').find((line) => line.includes('Index Cond'));
      for (const column of ['clinic_id', 'aggregation_type', 'metric_definition_id', 'period_start'])
        expect(condition).toContain(column);
    } finally {
      await client.end();
    }
  });
});

describe('Metric values over any days', () => {
  it('are those of the older systems by name, rates included, for whoever may see the clinic', async () => {
    await produce(northside, '2026-01-05', 200);
    await service.database.sql(
      `INSERT INTO financial_metrics (clinic_id, date, metric_type, amount) VALUES ($1, '2026-01-06', 'collection', 50)`,
      [northside.clinicId],
    );
    await jobs.rollUp();
    const [row] = await service.database.sql<{ json: Record<string, number | null> }>(
      `SELECT jsonb_object_agg(code, value) AS json FROM calculate_clinic_metrics($1, '2026-01-01', '2026-01-31')`,
      [northside.clinicId],
    );
    expect(row?.json).toMatchObject({ production: 200, collections: 50, collection_rate: 25, no_show_rate: null });
  });

  it('show nothing of a clinic to people of another', async () => {
    await produce(northside, '2026-01-05', 200);
    await jobs.rollUp();
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const path = `/clinics/${northside.clinicId}/metrics/aggregations?metrics=production&from=2026-01-01&to=2026-01-31`;
    expect((await service.call('GET', path, { token })).status).toBe(404);
  });
});
