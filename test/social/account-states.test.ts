import { demoAddress } from '../../src/demo/demo.js';
import { MetaFailure, type MetaFailureKind } from '../../src/integrations/meta/meta-failure.js';
import { JobRegistry } from '../../src/kernel/jobs/job-registry.js';
import { accountStates, accountTransitions } from '../../src/modules/social/accounts/account-states.js';
import { SocialTokens } from '../../src/modules/social/accounts/social-tokens.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';
import { insertAccount, insertPost, keepToken } from '../support/social.js';

/** The states of an account: which way is open, and what happens to its posts and its owners on the way. */

let meta: Meta;
let mailbox: Mailbox;
let service: Service;
let organisationId: string;

beforeAll(async () => {
  meta = await startMeta();
  mailbox = await openMailbox();
  service = await startService({ variables: { ...meta.variables, SMTP_URL: mailbox.smtpUrl } });
  const token = await service.tokenOf(demoAddress('owner', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
});
afterEach(() => service.database.sql('DELETE FROM social_media_accounts'));
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
  await meta.stop();
});

async function active(columns = {}): Promise<string> {
  const accountId = await insertAccount(service.database, organisationId, columns);
  await keepToken(service, accountId, { page: 'the token of the page' });
  return accountId;
}

async function rowOf(accountId: string): Promise<Record<string, unknown>> {
  const [row] = await service.database.sql('SELECT * FROM social_media_accounts WHERE id = $1', [accountId]);
  return row as Record<string, unknown>;
}

async function jobsOf(name: string, accountId: string) {
  return service.database.sql<{ payload: { accountId: string; userId: string } }>(
    `SELECT j.payload FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id
      WHERE t.identifier = $1 AND j.payload->>'accountId' = $2`,
    [name, accountId],
  );
}

const tokens = () => service.application.get(SocialTokens, { strict: false });
const failing = (accountId: string, kind: MetaFailureKind): Promise<unknown> =>
  tokens()
    .withToken(accountId, () => Promise.reject(new MetaFailure(kind)))
    .catch((error: unknown) => error);

/** Several calls that all hold the token before one of them hears that it is dead. */
async function meetAtOnce(count: number, accountId: string): Promise<void> {
  let holding = 0;
  let letGo = () => {};
  const allHold = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const meet = () =>
    tokens().withToken(accountId, async () => {
      holding += 1;
      if (holding === count) letGo();
      await allHold;
      throw new MetaFailure('token-invalid');
    });
  const met = await Promise.allSettled(Array.from({ length: count }, meet));
  for (const each of met) expect(each).toMatchObject({ status: 'rejected', reason: { kind: 'token-invalid' } });
}

describe('The transitions of an account', () => {
  it.each(accountStates.flatMap((from) => accountStates.map((to) => [from, to] as const)))(
    'from %s to %s are those of the table, in the database too',
    async (from, to) => {
      const accountId = await insertAccount(service.database, organisationId, { status: from });
      const change = service.database.sql(
        `UPDATE social_media_accounts SET status = $2, access_token_sealed = 'v1.x' WHERE id = $1`,
        [accountId, to],
      );
      if (from === to || accountTransitions[from].includes(to)) await change;
      else await expect(change).rejects.toMatchObject({ code: 'PC409', message: 'account-not-connected' });
      expect((await rowOf(accountId)).status).toBe(from === to || accountTransitions[from].includes(to) ? to : from);
    },
  );

  it.each(['active', 'expired', 'error'])('from %s to disconnected forget the tokens', async (status) => {
    const sealed = { refresh_token_sealed: 'v1.y', token_expires_at: new Date() };
    const accountId = await insertAccount(service.database, organisationId, { status, ...sealed });
    await service.database.sql(`UPDATE social_media_accounts SET status = 'disconnected' WHERE id = $1`, [accountId]);
    const forgotten = { access_token_sealed: null, refresh_token_sealed: null, token_expires_at: null };
    expect(await rowOf(accountId)).toMatchObject(forgotten);
  });

  it('do not let an account be active without a token', async () => {
    const accountId = await insertAccount(service.database, organisationId, { status: 'disconnected' });
    const change = service.database.sql(`UPDATE social_media_accounts SET status = 'active' WHERE id = $1`, [
      accountId,
    ]);
    await expect(change).rejects.toMatchObject({ constraint: 'social_media_accounts_access_token_sealed_check' });
  });
});

