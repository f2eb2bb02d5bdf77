import { setTimeout as pause } from 'node:timers/promises';
import type { Meta } from './meta.js';
import { launch, type ServiceProcess } from './process.js';
import { type Connected, hasten } from './publishing.js';
import type { Service } from './service.js';

/** A process of its own that publishes for the service, and that says everything it has to say. */
export function startWorker(service: Service, meta: Meta, given: Record<string, string> = {}): ServiceProcess {
  const variables = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'debug',
    JOBS_CONCURRENCY: '4',
    DATA_DIR: service.config.dataDir,
    DATABASE_URL: service.database.apiUrl,
    MIGRATION_DATABASE_URL: service.database.adminUrl,
    ...meta.variables,
    ...given,
  };
  return launch(variables, 'worker.js');
}

/**
 * The scan, which ticks at the full minute, finds what lost workers held; and a minute after its time what one had taken
 * from the queue and not begun. Neither minute is waited for.
 */
async function findDue({ database }: Service): Promise<void> {
  await database.sql(
    `UPDATE social_media_posts SET next_attempt_at = next_attempt_at - interval '1 minute'
      WHERE status = 'queued' AND next_attempt_at BETWEEN now() - interval '1 minute' AND now()
        AND EXISTS (SELECT FROM graphile_worker._private_jobs WHERE key = 'social.publish-post:' || social_media_posts.id
                       AND locked_at < now() - interval '5 seconds')`,
  );
  await database.sql(`SELECT graphile_worker.add_job('social.find-due', '{}')`);
}

/** The page is asked for minutes for what it does not show: not waited for. */
async function askAgain({ database }: Service): Promise<void> {
  const inDoubt = await database.sql<{ id: string }>(
    `SELECT id FROM social_media_posts WHERE status = 'processing' AND container_checks > 0
        AND publish_started_at IS NOT NULL`,
  );
  for (const { id } of inDoubt) await hasten(database, id);
}

/** Of the posts of both accounts, how many are as which state or error says. */
export async function countPosts({ database }: Service, account: Connected): Promise<Record<string, number>> {
  const rows = await database.sql<{ status: string; posts: string }>(
    `SELECT coalesce(error_code, status) AS status, count(*) AS posts FROM social_media_posts
      WHERE social_account_id = ANY ($1) GROUP BY 1`,
    [[account.page, account.instagram]],
  );
  return Object.fromEntries(rows.map(({ status, posts }) => [status, Number(posts)]));
}

/**
 * All have ended; each stands on its page once, and what stands there is known here. Of Instagram everything can be
 * known. Of a page it cannot, where a worker was lost between writing down that it publishes and publishing.
 *
 * @returns of how many posts of the page nobody knows
 */
export async function expectEachOnce(service: Service, meta: Meta, account: Connected): Promise<number> {
  const rows = await service.database.sql<EndedPost>(
    `SELECT caption, status, platform, error_code, platform_post_id FROM social_media_posts
      WHERE social_account_id = ANY ($1)`,
    [[account.page, account.instagram]],
  );
  const standing = await meta.published();
  const idsOf = ({ caption }: EndedPost) => standing.filter((each) => each.caption === caption).map(({ id }) => id);
  expect(rows.filter((row) => idsOf(row).length > 1)).toEqual([]);
  const published = rows.filter(({ status }) => status === 'published');
  expect(published.filter((row) => idsOf(row).length === 0)).toEqual([]);
  const unknown = rows.filter(({ status }) => status !== 'published');
  const isKnown = ({ platform, error_code }: EndedPost) => platform !== 'facebook' || error_code !== 'outcome-unknown';
  expect(unknown.filter(isKnown)).toEqual([]);
  const known = new Set(rows.map(({ caption }) => caption));
  expect(standing.filter(({ caption }) => !known.has(caption))).toEqual([]);
  expect(new Set(published.map(({ platform_post_id }) => platform_post_id)).size).toBe(published.length);
  return unknown.length;
}

interface EndedPost {
  caption: string;
  status: string;
  platform: string;
  error_code: string | null;
  platform_post_id: string | null;
}

/** Until each is published, or of unknown outcome. What has been lost is looked for by and by, as by the minute's scan. */
export async function untilAllEnded(
  service: Service,
  account: Connected,
  { posts, patienceMs }: { posts: number; patienceMs: number },
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let round = 0; ; round += 1) {
    const counts = await countPosts(service, account);
    const { published = 0, 'outcome-unknown': unknown = 0 } = counts;
    if (published + unknown === posts) return;
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${JSON.stringify(counts)}`);
    if (round % 4 === 0) await findDue(service);
    await askAgain(service);
    await pause(500);
  }
}
