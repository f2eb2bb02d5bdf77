import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { answers, databasesOf, logIn, median, rssMib, start, stopAll, timed, wide } from './processes.js';

/**
 * A CSV export beside a bare COPY of the same columns of the same rows by a superuser, whom no policy binds and who looks
 * up no provider's name; alternating in one run. And what the process of the service grows by meanwhile.
 *
 * Usage: npm run bench:exports [-- rows [rounds [format]]]
 */
const rowCount = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 5);
const format = process.argv[4] ?? 'csv';
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-'));
const service = await start('dist/src/main.js', { DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', ...wide }, answers);
const { adminUrl } = databasesOf(folder);
const admin = new pg.Client(adminUrl);
await admin.connect();

const headers = { authorization: `Bearer ${await logIn(service.url, 'clinic-admin@northside.example')}` };
const api = `${service.url}/api/v1`;
const { data: clinics } = await (await fetch(`${api}/clinics`, { headers })).json();
const clinicId = clinics[0].id;

/** Three years of a clinic with twelve providers, and a fifth as many rows of another one between them. */
await admin.query(
  `INSERT INTO providers (clinic_id, name) SELECT $1, 'Dr. Bench ' || n FROM generate_series(1, 12) n`,
  [clinicId],
);
await admin.query('BEGIN; SET LOCAL session_replication_role = replica');
await admin.query(
  `INSERT INTO financial_metrics
     (clinic_id, date, metric_type, category, amount, provider_id, insurance_carrier, procedure_code, source_reference)
   SELECT c.id, date '2023-01-01' + n % 1000, (ARRAY['production', 'collection', 'adjustment'])[1 + n % 3],
          'Hygiene ' || n % 20, (n::bigint * 7919 % 100000) / 100.0, p.ids[1 + n % array_length(p.ids, 1)],
          'Carrier ' || n % 9, 'D' || 1000 + n % 300, 'row-' || n
     FROM generate_series(1, $2::integer) n
          JOIN clinics c ON c.id = $1 OR n % 5 = 0
          CROSS JOIN LATERAL (SELECT array_agg(id ORDER BY name) AS ids FROM providers WHERE clinic_id = c.id) p
    WHERE c.id = $1 OR c.id = (SELECT id FROM clinics WHERE id <> $1 ORDER BY id LIMIT 1)`,
  [clinicId, rowCount],
);
await admin.query('COMMIT');
await admin.query('VACUUM ANALYZE financial_metrics');
await admin.query('CHECKPOINT');

/** Reads to the end and tells how many bytes came. */
async function drained(chunks) {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

const bare = () =>
  drained(
    admin.query(
      copyTo(`COPY (SELECT date, metric_type, category, amount, provider_id, insurance_carrier, payment_method,
        procedure_code, notes, source_reference, id FROM financial_metrics WHERE clinic_id = '${clinicId}')
        TO STDOUT (FORMAT csv, HEADER)`),
    ),
  );

async function ours() {
  const query = new URLSearchParams({ table: 'financial_metrics', format });
  const [response] = await once(get(`${api}/clinics/${clinicId}/exports?${query}`, { headers }), 'response');
  if (response.statusCode !== 200) throw new Error(`The export was answered by ${response.statusCode}.`);
  return drained(response);
}

const idleMib = rssMib(service.child.pid);
let peakMib = idleMib;
const watch = setInterval(() => {
  peakMib = Math.max(peakMib, rssMib(service.child.pid));
}, 20);
await bare();
await ours();
const ratios = [];
for (let round = 0; round < rounds; round += 1) {
  let bytes = 0;
  const copyMs = await timed(bare);
  const exportMs = await timed(async () => {
    bytes = await ours();
  });
  ratios.push(copyMs / exportMs);
  process.stdout.write(
    `bare ${copyMs.toFixed(0)} ms, export ${exportMs.toFixed(0)} ms (${(bytes / 1048576).toFixed(0)} MiB), ratio ${(copyMs / exportMs).toFixed(2)}\n`,
  );
}
clearInterval(watch);
process.stdout.write(
  `${rowCount} rows as ${format}: ratio ${median(ratios).toFixed(2)}; idle ${idleMib} MiB, peak ${peakMib - idleMib} MiB above\n`,
);
await admin.end();
await stopAll();
rmSync(folder, { recursive: true, force: true });