describe('Work with a token', () => {
  it('has it for the length of the call', async () => {
    const accountId = await active();
    expect(await tokens().withToken(accountId, async (token) => `${token}!`)).toBe('the token of the page!');
  });

  it.each(['expired', 'error', 'disconnected'])('is not done on an account that is %s', async (status) => {
    const accountId = await insertAccount(service.database, organisationId, { status });
    const work = tokens().withToken(accountId, async () => 'done');
    await expect(work).rejects.toMatchObject({ name: 'account-not-connected' });
  });

  it('is not done with a token that does not open, and the account says so', async () => {
    const accountId = await insertAccount(service.database, organisationId);
    const work = tokens().withToken(accountId, async () => 'done');
    await expect(work).rejects.toMatchObject({ name: 'account-not-connected' });
    expect(await rowOf(accountId)).toMatchObject({ status: 'active', health: 'error' });
  });

  it('that meets a dead token ends the account once, however many meet it: posts wait, owners are told', async () => {
    const accountId = await active({ username: 'northside.dental', platform: 'instagram' });
    const queued = await insertPost(service.database, accountId, { status: 'queued' });
    const others = await Promise.all(
      ['draft', 'processing', 'published', 'failed'].map((status) =>
        insertPost(service.database, accountId, { status }),
      ),
    );
    await meetAtOnce(4, accountId);
    expect(await rowOf(accountId)).toMatchObject({ status: 'expired', health: 'error' });
    const paused = await service.database.sql<{ id: string }>(
      `SELECT id FROM social_media_posts WHERE waiting_reason = 'account-expired' AND next_attempt_at IS NULL`,
    );
    expect(paused.map(({ id }) => id)).toEqual([queued]);
    expect(others).not.toContain(queued);
    const mails = await jobsOf('social.mail-lapse', accountId);
    expect(mails).toHaveLength(1);
    const send = () => service.application.get(JobRegistry).get('social.mail-lapse').run(mails[0]?.payload);
    await send();
    const mail = await mailbox.next(demoAddress('owner', 'northside'));
    expect(mail.subject).toBe('Please connect northside.dental again');
    expect(mail.text).toContain('2 posts wait for it');
    expect(mail.text).toContain(`${service.config.appUrl}/organisations/${organisationId}/social/accounts`);
    await service.database.sql(`UPDATE social_media_accounts SET status = 'active' WHERE id = $1`, [accountId]);
    await send();
    expect(mailbox.mails).toHaveLength(1);
    const [event] = await service.database.sql(
      `SELECT changes FROM audit.events WHERE row_id = $1 AND action = 'update' AND changes ? 'status' LIMIT 1`,
      [accountId],
    );
    expect(event).toMatchObject({ changes: { status: ['active', 'expired'] } });
  });

  it('that meets a dead token leaves one alone that came with a new consent meanwhile', async () => {
    const accountId = await active();
    const work = tokens().withToken(accountId, async () => {
      await keepToken(service, accountId, { page: 'another token' });
      throw new MetaFailure('token-invalid');
    });
    await expect(work).rejects.toMatchObject({ kind: 'token-invalid' });
    expect((await rowOf(accountId)).status).toBe('active');
  });

  it('that lacks a permission has it asked what is left of them', async () => {
    const accountId = await active();
    expect(await failing(accountId, 'permission-missing')).toMatchObject({ kind: 'permission-missing' });
    expect(await rowOf(accountId)).toMatchObject({ status: 'active', health: 'warning', health_checked_at: null });
    expect(await jobsOf('social.check-account', accountId)).toHaveLength(1);
  });

  it.each(['rate-limited', 'unavailable', 'refused', 'not-found'] as const)(
    'that fails as %s says nothing of the account',
    async (kind) => {
      const accountId = await active();
      expect(await failing(accountId, kind)).toMatchObject({ kind });
      expect(await rowOf(accountId)).toMatchObject({ status: 'active', health: 'unknown', connection_error_count: 0 });
    },
  );
});

describe('As a person', () => {
  /** One text is one transaction, and over with its first error. */
  const asAuthenticated = (statement: string) => service.database.sql(`SET LOCAL ROLE authenticated; ${statement}`);

  it.each(['access_token_sealed', 'refresh_token_sealed'])('nobody reads or writes %s', async (column) => {
    await asAuthenticated('SELECT id, username FROM social_media_accounts');
    await asAuthenticated(`UPDATE social_media_accounts SET username = 'x'`);
    await expect(asAuthenticated(`SELECT ${column} FROM social_media_accounts`)).rejects.toMatchObject({
      code: '42501',
    });
    await expect(asAuthenticated(`UPDATE social_media_accounts SET ${column} = 'x'`)).rejects.toMatchObject({
      code: '42501',
    });
  });
});
