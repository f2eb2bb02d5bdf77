import type { FaultKind } from '../emulators/meta/faults.ts';
import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  type Connected,
  connect,
  due,
  enqueue,
  isFailed,
  isPublished,
  type PostRow,
} from '../support/publishing.js';
import { type Service, startService } from '../support/service.js';

/** Everything that can happen to a call, at every call: nothing is ever twice on a page. */

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: { ...meta.variables, META_TIMEOUT_MS: '1000' } });
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(async () => {
  await meta.control('faults/clear');
  await meta.control('calls/clear');
});

/** Nothing was done; done, and the answer lost; and refused for the time being. */
const undone: FaultKind[] = ['cut-before', 'timeout', 'internal', 'transient'];
const lost: FaultKind[] = ['cut-after', 'slow', 'truncated', 'malformed', 'html', 'internal-after'];
const limits: FaultKind[] = ['rate-limited', 'page-rate-limited'];
const isEnded = ({ status }: PostRow): boolean => status === 'published' || status === 'failed';

/** One account for each fault, so that they go wrong side by side. */
async function publishWith(
  platform: 'page' | 'instagram',
  on:
    | 'instagram.container'
    | 'instagram.status'
    | 'instagram.publish'
    | 'instagram.limit'
    | 'page.photo'
    | 'page.posts',
  kind: FaultKind,
): Promise<{ account: Connected; post: PostRow; standing: number }> {
  const account = await connect(meta, service, `${on}-${kind}`);
  const objectId = platform === 'page' ? account.pageId : account.instagramId;
  // A read is asked three times before it counts as failed.
  const times = ['instagram.status', 'instagram.limit', 'page.posts'].includes(on) ? 3 : 1;
  await meta.fault({ on, kind, objectId, times, retryAfter: 1, delayMs: 1_500 });
  const columns = { caption: `${on} ${kind}`, max_retries: 10 };
  const id = await due(meta, service.database, account[platform], columns);
  const post = await becomes(service.database, id, isEnded, { hastened: true });
  return { account, post, standing: (await meta.published(objectId)).length };
}

describe.each(['instagram.limit', 'instagram.container', 'instagram.status', 'instagram.publish'] as const)(
  'When %s goes wrong',
  (on) => {
    it.each([...undone, ...lost, ...limits])(
      'by %s, the post stands on Instagram once',
      async (kind) => {
        const { post, standing } = await publishWith('instagram', on, kind);
        expect(post).toMatchObject({ status: 'published', platform_post_id: expect.any(String) });
        expect(standing).toBe(1);
      },
      30_000,
    );
  },
);

describe('When publishing on a page of Facebook goes wrong', () => {
  it.each(lost)(
    'by %s, the photo is found on the page',
    async (kind) => {
      const { post, standing } = await publishWith('page', 'page.photo', kind);
      expect(post).toMatchObject({ status: 'published' });
      expect(standing).toBe(1);
    },
    30_000,
  );

  it.each(undone)(
    'by %s, nobody knows, and nothing is sent again',
    async (kind) => {
      const { post, standing } = await publishWith('page', 'page.photo', kind);
      expect(post).toMatchObject({ status: 'failed', error_code: 'outcome-unknown' });
      expect(standing).toBe(0);
      expect(await meta.count('page.photo')).toBe(1);
    },
    30_000,
  );

  it.each(limits)(
    'by %s, it was certainly not published, and is later',
    async (kind) => {
      const { post, standing } = await publishWith('page', 'page.photo', kind);
      expect(post).toMatchObject({ status: 'published', retry_count: 0 });
      expect(standing).toBe(1);
    },
    30_000,
  );

  it('and carried out when everybody had gone, it is published once or unknown, never twice', async () => {
    const { standing } = await publishWith('page', 'page.photo', 'late');
    expect(standing).toBeLessThanOrEqual(1);
    expect(await meta.count('page.photo')).toBe(1);
  }, 30_000);
});

describe('When publishing on Instagram is carried out late', () => {
  it('the container keeps the second call from publishing twice', async () => {
    const { post, standing } = await publishWith('instagram', 'instagram.publish', 'late');
    expect(post.status).toBe('published');
    expect(standing).toBe(1);
  }, 30_000);
});

