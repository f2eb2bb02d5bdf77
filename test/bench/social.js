import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import autocannon from 'autocannon';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { GraphClient } from '../../dist/src/integrations/meta/graph-client.js';
import { GraphTransport } from '../../dist/src/integrations/meta/graph-transport.js';
import { MetaLogin } from '../../dist/src/integrations/meta/meta-login.js';
import { MetaPages } from '../../dist/src/integrations/meta/meta-pages.js';
import { UsageLimits } from '../../dist/src/integrations/meta/usage-limits.js';
import { loadConfig } from '../../dist/src/kernel/config/config.js';
import { parseKeyRing } from '../../dist/src/kernel/secrets/key-ring.js';
import { Vault } from '../../dist/src/kernel/secrets/vault.js';
import { startMeta } from '../support/meta.ts';
import { answers, databasesOf, logIn, median, start, stopAll, wide } from './processes.js';

/**
 * Posts that are due at once, published by one and by two processes of workers on an emulator that answers in 20 ms; and
 * the calendar of a thousand posts beside the floor. Writes test/bench/social-result.json.
 *
 * Usage: npm run bench:social [-- posts [rounds]]
 */
const posts = Number(process.argv[2] ?? 500);
const rounds = Number(process.argv[3] ?? 3);
const latencyMs = 20;
const folder = mkdtempSync(join(tmpdir(), 'polyclinic-bench-social-'));

