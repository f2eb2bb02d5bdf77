import { demoAddress } from '../../src/demo/demo.js';
import { MetaFailure } from '../../src/integrations/meta/meta-failure.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { ConnectedPages } from '../../src/modules/messenger/connections/connected-pages.js';
import { insertConnection, insertInstagram, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';

const manager = demoAddress('manager', 'northside');
const provider = demoAddress('provider', 'northside');
const staff = demoAddress('staff', 'northside');

let service: Service;
let pages: ConnectedPages;

beforeAll(async () => {
  service = await startService();
  pages = service.application.get(ConnectedPages, { strict: false });
});
afterAll(() => service.stop());

beforeEach(async () => {
  await service.database.sql('DELETE FROM messenger_connections');
  await service.database.sql('DELETE FROM doctor_instagram');
});

const byEntry = (object: 'page' | 'instagram', ...ids: string[]) =>
  service.application.get(Transactions).runAs({ service: 'process webhooks' }, () => pages.byEntry(object, ids));

describe('An entry that names a page', () => {
  it('is of the owner of its active connection', async () => {
    const { ownerId, pageId } = await insertConnection(service, manager, { is_paused: true });
    const found = await byEntry('page', pageId);
    const clinicId = null;
    expect(found.get(pageId)).toEqual({
      ...{ channel: 'messenger', ownerId, clinicId, pageId, facebookPageId: pageId, isPaused: true },
    });
  });

  it('is nobody’s once its owner has let go of it', async () => {
    const { pageId } = await insertConnection(service, manager, { is_active: false });
    expect((await byEntry('page', pageId)).size).toBe(0);
  });

  it('is the doctor’s whose account is linked with it, where nobody has connected the page', async () => {
    const { doctorId, facebookPageId } = await insertInstagram(service, provider);
    expect((await byEntry('page', facebookPageId)).get(facebookPageId)).toMatchObject({
      ...{ channel: 'messenger', ownerId: doctorId, pageId: facebookPageId, facebookPageId, isPaused: false },
    });
  });

  it('is of its connection also where the same person’s account is linked with it', async () => {
    const { ownerId, pageId } = await insertConnection(service, provider);
    await insertInstagram(service, provider, { facebook_page_id: pageId });
    const found = await byEntry('page', pageId, pageId);
    expect([...found.values()]).toMatchObject([{ channel: 'messenger', ownerId, pageId }]);
  });

  it('is nobody’s where only another one is connected, were it the only page there is', async () => {
    await insertConnection(service, manager);
    await insertInstagram(service, provider);
    expect((await byEntry('page', metaId())).size).toBe(0);
    expect((await byEntry('instagram', metaId())).size).toBe(0);
  });
});

describe('An entry that names an Instagram account', () => {
  it('is the doctor’s, whether Meta names the account or its page', async () => {
    const { doctorId, pageId, facebookPageId } = await insertInstagram(service, provider);
    await service.database.sql(
      'INSERT INTO doctor_settings (doctor_id, instagram_receptionist_paused) VALUES ($1, true)',
      [doctorId],
    );
    const found = await byEntry('instagram', pageId, facebookPageId);
    const account = { channel: 'instagram', ownerId: doctorId, pageId, facebookPageId, isPaused: true };
    expect(found.get(pageId)).toMatchObject(account);
    expect(found.get(facebookPageId)).toMatchObject(account);
  });

  it('is not of the connection of a page', async () => {
    const { pageId } = await insertConnection(service, manager);
    expect((await byEntry('instagram', pageId)).size).toBe(0);
  });

  it('is each doctor’s own in a delivery that names several', async () => {
    const one = await insertInstagram(service, provider);
    const other = await insertInstagram(service, staff);
    const found = await byEntry('instagram', other.facebookPageId, one.pageId);
    expect(found.get(one.pageId)?.ownerId).toBe(one.doctorId);
    expect(found.get(other.facebookPageId)?.ownerId).toBe(other.doctorId);
  });
});

describe('A call with the token', () => {
  it('is made with the one of the page, and of nobody else’s place', async () => {
    const { ownerId, pageId } = await insertConnection(service, manager, { token: 'the page’s own' });
    const place = { ownerId, channel: 'messenger', pageId } as const;
    expect(await pages.withToken(place, async ({ token, facebookPageId }) => [token, facebookPageId])).toEqual([
      'the page’s own',
      pageId,
    ]);
    const { doctorId } = await insertInstagram(service, provider);
    const refused = { message: 'Not connected' };
    await expect(pages.withToken({ ...place, ownerId: doctorId }, async () => 1)).rejects.toMatchObject(refused);
    await expect(pages.withToken({ ...place, channel: 'instagram' }, async () => 1)).rejects.toMatchObject(refused);
  });

  it('is made with the doctor’s for either channel', async () => {
    const { doctorId, pageId, facebookPageId } = await insertInstagram(service, provider, { token: 'the doctor’s' });
    for (const place of [
      { ownerId: doctorId, channel: 'instagram', pageId } as const,
      { ownerId: doctorId, channel: 'messenger', pageId: facebookPageId } as const,
    ])
      expect(await pages.withToken(place, async (connected) => connected)).toMatchObject({
        ...{ ...place, token: 'the doctor’s', facebookPageId },
      });
  });

  it('is not made where the page was let go of, or its token does not open', async () => {
    const { ownerId, pageId, connectionId } = await insertConnection(service, manager);
    await service.database.sql(
      `UPDATE messenger_connections SET page_access_token_sealed = 'v1.a-key-that-is-nowhere.x.x.x' WHERE id = $1`,
      [connectionId],
    );
    const place = { ownerId, channel: 'messenger', pageId } as const;
    const call = () => pages.withToken(place, () => Promise.reject(new Error('must not be made')));
    await expect(call()).rejects.toMatchObject({ message: 'Not connected' });
    await service.database.sql('UPDATE messenger_connections SET is_active = false WHERE id = $1', [connectionId]);
    await expect(call()).rejects.toMatchObject({ message: 'Not connected' });
  });

  it('hands on what Meta says of it', async () => {
    const { ownerId, pageId } = await insertConnection(service, manager);
    const failure = new MetaFailure('outside-window');
    const call = pages.withToken({ ownerId, channel: 'messenger', pageId }, () => Promise.reject(failure));
    await expect(call).rejects.toBe(failure);
  });
});

describe('A message that was taken', () => {
  it('is noted on the page or the account, as its owner', async () => {
    const page = await insertConnection(service, manager);
    const account = await insertInstagram(service, provider);
    await pages.noteSuccess({ ownerId: page.ownerId, channel: 'messenger', pageId: page.pageId });
    await pages.noteSuccess({ ownerId: account.doctorId, channel: 'instagram', pageId: account.pageId });
    expect(
      await service.database.sql(
        `SELECT last_dm_success_at IS NOT NULL AS noted FROM messenger_connections
         UNION ALL SELECT instagram_last_dm_success_at IS NOT NULL FROM doctor_instagram`,
      ),
    ).toEqual([{ noted: true }, { noted: true }]);
  });
});