describe('A database that is away when Meta has answered', () => {
  const fails = `
    CREATE SEQUENCE tries;
    GRANT USAGE ON SEQUENCE tries TO PUBLIC;
    CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('public.tries') <= 2 THEN RAISE EXCEPTION USING ERRCODE = '40P01', MESSAGE = 'deadlock detected'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER fail_twice BEFORE UPDATE ON social_media_posts FOR EACH ROW
      WHEN (NEW.status = 'published' AND OLD.status = 'processing') EXECUTE FUNCTION fail_twice()`;

  it('for a moment does not lose the answer, though the page could never tell what it was', async () => {
    const account = await connect(meta, service, 'away-for-a-moment');
    await service.database.sql(fails);
    const id = await due(meta, service.database, account.page, { caption: '' });
    const post = await becomes(service.database, id, isEnded, { hastened: true });
    await service.database.sql('DROP TRIGGER fail_twice ON social_media_posts');
    expect(post).toMatchObject({ status: 'published', error_code: null });
    expect(await meta.count('page.posts')).toBe(0);
    expect(await meta.published(account.pageId)).toHaveLength(1);
  });
});

describe('A post whose container took long', () => {
  it('is asked about as often as any other when the answer to publishing it is lost', async () => {
    const account = await connect(meta, service, 'long-container');
    await meta.fault({ on: 'instagram.publish', kind: 'cut-after', objectId: account.instagramId });
    const id = await due(meta, service.database, account.instagram, { caption: 'Long', container_checks: 40 });
    const post = await becomes(service.database, id, isEnded, { hastened: true });
    expect(post.status).toBe('published');
    expect(await meta.published(account.instagramId)).toHaveLength(1);
  });
});

describe('A worker that was killed', () => {
  const killed = { status: 'processing', claimed_until: new Date(Date.now() - 1_000) };

  async function publishedContainer(account: Connected, caption: string): Promise<PostRow> {
    const first = await due(meta, service.database, account.instagram, { caption });
    return becomes(service.database, first, isPublished);
  }

  /** As the worker left it that was killed when Meta had just answered. */
  async function forget(account: Connected, columns: object): Promise<string> {
    const { database } = service;
    const [row] = await database.sql<{ id: string }>(
      `SELECT id FROM social_media_posts WHERE social_account_id = ANY ($1) ORDER BY id DESC LIMIT 1`,
      [[account.instagram, account.page]],
    );
    await database.sql('ALTER TABLE social_media_posts DISABLE TRIGGER guard_post');
    const changes = { ...columns, platform_post_id: null, platform_url: null, published_at: null };
    const names = Object.keys(changes);
    const set = names.map((name, index) => `${name} = $${index + 2}`).join(', ');
    await database.sql(`UPDATE social_media_posts SET ${set} WHERE id = $1`, [row?.id, ...Object.values(changes)]);
    await database.sql('ALTER TABLE social_media_posts ENABLE TRIGGER guard_post');
    await enqueue(database, row?.id ?? '');
    return row?.id ?? '';
  }

  it('after Instagram had published: the medium is found, not published again', async () => {
    const account = await connect(meta, service, 'killed-instagram');
    const { platform_post_id } = await publishedContainer(account, 'Published before the end');
    const id = await forget(account, killed);
    expect(await becomes(service.database, id, isPublished)).toMatchObject({ platform_post_id });
    expect(await meta.published(account.instagramId)).toHaveLength(1);
    expect(await meta.count('instagram.publish')).toBe(1);
  });

  it('after a page had taken it: it is found there', async () => {
    const account = await connect(meta, service, 'killed-page');
    const first = await due(meta, service.database, account.page, { caption: 'Taken before the end' });
    const { platform_post_id } = await becomes(service.database, first, isPublished);
    const id = await forget(account, killed);
    expect(await becomes(service.database, id, isPublished)).toMatchObject({ platform_post_id });
    expect(await meta.published(account.pageId)).toHaveLength(1);
  });

  it('before anything was sent: another goes on', async () => {
    const account = await connect(meta, service, 'killed-early');
    const id = await due(meta, service.database, account.page, { caption: 'Not yet sent', ...killed });
    await becomes(service.database, id, isPublished);
    expect(await meta.published(account.pageId)).toHaveLength(1);
  });

  it('and whose lease still runs is waited for', async () => {
    const account = await connect(meta, service, 'held');
    const id = await due(meta, service.database, account.page, {
      ...killed,
      claimed_until: new Date(Date.now() + 60_000),
    });
    await expect(becomes(service.database, id, isEnded, { patienceMs: 2_000 })).rejects.toThrow('Waited in vain');
    expect(await meta.count('page.photo')).toBe(0);
  });

  it('while the account is gone: nobody can say, and nothing is sent again', async () => {
    const account = await connect(meta, service, 'killed-and-gone');
    await service.database.sql(`UPDATE social_media_accounts SET status = 'expired' WHERE id = $1`, [account.page]);
    const begun = { ...killed, publish_started_at: new Date(), caption: 'Gone' };
    const id = await due(meta, service.database, account.page, begun);
    expect(await becomes(service.database, id, isFailed)).toMatchObject({ error_code: 'outcome-unknown' });
  });
});
