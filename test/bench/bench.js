import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { answers, databasesOf, logIn, median, rssMib, start, stopAll, wide } from './processes.js';

/**
 * Ours beside the floor and beside the floor without row-level security, alternating in one run, so that what else the
 * machine does falls on all alike. Prints a table and writes JSON: the ratios are what counts.
 *
 * Usage: npm run bench [-- seconds-per-measurement]
 */
const seconds = Number(process.argv[2] ?? 4);
const rounds = 5;
const connections = 32;
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-'));
// One name for both instances: each takes the other's tokens.
const ours = { DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', PUBLIC_URL: 'http://bench.example', ...wide };

const first = await start('dist/src/main.js', ours, answers);
first.child.kill('SIGTERM');
await once(first.child, 'exit');
const service = await start('dist/src/main.js', ours, answers);

const { adminUrl, apiUrl } = databasesOf(folder);
const accessToken = await logIn(service.url, 'clinic-admin@northside.example');
const { sub: userId, sid: sessionId } = decodeJwt(accessToken);

const admin = new pg.Client(adminUrl);
await admin.connect();
const { rows } = await admin.query('SELECT clinic_id FROM user_clinic_roles WHERE user_id = $1', [userId]);
const clinicId = rows[0].clinic_id;
// 500 clinics with 60 members each, of 5,000 people, so that what is read is found among others.
// Triggers would write a profile and an audit event for each; the profiles are made by hand.
await admin.query(`
  BEGIN;
  SET LOCAL session_replication_role = replica;
  INSERT INTO organisations (name, slug) VALUES ('Bench', 'bench');
  INSERT INTO auth.users (email) SELECT 'bench' || n || '@bench.example' FROM generate_series(0, 4999) n;
  INSERT INTO profiles (id, email, first_name, last_name) SELECT id, email, 'Bench', email FROM auth.users WHERE email LIKE 'bench%';
  WITH c AS (
    INSERT INTO clinics (organisation_id, name, time_zone, currency)
      SELECT id, 'Bench ' || n, 'UTC', 'EUR' FROM organisations, generate_series(0, 499) n WHERE slug = 'bench'
      RETURNING id, substr(name, 7)::integer AS number),
  p AS (SELECT id, substr(split_part(email::text, '@', 1), 6)::integer AS number FROM auth.users WHERE email LIKE 'bench%')
  INSERT INTO user_clinic_roles (clinic_id, user_id, role)
    SELECT c.id, p.id, 'viewer' FROM c, generate_series(0, 59) n JOIN p ON true WHERE p.number = (c.number * 60 + n) % 5000;
  COMMIT`);
await admin.query(
  `INSERT INTO user_clinic_roles (clinic_id, user_id, role)
     SELECT $1, id, 'viewer' FROM profiles WHERE email LIKE 'bench%' ORDER BY email LIMIT 60 ON CONFLICT DO NOTHING`,
  [clinicId],
);
await admin.query('ANALYZE');

const argumentsOf = JSON.stringify({ userId, sessionId });
const floor = await start('test/bench/floor.js', { URL: apiUrl, ARGUMENTS: argumentsOf }, /ready (\S+)/);
const withoutRls = await start(
  'test/bench/floor.js',
  { URL: adminUrl, RLS: 'off', ARGUMENTS: argumentsOf },
  /ready (\S+)/,
);

const logging = await start(
  'dist/src/main.js',
  { ...ours, LOG_LEVEL: 'info', DATABASE_URL: apiUrl, MIGRATION_DATABASE_URL: adminUrl },
  answers,
);

/** Statements and flights of one request, as its log line says them. */
async function costOf({ path, method, body }) {
  const headers = { authorization: `Bearer ${accessToken}`, ...(body && { 'content-type': 'application/json' }) };
  const response = await fetch(`${logging.url}/api/v1${path}`, { method, headers, body });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  for await (const text of createInterface({ input: logging.child.stdout })) {
    const line = text.startsWith('{') ? JSON.parse(text) : {};
    if (line.requestId === response.headers.get('x-request-id') && line.msg === 'request') return line;
  }
  throw new Error(`${method} ${path} has no log line.`);
}

const variants = { floor: floor.url, withoutRls: withoutRls.url, ours: `${service.url}/api/v1` };
const operations = {
  'read a clinic': { path: `/clinics/${clinicId}`, method: 'GET' },
  'list 50 members': { path: `/clinics/${clinicId}/members`, method: 'GET' },
  'create a provider': {
    path: `/clinics/${clinicId}/providers`,
    method: 'POST',
    body: JSON.stringify({ name: 'Dr. Bench' }),
  },
};

async function measure(url, { path, method, body }, duration) {
  const headers = { authorization: `Bearer ${accessToken}`, ...(body && { 'content-type': 'application/json' }) };
  const result = await autocannon({ url: url + path, method, body, headers, connections, duration });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}${path}: ${result.non2xx} refused, ${result.errors} failed`);
  return {
    rate: result.requests.average,
    p50: result.latency.p50,
    p99: result.latency.p99,
    total: result.requests.total,
  };
}

const table = [];
for (const [operation, request] of Object.entries(operations)) {
  for (const url of Object.values(variants)) await measure(url, request, 1);
  const samples = { floor: [], withoutRls: [], ours: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const [variant, url] of Object.entries(variants)) samples[variant].push(await measure(url, request, seconds));
  }
  // The floor does the same four statements in the same two flights: see floor.js.
  const { statements, flights } = await costOf(request);
  for (const [variant, runs] of Object.entries(samples)) {
    const [rate, p50, p99] = ['rate', 'p50', 'p99'].map((name) => median(runs.map((run) => run[name])));
    const ofFloor = median(runs.map((run, round) => run.rate / samples.floor[round].rate));
    table.push({
      operation,
      variant,
      'requests/s': Math.round(rate),
      'p50 ms': p50,
      'p99 ms': p99,
      'of the floor': Number(ofFloor.toFixed(2)),
      statements,
      flights,
    });
  }
}

const request = operations['read a clinic'];
let served = 0;
const memory = [];
while (served < 100_000) {
  served += (await measure(variants.ours, request, 3)).total;
  memory.push({ served, rssMib: rssMib(service.child.pid) });
}
const half = memory.find(({ served: count }) => count >= 50_000);

const metricsPage = await (await fetch(`${service.url}/metrics`)).text();
const report = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  conditions: `${connections} connections, ${rounds} rounds of ${seconds} s each, client, servers and database on the same cores`,
  table,
  memory: { afterHalf: half?.rssMib, after100000: memory.at(-1)?.rssMib },
  start: { firstMs: first.startMs, nextMs: service.startMs },
  retried: metricsPage.match(/outcome="retried"\} (\d+)/)?.[1] ?? '0',
};
console.table(table);
console.log(`RSS after 50,000: ${report.memory.afterHalf} MiB, after 100,000: ${report.memory.after100000} MiB`);
console.log(`first start ${report.start.firstMs} ms, next start ${report.start.nextMs} ms`);
writeFileSync('test/bench/result.json', `${JSON.stringify(report, null, 2)}\n`);

await admin.end();
await stopAll();
rmSync(folder, { recursive: true, force: true });
