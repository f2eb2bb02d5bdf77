import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { addFacts, makeClinics } from './metrics-data.js';
import { answers, databasesOf, logIn, median, start, stopAll, timed, wide } from './processes.js';

/**
 * Roll-ups and their reading beside bare SQL, in one run. Writes test/bench/metrics-result.json.
 *
 * Usage: npm run bench:metrics [-- millions-of-facts]
 */
const millions = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-'));
const service = await start(
  'dist/src/main.js',
  { DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', PUBLIC_URL: 'http://bench.example', ...wide },
  answers,
);
const { adminUrl, apiUrl } = databasesOf(folder);
const admin = new pg.Client(adminUrl);
await admin.connect();
await makeClinics(admin);

/** A session of a worker: what the job does, with the role that it has. */
async function workerSession() {
  const client = new pg.Client({ connectionString: adminUrl, options: '-c role=service_role' });
  await client.connect();
  return client;
}

/** Takes notes until none is left, as `metrics.roll-up` does, in so many sessions at once. */
async function rollUp(sessions) {
  const take = async () => {
    const client = await workerSession();
    for (let taken = 1; taken > 0; ) {
      const { rows } = await client.query('SELECT app.roll_up_dirty_days(20) AS taken');
      taken = rows[0].taken;
    }
    await client.end();
  };
  await Promise.all(Array.from({ length: sessions }, take));
}

const forgetRollUps = () => admin.query('TRUNCATE metric_aggregations, metric_dirty_days; CHECKPOINT');
const noteEverything = () =>
  admin.query('INSERT INTO metric_dirty_days (clinic_id, date) SELECT clinic_id, date FROM bench_clinics, bench_days');

/** The least that anybody must do for the daily roll-ups alone: add them up and put them somewhere. */
async function bareDays() {
  await admin.query('DROP TABLE IF EXISTS bench_bare; CHECKPOINT');
  return timed(() =>
    admin.query(`CREATE UNLOGGED TABLE bench_bare AS
      SELECT * FROM app.day_roll_ups(ARRAY(SELECT clinic_id FROM bench_clinics), '-infinity', 'infinity')`),
  );
}

async function fullBuild(sessions) {
  await forgetRollUps();
  await noteEverything();
  return timed(() => rollUp(sessions));
}

/** Ten thousand facts that come late, on 200 days of clinics. */
async function lateRows(round) {
  await admin.query(
    `INSERT INTO financial_metrics (clinic_id, date, provider_id, metric_type, amount)
     SELECT c.clinic_id, date '2024-01-01' + (c.number * 7 + $1) % 900, c.providers[1 + n % 4], 'production', n
       FROM (SELECT * FROM bench_clinics WHERE number % 5 < 2 ORDER BY number LIMIT 200) c CROSS JOIN generate_series(1, 50) n`,
    [round],
  );
  const { rows } = await admin.query(
    'SELECT count(DISTINCT (clinic_id, date))::integer AS days FROM metric_dirty_days',
  );
  return { days: rows[0].days, ms: await timed(() => rollUp(1)) };
}

async function incremental() {
  await admin.query('ANALYZE metric_aggregations');
  const runs = [];
  for (let round = 0; round < 5; round += 1) runs.push(await lateRows(round));
  return { days: runs[0].days, ms: median(runs.map(({ ms }) => ms)) };
}

const sizes = [];
let present = 0;
for (const wanted of [...new Set([Math.min(1, millions), millions])]) {
  present = await addFacts(admin, wanted * 1_000_000 - present, 0.42);
  // Alternating; what the job does is share out the clinics between two sessions.
  const bare = [await bareDays()];
  const build = [await fullBuild(2)];
  bare.push(await bareDays());
  build.push(await fullBuild(2));
  const { rows } = await admin.query(`SELECT count(*) FILTER (WHERE aggregation_type = 'daily')::integer AS daily,
    count(*)::integer AS all, pg_total_relation_size('metric_aggregations') / 1048576 AS mib FROM metric_aggregations`);
  const late = await incremental();
  sizes.push({
    facts: present,
    'daily rows': rows[0].daily,
    'all rows': rows[0].all,
    'MiB with index': Number(rows[0].mib),
    'bare days s': median(bare) / 1000,
    'build s': median(build) / 1000,
    'of the bare': median(build.map((ms, round) => ms / bare[round])),
    'late days': late.days,
    'late rows ms': late.ms,
    'late rows, % of the build': (late.ms / median(build)) * 100,
  });
}

// Reading: the person is put into one of the clinics, which is found among 500.
const accessToken = await logIn(service.url, 'clinic-admin@northside.example');
const { sub: userId, sid: sessionId } = decodeJwt(accessToken);
const { rows: clinics } = await admin.query('SELECT clinic_id AS id FROM bench_clinics ORDER BY number LIMIT 1');
await admin.query(`INSERT INTO user_clinic_roles (clinic_id, user_id, role) VALUES ($1, $2, 'viewer')`, [
  clinics[0].id,
  userId,
]);
await admin.query('ANALYZE');
const floor = await start(
  'test/bench/floor.js',
  { URL: apiUrl, ARGUMENTS: JSON.stringify({ userId, sessionId }) },
  /ready (\S+)/,
);
const query = (metrics) =>
  `/clinics/${clinics[0].id}/metrics/aggregations?granularity=monthly&from=2025-11-01&to=2026-10-31&metrics=${metrics}`;
const base = 'production,collections,adjustments,appointments,no_shows,calls';
const reads = {
  '12 months, 6 base metrics': { floor: query(base), ours: query(base) },
  // The floor reads the parts, of which ours makes the three rates.
  '12 months, 3 base metrics and 3 rates': {
    floor: query('production,collections,adjustments,write_offs,appointments,no_shows'),
    ours: query('production,collections,appointments,net_production,collection_rate,no_show_rate'),
  },
};

async function rate(url, path) {
  const headers = { authorization: `Bearer ${accessToken}` };
  const result = await autocannon({ url: url + path, headers, connections: 32, duration: 4 });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${path}: ${result.non2xx} refused, ${result.errors} failed`);
  return result.requests.average;
}

const reading = [];
for (const [operation, paths] of Object.entries(reads)) {
  const samples = { floor: [], ours: [] };
  for (let round = 0; round < 5; round += 1) {
    samples.floor.push(await rate(floor.url, paths.floor));
    samples.ours.push(await rate(`${service.url}/api/v1`, paths.ours));
  }
  reading.push({
    operation,
    'floor requests/s': Math.round(median(samples.floor)),
    'ours requests/s': Math.round(median(samples.ours)),
    'of the floor': Number(median(samples.ours.map((value, round) => value / samples.floor[round])).toFixed(2)),
  });
}

console.table(sizes);
console.table(reading);
writeFileSync(
  'test/bench/metrics-result.json',
  `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), node: process.version, sizes, reading }, null, 2)}\n`,
);
await admin.end();
await stopAll();
rmSync(folder, { recursive: true, force: true });