const meta = await startMeta();
await meta.control('latency', { ms: latencyMs });
const ours = {
  ...{ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn', PUBLIC_URL: 'http://bench.example', NODE_ENV: 'test' },
  ...{ ...wide, ...meta.variables, META_TIMEOUT_MS: '10000' },
};

/** Statements are counted by the server, which has to be started with what counts them. */
async function startCounting() {
  const first = await start('dist/src/main.js', ours, answers);
  const { adminUrl } = databasesOf(folder);
  const client = new pg.Client(adminUrl);
  await client.connect();
  await client.query(`ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`);
  await client.end();
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
}

await startCounting();
const service = await start('dist/src/main.js', ours, answers, '--without-worker');
const { adminUrl, apiUrl } = databasesOf(folder);
const admin = new pg.Client(adminUrl);
await admin.connect();
await admin.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public');

const accessToken = await logIn(service.url, 'owner@northside.example');
const { rows: organisations } = await admin.query(`SELECT id FROM organisations WHERE slug = 'northside'`);
const organisationId = organisations[0].id;

/** A page and its Instagram account, connected as a person would have connected them. */
async function connect() {
  const { meta: config, secrets } = loadConfig(ours);
  const graph = new GraphClient(config, new GraphTransport({ timeoutMs: config.timeoutMs }), new UsageLimits());
  const login = new MetaLogin(graph);
  const personId = await meta.person('Bench');
  const { id: pageId, instagramId } = await meta.page({ personId, name: 'Bench', instagram: { username: 'bench' } });
  await meta.control('limit', { instagramId, used: 0, total: 1_000_000 });
  const redirectUri = 'https://app.example/social/callback';
  const scopes = [
    ...['pages_show_list', 'pages_read_engagement', 'pages_manage_posts', 'business_management'],
    ...['instagram_basic', 'instagram_content_publish'],
  ];
  const code = (await meta.consent(login.dialogUrl({ redirectUri, state: 'any', scopes }), { personId })).get('code');
  const { accessToken: person } = await login.extend((await login.exchange({ code, redirectUri })).accessToken);
  const [{ accessToken: token }] = await new MetaPages(graph).list(person);
  const vault = new Vault(parseKeyRing(secrets.vaultKeys));
  const keep = async (platform, accountType, platformAccountId) => {
    const { rows } = await admin.query(
      `INSERT INTO social_media_accounts (organisation_id, platform, account_type, platform_account_id, username, page_id,
                                          can_publish_feed, connected_at)
       VALUES ($1, $2, $3, $4, 'bench', $5, true, now()) RETURNING id`,
      [organisationId, platform, accountType, platformAccountId, pageId],
    );
    const place = { table: 'public.social_media_accounts', column: 'access_token_sealed', rowId: rows[0].id };
    await admin.query(`UPDATE social_media_accounts SET access_token_sealed = $2, status = 'active' WHERE id = $1`, [
      rows[0].id,
      vault.seal(token, place),
    ]);
    return rows[0].id;
  };
  return {
    instagram: await keep('instagram', 'business', instagramId),
    facebook: await keep('facebook', 'page', pageId),
  };
}

/** Posts that are all due at the same moment, soon, each with its job as the service adds it. */
async function schedule(accountId) {
  const { rows } = await admin.query(
    `WITH made AS (
       INSERT INTO social_media_posts (organisation_id, social_account_id, platform, content_type, content_url, caption,
                                       status, scheduled_for, next_attempt_at)
       SELECT a.organisation_id, a.id, a.platform, 'image', $2, 'Post ' || n, 'queued', t.due, t.due
         FROM social_media_accounts a, generate_series(1, $3::integer) n,
              (SELECT date_trunc('milliseconds', now()) + interval '3 seconds' AS due) t
        WHERE a.id = $1 RETURNING id, scheduled_for)
     SELECT count(graphile_worker.add_job('social.publish-post', json_build_object('postId', id), run_at => scheduled_for,
                    job_key => 'social.publish-post:' || id, max_attempts => 10)) AS jobs FROM made`,
    [accountId, meta.media('photo.jpg'), posts],
  );
  if (Number(rows[0].jobs) !== posts) throw new Error('Not every post has its job.');
}

const progress = `
  SELECT count(*) FILTER (WHERE status = 'published')::integer AS published,
         count(*) FILTER (WHERE status = 'failed')::integer AS failed,
         extract(epoch FROM max(published_at) - min(scheduled_for))::float AS seconds,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM published_at - scheduled_for))::float AS p50,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM published_at - scheduled_for))::float AS p95
    FROM social_media_posts WHERE social_account_id = $1`;

/** Of the worker's role alone; and with what begins and ends each of its transactions. */
const statementCounts = `
  SELECT sum(calls) FILTER (WHERE r.rolname = 'service_role' AND s.query !~* '^(begin|commit)'
                              AND s.query !~ 'begin_work')::float AS own,
         sum(calls) FILTER (WHERE r.rolname IN ('service_role', 'polyclinic_api'))::float AS all
    FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid`;

async function publish(accountId, workerCount) {
  await admin.query('DELETE FROM social_media_posts WHERE social_account_id = $1', [accountId]);
  const env = { ...ours, DATABASE_URL: apiUrl, MIGRATION_DATABASE_URL: adminUrl };
  const workers = [];
  for (let n = 0; n < workerCount; n += 1) workers.push(await start('dist/src/worker.js', env, /(works) on its jobs/));
  await schedule(accountId);
  await admin.query('SELECT pg_stat_statements_reset()');
  for (;;) {
    await pause(200);
    const { rows } = await admin.query(progress, [accountId]);
    const { published, failed, seconds, p50, p95 } = rows[0];
    if (published + failed < posts) continue;
    if (failed > 0) throw new Error(`${failed} posts failed.`);
    // What is asked after a post is published, its address, belongs to it too.
    await pause(500);
    const counts = (await admin.query(statementCounts)).rows[0];
    for (const { child } of workers) child.kill('SIGTERM');
    await Promise.all(workers.map(({ child }) => once(child, 'exit')));
    return { rate: posts / seconds, p50, p95, own: counts.own / posts, all: counts.all / posts };
  }
}

const accounts = await connect();
const publishing = [];
for (const [platform, accountId] of Object.entries(accounts)) {
  const samples = { 1: [], 2: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const workers of [1, 2]) samples[workers].push(await publish(accountId, workers));
  for (const workers of [1, 2]) {
    const of = (name) => median(samples[workers].map((sample) => sample[name]));
    publishing.push({
      ...{ platform, workers, 'posts/s': Number(of('rate').toFixed(1)) },
      ...{ 'due to published p50 s': Number(of('p50').toFixed(2)), 'p95 s': Number(of('p95').toFixed(2)) },
      'of one worker': Number(median(samples[workers].map((s, n) => s.rate / samples[1][n].rate)).toFixed(2)),
      ...{ 'own statements': Number(of('own').toFixed(1)), 'all statements': Number(of('all').toFixed(1)) },
    });
  }
}

/** A thousand posts of one month, among those of a year. */
async function calendar() {
  await admin.query(
    `INSERT INTO social_media_posts (organisation_id, social_account_id, platform, content_type, content_url, caption, status,
                                     scheduled_for)
     SELECT organisation_id, id, platform, 'image', 'https://media.example/photo.jpg', 'Post ' || n || repeat(' of the month', 12),
            'queued', '2031-01-01T00:00:00Z'::timestamptz + n * interval '44 minutes'
       FROM social_media_accounts, generate_series(0, 11999) n WHERE id = $1`,
    [accounts.instagram],
  );
  await admin.query('ANALYZE');
  const { sub: userId, sid: sessionId } = decodeJwt(accessToken);
  const floor = await start(
    'test/bench/floor.js',
    { URL: apiUrl, ARGUMENTS: JSON.stringify({ userId, sessionId }) },
    /ready (\S+)/,
  );
  const path = `/organisations/${organisationId}/social/posts/calendar?from=2031-03-01&to=2031-03-31&timeZone=UTC`;
  const variants = { floor: floor.url, ours: `${service.url}/api/v1` };
  const headers = { authorization: `Bearer ${accessToken}` };
  const samples = { floor: [], ours: [] };
  for (let round = -1; round < rounds; round += 1)
    for (const [variant, url] of Object.entries(variants)) {
      const result = await autocannon({ url: url + path, headers, connections: 16, duration: round < 0 ? 1 : 4 });
      if (result.non2xx > 0 || result.errors > 0) throw new Error(`${variant}: ${result.non2xx} refused`);
      if (round >= 0) samples[variant].push(result.requests.average);
    }
  const { data } = await (await fetch(variants.ours + path, { headers })).json();
  return {
    posts: data.length,
    'floor requests/s': Math.round(median(samples.floor)),
    'requests/s': Math.round(median(samples.ours)),
    'of the floor': Number(median(samples.ours.map((rate, n) => rate / samples.floor[n])).toFixed(2)),
  };
}

const report = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  conditions: `${posts} posts due at once, Meta answering in ${latencyMs} ms, ${rounds} rounds, workers, emulator and database on the same cores`,
  publishing,
  calendar: await calendar(),
};
console.table(publishing);
console.table([report.calendar]);
writeFileSync('test/bench/social-result.json', `${JSON.stringify(report, null, 2)}\n`);
await admin.end();
await stopAll();
await meta.stop();
rmSync(folder, { recursive: true, force: true });
process.exit();
