import { createHmac, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import autocannon from 'autocannon';
import pg from 'pg';
import { Pool } from 'undici';
import { answers, cpuMs, databasesOf, median, start, stopAll, wide } from './processes.js';

/**
 * The webhook's intake beside its floor, alternating in one run, so that what else the machine does falls on both alike:
 * deliveries/s and p99 to the 200 under 64 connections, then p99 at half of that rate.
 *
 * Usage: npm run bench:messenger [-- seconds-per-measurement rounds]
 */
const seconds = Number(process.argv[2] ?? 4);
const rounds = Number(process.argv[3] ?? 5);
const connections = 64;
const secret = 'the secret of the app';
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-'));
const ours = {
  ...{ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', PUBLIC_URL: 'http://bench.example', NODE_ENV: 'test' },
  ...{ META_APP_ID: 'bench', META_APP_SECRET: secret, ...wide },
};

const service = await start('dist/src/main.js', ours, answers, '--without-worker');
const { adminUrl } = databasesOf(folder);
const floor = await start('test/bench/webhook-floor.js', { URL: adminUrl, SECRET: secret }, /ready (\S+)/);
const admin = new pg.Client(adminUrl);
await admin.connect();

/** A message as Meta delivers one, of one of 20,000 people to one of 200 pages; in Meta's own spelling, where ü is \u00fc. */
function delivery() {
  const page = String(100_000_000_000_000 + Math.floor(Math.random() * 200));
  const person = String(200_000_000_000_000 + Math.floor(Math.random() * 20_000));
  const text = 'Guten Morgen! K\\u00f6nnte ich am Donnerstag um 10 Uhr zur Kontrolle kommen?';
  const message = `{"mid":"m_${randomUUID()}${randomUUID()}","text":"${text}"}`;
  const event = `{"sender":{"id":"${person}"},"recipient":{"id":"${page}"},"timestamp":${Date.now()},"message":${message}}`;
  return `{"object":"page","entry":[{"id":"${page}","time":${Date.now()},"messaging":[${event}]}]}`;
}

/** Each request another delivery, signed over its bytes. */
function setupRequest(request) {
  const body = delivery();
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` };
  return { ...request, body, headers };
}

async function measure({ url, pid }, duration) {
  const before = cpuMs(pid);
  const result = await autocannon({
    ...{ url: `${url}/webhooks/meta`, connections, duration },
    requests: [{ method: 'POST', setupRequest }],
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} failed`);
  return {
    rate: result.requests.average,
    p50: result.latency.p50,
    p99: result.latency.p99,
    total: result.requests.total,
    cpuUs: (1_000 * (cpuMs(pid) - before)) / result.requests.total,
  };
}

/**
 * Evenly, whatever is answered meanwhile: autocannon sends what a second may hold as fast as it can, and then waits for the
 * next second. Counted from when a delivery was due, so that one that had to wait for a connection says so.
 */
async function measureEvenly({ url }, duration, rate) {
  const { origin, pathname } = new URL(`${url}/webhooks/meta`);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const latencies = [];
  const send = async (due) => {
    const { body, headers } = setupRequest({});
    const answer = await pool.request({ path: pathname, method: 'POST', headers, body });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`);
    latencies.push(performance.now() - due);
  };
  const started = performance.now();
  const sent = [];
  while (performance.now() - started < duration * 1_000) {
    const due = ((performance.now() - started) * rate) / 1_000;
    while (sent.length < due) sent.push(send(started + (sent.length * 1_000) / rate));
    await pause(1);
  }
  await Promise.all(sent);
  await pool.close();
  const ordered = latencies.toSorted((a, b) => a - b);
  const at = (share) => Number(ordered[Math.floor(ordered.length * share)].toFixed(1));
  return { rate: ordered.length / duration, p50: at(0.5), p99: at(0.99), total: ordered.length };
}

/** What was answered is kept: nothing is lost, and each delivery is one row. */
async function expectKept(answered) {
  const { rows } = await admin.query('SELECT count(*)::integer AS count FROM webhook_events');
  if (rows[0].count < answered) throw new Error(`${answered} were answered, and ${rows[0].count} are kept.`);
  await admin.query('TRUNCATE webhook_events');
}

const variants = {
  floor: { url: floor.url, pid: floor.child.pid },
  ours: { url: `${service.url}/api/v1`, pid: service.child.pid },
};
const of = (samples, name) => median(samples.map((sample) => sample[name]));
const full = { floor: [], ours: [] };
const half = { floor: [], ours: [] };
for (let round = -1; round < rounds; round += 1)
  for (const [variant, server] of Object.entries(variants)) {
    const sample = await measure(server, round < 0 ? 2 : seconds);
    await expectKept(sample.total);
    if (round >= 0) full[variant].push(sample);
  }
for (let round = 0; round < rounds; round += 1)
  for (const [variant, server] of Object.entries(variants)) {
    const sample = await measureEvenly(server, seconds, of(full[variant], 'rate') / 2);
    await expectKept(sample.total);
    half[variant].push(sample);
  }

const table = Object.keys(variants).map((variant) => ({
  variant,
  'deliveries/s': Math.round(of(full[variant], 'rate')),
  'p50 ms': of(full[variant], 'p50'),
  'p99 ms': of(full[variant], 'p99'),
  'of the floor': Number(median(full[variant].map(({ rate }, round) => rate / full.floor[round].rate)).toFixed(2)),
  // Of the server alone, without the database: what the machine does besides changes it least.
  'CPU µs each': Math.round(of(full[variant], 'cpuUs')),
  'half rate': Math.round(of(half[variant], 'rate')),
  'p50 ms at half': of(half[variant], 'p50'),
  'p99 ms at half': of(half[variant], 'p99'),
}));
const report = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  conditions: `${connections} connections, ${rounds} rounds of ${seconds} s each, client, servers and database on the same cores`,
  intake: table,
};
console.table(table);
writeFileSync('test/bench/messenger-result.json', `${JSON.stringify(report, null, 2)}\n`);

await admin.end();
await stopAll();
rmSync(folder, { recursive: true, force: true });
