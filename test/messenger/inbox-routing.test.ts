import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, insertInstagram, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** Whose an event is: whoever has connected what its entry names, and nobody else. */

const yesterday = Date.now() - 86_400_000;
const doctor = 'provider@northside.example';
const colleague = 'clinic-admin@northside.example';

let service: Service;
let webhook: Webhook;
let inbox: Inbox;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
});
beforeEach(async () => {
  for (const table of ['conversations', 'webhook_events', 'messenger_connections', 'doctor_instagram'])
    await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(() => service.stop());

async function receive(object: 'page' | 'instagram', entryId: string, text = 'Whose is it?'): Promise<void> {
  const item = fromPerson(entryId, metaId(), { message: { mid: `m_${metaId()}`, text } }, yesterday);
  await webhook.deliver({ object, entry: [entryOf(entryId, item)] });
  await inbox.workOff();
}

/** Who has got a message, where and in which channel. */
async function got(): Promise<{ owner_id: string; channel: string; page_id: string }[]> {
  return service.database.sql('SELECT owner_id, channel, page_id FROM conversations ORDER BY id');
}

const states = async (pageId: string) => (await inbox.events(pageId)).map(({ state }) => state);

describe('An event of a page', () => {
  it("is its connection's", async () => {
    const { pageId, ownerId } = await insertConnection(service, doctor);
    await receive('page', pageId);
    expect(await got()).toEqual([{ owner_id: ownerId, channel: 'messenger', page_id: pageId }]);
  });

  it("is its connection's, although the same person's account is linked with the page", async () => {
    const { pageId, ownerId } = await insertConnection(service, doctor);
    await insertInstagram(service, doctor, { facebook_page_id: pageId });
    await receive('page', pageId);
    expect(await got()).toEqual([{ owner_id: ownerId, channel: 'messenger', page_id: pageId }]);
  });

  it("is the doctor's whose account is linked with the page, where the page itself is not connected", async () => {
    const { doctorId, facebookPageId } = await insertInstagram(service, doctor);
    await receive('page', facebookPageId);
    expect(await got()).toEqual([{ owner_id: doctorId, channel: 'messenger', page_id: facebookPageId }]);
  });

  it("is nobody's who has let go of the page", async () => {
    const { pageId } = await insertConnection(service, doctor, { is_active: false });
    await receive('page', pageId);
    expect(await got()).toEqual([]);
    expect(await states(pageId)).toEqual(['unresolved']);
  });

  it("is the present owner's of a page that somebody else had before", async () => {
    const { pageId } = await insertConnection(service, doctor, { is_active: false });
    const { ownerId } = await insertConnection(service, colleague, { page_id: pageId });
    await receive('page', pageId);
    expect(await got()).toEqual([{ owner_id: ownerId, channel: 'messenger', page_id: pageId }]);
  });

  it('of which only the id of an Instagram account is known belongs to nobody', async () => {
    const { pageId } = await insertInstagram(service, doctor);
    await receive('page', pageId);
    expect(await got()).toEqual([]);
  });
});

describe('An event of an Instagram account', () => {
  it.each(['pageId', 'facebookPageId'] as const)("is the doctor's, by the %s that Meta names", async (name) => {
    const { doctorId, ...ids } = await insertInstagram(service, doctor);
    await insertInstagram(service, colleague);
    await receive('instagram', ids[name]);
    expect(await got()).toEqual([{ owner_id: doctorId, channel: 'instagram', page_id: ids.pageId }]);
  });

  it('is the same conversation by whichever of them', async () => {
    const { pageId, facebookPageId } = await insertInstagram(service, doctor);
    const personId = metaId();
    for (const [index, id] of [pageId, facebookPageId].entries()) {
      const item = fromPerson(id, personId, { message: { mid: `m_${index}_${pageId}`, text: 'Me again' } }, yesterday);
      await webhook.deliver({ object: 'instagram', entry: [entryOf(id, item)] });
    }
    await inbox.workOff();
    expect(await got()).toHaveLength(1);
    expect(await inbox.messages(pageId)).toHaveLength(2);
  });

  it('is not that of a page of the same owner which has no account', async () => {
    const { pageId } = await insertConnection(service, doctor);
    await receive('instagram', pageId);
    expect(await got()).toEqual([]);
  });
});

describe('An event of a page that nobody has connected', () => {
  it('is never given to the only doctor there is', async () => {
    await insertInstagram(service, doctor);
    await insertConnection(service, doctor);
    const strange = [metaId(), metaId()];
    await receive('instagram', strange[0] ?? '');
    await receive('page', strange[1] ?? '');
    expect(await got()).toEqual([]);
    for (const pageId of strange) expect(await states(pageId)).toEqual(['unresolved']);
  });

  it('stays sealed, whole, and out of the way of the others in its delivery', async () => {
    const { pageId } = await insertConnection(service, doctor);
    const strange = metaId();
    const entries = [strange, pageId, strange].map((id) =>
      entryOf(id, fromPerson(id, metaId(), { message: { mid: `m_${metaId()}`, text: 'Hello' } }, yesterday)),
    );
    await webhook.deliver({ object: 'page', entry: entries });
    await inbox.workOff();
    expect(await inbox.messages(pageId)).toHaveLength(1);
    expect(await inbox.events(strange)).toMatchObject(
      [1, 2].map(() => ({ state: 'unresolved', attempts: 0, payload_sealed: expect.stringMatching(/^v1\./) })),
    );
  });
});
