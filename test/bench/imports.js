import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, openAsBlob, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/**
 * An import beside a bare COPY of the same file into the same table by a superuser, whom no policy binds, alternating in
 * one run; and what the process of the service grows by meanwhile.
 *
 * Usage: npm run build && node test/bench/imports.js [rows [rounds]]
 */
const rowCount = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-imports-'));
const flags = ['--max-old-space-size=160', '--max-semi-space-size=8'];
const limits = { RATE_LIMIT_USER: '100000000', RATE_LIMIT_TENANT: '100000000', UPLOAD_LIMIT_BYTES: '2000000000' };
const env = { PATH: process.env.PATH, DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', ...limits };

const child = spawn(process.execPath, [...flags, 'dist/src/main.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });

async function address() {
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = line.match(/answers at (http\S+)\/api\/v1/) ?? [];
    if (url) return `${url}/api/v1`;
  }
  throw new Error('The service did not start.');
}

const api = await address();
const secrets = JSON.parse(readFileSync(join(folder, 'secrets.json'), 'utf8')).embeddedDatabase;
const port = readFileSync(join(folder, 'postgres/postmaster.pid'), 'utf8').split('\n')[3];
const admin = new pg.Client(`postgres://postgres:${secrets.admin}@127.0.0.1:${port}/polyclinic`);
await admin.connect();

const json = { 'content-type': 'application/json' };
const login = { email: 'clinic-admin@northside.example', password: 'open-the-clinic' };
const { accessToken } = await (
  await fetch(`${api}/auth/login`, { method: 'POST', headers: json, body: JSON.stringify(login) })
).json();
const headers = { authorization: `Bearer ${accessToken}` };
const { data: clinics } = await (await fetch(`${api}/clinics`, { headers })).json();
const clinicId = clinics[0].id;
await admin.query(
  `INSERT INTO providers (clinic_id, name) SELECT $1, 'Dr. Bench ' || n FROM generate_series(1, 12) n`,
  [clinicId],
);
const { rows: providers } = await admin.query('SELECT id FROM providers WHERE clinic_id = $1', [clinicId]);

const columns = [
  ['date', 'date'],
  ['metric_type', 'metricType'],
  ['category', 'category'],
  ['amount', 'amount'],
  ['provider_id', 'provider'],
  ['insurance_carrier', 'insuranceCarrier'],
  ['procedure_code', 'procedureCode'],
  ['source_reference', 'sourceReference'],
];

function* lines() {
  yield `${columns.map(([name]) => name).join(',')}\n`;
  let text = '';
  for (let row = 0; row < rowCount; row += 1) {
    const day = new Date(Date.UTC(2023, 0, 1 + (row % 1_000))).toISOString().slice(0, 10);
    const type = ['production', 'collection', 'adjustment'][row % 3];
    const provider = providers[row % providers.length].id;
    const amount = ((row * 7919) % 100_000) / 100;
    text += `${day},${type},Hygiene ${row % 20},${amount.toFixed(2)},${provider},Carrier ${row % 9},D${1000 + (row % 300)},row-${row}\n`;
    if (text.length < 65_536) continue;
    yield text;
    text = '';
  }
  yield text;
}

const path = join(folder, 'bench.csv');
await pipeline(Readable.from(lines(), { objectMode: false }), createWriteStream(path));

const residentMib = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

async function emptied() {
  await admin.query('TRUNCATE financial_metrics, fact_sources, metric_dirty_days, import_changes, import_errors');
  await admin.query('CHECKPOINT');
}

async function bare() {
  await emptied();
  const names = columns.map(([name]) => name).join(', ');
  await admin.query(`ALTER TABLE financial_metrics ALTER clinic_id SET DEFAULT '${clinicId}'`);
  const started = performance.now();
  await pipeline(
    createReadStream(path),
    admin.query(copyFrom(`COPY financial_metrics (${names}) FROM STDIN (FORMAT csv, HEADER)`)),
  );
  const seconds = (performance.now() - started) / 1000;
  await admin.query('ALTER TABLE financial_metrics ALTER clinic_id DROP DEFAULT');
  return seconds;
}

async function ours() {
  await emptied();
  const form = new FormData();
  form.set('table', 'financial_metrics');
  form.set('mapping', JSON.stringify({ columns: columns.map(([column, field]) => ({ column, field })) }));
  form.set('file', await openAsBlob(path), 'bench.csv');
  const started = performance.now();
  const answer = await (
    await fetch(`${api}/clinics/${clinicId}/imports`, { method: 'POST', headers, body: form })
  ).json();
  const uploaded = (performance.now() - started) / 1000;
  let seen = answer;
  while (['receiving', 'queued', 'running'].includes(seen.status)) {
    await pause(50);
    seen = await (await fetch(`${api}/clinics/${clinicId}/imports/${answer.id}`, { headers })).json();
  }
  if (seen.inserted !== rowCount) throw new Error(JSON.stringify(seen));
  return { seconds: (performance.now() - started) / 1000, uploaded };
}

const idleMib = residentMib();
let peakMib = 0;
const watch = setInterval(() => {
  peakMib = Math.max(peakMib, residentMib());
}, 20);
const results = [];
for (let round = 0; round < rounds; round += 1) {
  const copy = await bare();
  const { seconds, uploaded } = await ours();
  results.push(copy / seconds);
  process.stdout.write(
    `bare ${copy.toFixed(1)} s, import ${seconds.toFixed(1)} s (upload ${uploaded.toFixed(1)} s), ratio ${(copy / seconds).toFixed(2)}\n`,
  );
}
clearInterval(watch);
const median = results.toSorted((one, other) => one - other)[Math.floor(rounds / 2)];
process.stdout.write(
  `${rowCount} rows: ratio ${median.toFixed(2)}; idle ${idleMib.toFixed(0)} MiB, peak ${(peakMib - idleMib).toFixed(0)} MiB above\n`,
);
await admin.end();
child.kill('SIGTERM');
child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
