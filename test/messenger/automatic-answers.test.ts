import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { AutomaticAnswers } from '../../src/modules/messenger/sending/automatic-answers.js';
import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  hearFrom,
  isSent,
  messagesOf,
  openPractice,
  type Practice,
  standing,
  type Talk,
  tellEchoes,
} from '../support/sending.js';
import { type Service, startService } from '../support/service.js';

/** What is answered by itself: a welcome, or that nobody is there; each once a day in a conversation, never to an echo. */

let meta: Meta;
let service: Service;
let practice: Practice;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
  practice = await openPractice(meta, service);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
beforeEach(() => settings({}));

const nineToFive = Object.fromEntries(
  ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((day) => [day, [{ from: '09:00', to: '17:00' }]]),
);

async function settings(given: Record<string, unknown>, doctor = practice.ownerId): Promise<void> {
  const columns = {
    ...{ doctor_id: doctor, time_zone: 'America/New_York', business_hours: JSON.stringify(nineToFive) },
    ...{ welcome_message: 'Welcome', away_message: 'We are away', instagram_receptionist_paused: false },
    instagram_receptionist_pause_message: null,
    ...given,
  };
  const names = Object.keys(columns);
  await service.database.sql('DELETE FROM doctor_settings WHERE doctor_id = $1', [doctor]);
  await service.database.sql(
    `INSERT INTO doctor_settings (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(columns),
  );
}

/** As the worker of the inbox does for what customers write. */
async function comes(talks: Talk | Talk[], at: string): Promise<void> {
  const messages = [talks].flat().map(({ id: conversationId, channel, practice: { ownerId } }) => ({
    ...{ conversationId, ownerId, channel, at: new Date(at) },
  }));
  const transactions = service.application.get(Transactions, { strict: false });
  await transactions.runAs({ service: 'process webhooks' }, () =>
    service.application.get(AutomaticAnswers, { strict: false }).incoming(messages),
  );
}

/** What was answered, once all of it has left. */
async function answers(talk: Talk): Promise<string[]> {
  for (const { id } of await messagesOf(service.database, talk)) await becomes(service.database, id, isSent);
  return standing(meta, talk);
}

const talkWith = (from: string, channel: Talk['channel'] = 'messenger') =>
  hearFrom(meta, service, practice, `${from} ${Math.random()}`, { channel });

/** A Wednesday in New York, five hours behind UTC. */
const morning = '2026-11-18T14:30:00Z';
const noon = '2026-11-18T17:00:00Z';
const evening = '2026-11-18T23:00:00Z';
/** Still Wednesday there, and Thursday in UTC. */
const lateEvening = '2026-11-19T03:30:00Z';
const nextMorning = '2026-11-19T14:30:00Z';

describe('Within the business hours', () => {
  it('the first message of a day is welcomed, and no other', async () => {
    const talk = await talkWith('Patient');
    await comes(talk, morning);
    await comes(talk, noon);
    expect(await answers(talk)).toEqual(['Welcome']);
    await comes(talk, nextMorning);
    expect(await answers(talk)).toEqual(['Welcome', 'Welcome']);
    const [first] = await messagesOf(service.database, talk);
    expect(first).toMatchObject({ sent_by: 'automation', direction: 'out' });
  });

  it('nothing is said by somebody who has no words for it', async () => {
    await settings({ welcome_message: null });
    const talk = await talkWith('Unwelcomed');
    await comes(talk, morning);
    expect(await messagesOf(service.database, talk)).toEqual([]);
  });

  it('each of two conversations is welcomed', async () => {
    const talks = [await talkWith('One'), await talkWith('Other'), await talkWith('Third', 'instagram')];
    await comes(talks, morning);
    for (const talk of talks) expect(await answers(talk)).toEqual(['Welcome']);
  });

  it('whoever has heard on that day that nobody is there is not welcomed on top', async () => {
    const talk = await talkWith('Early bird');
    await comes(talk, '2026-11-18T12:00:00Z');
    await comes(talk, morning);
    expect(await answers(talk)).toEqual(['We are away']);
  });
});

describe('Outside the business hours', () => {
  it('it is said that nobody is there, in place of a welcome and once a day there', async () => {
    const talk = await talkWith('At night');
    await comes(talk, evening);
    await comes(talk, lateEvening);
    expect(await answers(talk)).toEqual(['We are away']);
  });

  it('it is said, too, to who was welcomed in the morning', async () => {
    const talk = await talkWith('All day');
    await comes(talk, morning);
    await comes(talk, evening);
    expect(await answers(talk)).toEqual(['Welcome', 'We are away']);
  });

  it('a welcome is one at night where nothing is to be said of being away', async () => {
    await settings({ away_message: null });
    const talk = await talkWith('No away');
    await comes(talk, evening);
    expect(await answers(talk)).toEqual(['Welcome']);
  });

  it('never lie where no hours are known', async () => {
    await settings({ business_hours: '{}' });
    const talk = await talkWith('No hours');
    await comes(talk, evening);
    expect(await answers(talk)).toEqual(['Welcome']);
  });
});

describe('A message that comes late and out of order', () => {
  it('is not answered on behalf of a day that is over', async () => {
    const talk = await talkWith('Out of order');
    await comes(talk, nextMorning);
    await comes(talk, morning);
    expect(await answers(talk)).toEqual(['Welcome']);
  });
});

describe('While answers are paused', () => {
  it('nothing is said on Instagram', async () => {
    await settings({ instagram_receptionist_paused: true });
    const talk = await talkWith('Paused', 'instagram');
    await comes(talk, morning);
    await comes(talk, evening);
    expect(await messagesOf(service.database, talk)).toEqual([]);
  });

  it('or what is to be said then, once a day', async () => {
    await settings({ instagram_receptionist_paused: true, instagram_receptionist_pause_message: 'On holiday' });
    const talk = await talkWith('Holiday', 'instagram');
    await comes(talk, morning);
    await comes(talk, evening);
    await comes(talk, nextMorning);
    expect(await answers(talk)).toEqual(['On holiday', 'On holiday']);
  });

  it('pages are paused by themselves', async () => {
    await settings({ instagram_receptionist_paused: true });
    const talk = await talkWith('Page');
    await comes(talk, morning);
    expect(await answers(talk)).toEqual(['Welcome']);
    await service.database.sql('UPDATE messenger_connections SET is_paused = true WHERE page_id = $1', [
      practice.pageId,
    ]);
    const other = await talkWith('Paused page');
    await comes(other, morning);
    await service.database.sql('UPDATE messenger_connections SET is_paused = false WHERE page_id = $1', [
      practice.pageId,
    ]);
    expect(await messagesOf(service.database, other)).toEqual([]);
  });
});

describe('Nobody answers', () => {
  it('for an owner who has no such settings', async () => {
    const other = await openPractice(meta, service, { role: 'member' });
    const talk = await hearFrom(meta, service, other, 'No doctor');
    await comes(talk, morning);
    expect(await messagesOf(service.database, talk)).toEqual([]);
  });

  it('an echo: neither that of a welcome nor what was written in the inbox', async () => {
    const talk = await talkWith('Loop');
    await comes(talk, morning);
    await answers(talk);
    for (const { platform_message_id, id } of await messagesOf(service.database, talk))
      await tellEchoes(service, talk, [{ mid: platform_message_id ?? '', metadata: id, text: 'Welcome' }]);
    await tellEchoes(service, talk, [{ mid: 'typed-by-hand', text: 'Hello, how can we help?' }]);
    const ours = (await messagesOf(service.database, talk)).filter(({ sent_by }) => sent_by !== null);
    expect(ours).toHaveLength(1);
  });
});

describe('Two workers that tell of the same conversation', () => {
  it('welcome once', async () => {
    const talk = await talkWith('Parallel');
    await Promise.all([1, 2, 3, 4, 5].map(() => comes(talk, morning)));
    expect(await answers(talk)).toEqual(['Welcome']);
  });
});
