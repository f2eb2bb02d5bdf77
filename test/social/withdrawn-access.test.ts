import { demoAddress } from '../../src/demo/demo.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import { type Meta, startMeta } from '../support/meta.js';
import { becomes, isPublished, waitsFor } from '../support/publishing.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { connectSocial } from '../support/social.js';

/** The whole way of an account whose access ends at Meta, as people go it. */

const owners = [demoAddress('owner', 'northside'), demoAddress('manager', 'northside')];
const captions = ['Open on Saturday', 'Closed on Sunday', 'Next week'];

let meta: Meta;
let mailbox: Mailbox;
let service: Service;
let token: string;
let organisationId: string;
let personId: string;
let instagramId: string;

beforeAll(async () => {
  [meta, mailbox] = await Promise.all([startMeta(), openMailbox()]);
  service = await startService({ withWorker: true, variables: { ...meta.variables, SMTP_URL: mailbox.smtpUrl } });
  token = await service.tokenOf(demoAddress('owner', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
  await service.database.sql(
    `UPDATE organisation_members SET role = 'owner' WHERE organisation_id = $1
        AND user_id = (SELECT id FROM auth.users WHERE email = $2)`,
    [organisationId, owners[1]],
  );
  personId = await meta.person('Northside');
  const page = await meta.page({ personId, name: 'Northside', instagram: { username: 'northside' } });
  instagramId = page.instagramId ?? '';
}, 60_000);
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
  await meta.stop();
});

const call = (method: string, path: string, body?: object): Promise<Answer> =>
  service.call(method, `/organisations/${organisationId}/social${path}`, { token, body });
const connect = () => connectSocial(service, meta, { organisationId, token, platform: 'instagram', personId });

async function schedule(socialAccountId: string, caption: string, inMs: number): Promise<string> {
  const contentUrl = meta.media('photo.jpg');
  const { body } = await call('POST', '/posts', { socialAccountId, caption, contentUrl });
  const scheduledFor = new Date(Date.now() + inMs).toISOString();
  expect((await call('POST', `/posts/${body.id}/schedule`, { scheduledFor })).status).toBe(200);
  return body.id;
}

describe('An account whose access is withdrawn at Meta', () => {
  let accountId: string;
  let due: string[];
  let later: string;

  beforeAll(async () => {
    [accountId = ''] = await connect();
    due = [await schedule(accountId, 'Open on Saturday', 2_000), await schedule(accountId, 'Closed on Sunday', 2_500)];
    later = await schedule(accountId, 'Next week', 7 * 24 * 3_600_000);
    await meta.control('tokens/revoke', { personId });
    for (const id of due) await becomes(service.database, id, waitsFor('account-expired'));
  }, 60_000);

  it('shows that it has expired, and its posts that they wait for it', async () => {
    expect((await call('GET', `/accounts/${accountId}`)).body).toMatchObject({ status: 'expired', health: 'error' });
    for (const id of [...due, later])
      expect((await call('GET', `/posts/${id}`)).body).toMatchObject({
        ...{ status: 'queued', waitingReason: 'account-expired', nextAttemptAt: null, retryCount: 0 },
      });
    expect(await meta.published(instagramId)).toEqual([]);
  });

  it('is told to each owner once', async () => {
    const mails = await Promise.all(owners.map((owner) => mailbox.next(owner)));
    for (const { subject, text } of mails) {
      expect(subject).toBe('Please connect northside again');
      expect(text).toContain('3 posts wait for it');
    }
    expect(mailbox.mails).toHaveLength(2);
  });

  it('takes what waited to Instagram once it is connected again, each once and at its time', async () => {
    expect(await connect()).toEqual([accountId]);
    for (const id of due) await becomes(service.database, id, isPublished);
    const post = (await call('GET', `/posts/${later}`)).body;
    expect(post).toMatchObject({ status: 'queued', waitingReason: null, nextAttemptAt: post.scheduledFor });
    const standing = await meta.published(instagramId);
    expect(standing.map(({ caption }) => caption).sort()).toEqual(captions.slice(0, 2).sort());
    expect((await call('GET', `/accounts/${accountId}`)).body).toMatchObject({ status: 'active', health: 'ok' });
    expect(mailbox.mails).toHaveLength(2);
  }, 40_000);
});
