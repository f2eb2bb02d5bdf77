import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { type ConnectedDoctor, connectDoctor, replyBecomes, setLeads } from '../support/leads.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';

/** The whole way of a comment: Meta tells of it, it is a lead, it is replied to, and Meta tells of the replies. */

const verifyToken = 'the-verify-token-of-the-test';

let meta: Meta;
let service: Service;
let doctor: ConnectedDoctor;
let token: string;

beforeAll(async () => {
  meta = await startMeta();
  const variables = { ...meta.variables, META_WEBHOOK_VERIFY_TOKEN: verifyToken };
  service = await startService({ withWorker: true, variables });
  doctor = await connectDoctor(service, meta, demoAddress('provider', 'northside'));
  token = await service.tokenOf(doctor.email);
  await meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, verifyToken);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

interface FoundLead {
  id: string;
  commentId: string;
}

const leads = async (): Promise<FoundLead[]> => (await service.call('GET', '/messenger/leads', { token })).body.data;

async function leadOf(commentId: string): Promise<FoundLead> {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(25)) {
    const lead = (await leads()).find((each) => each.commentId === commentId);
    if (lead) return lead;
  }
  throw new Error('The comment is no lead.');
}

it('A comment is told, kept, and replied to once, though every reply is told as well', async () => {
  await setLeads(service.database, doctor.doctorId, {
    ...{ publicReply: 'Thank you! We have written to you about an appointment.', privateReply: 'Book here: 📅' },
  });
  await meta.webhooks({ echoes: true, duplicate: 1 });
  const told = await meta.comment({
    instagramId: doctor.instagramId,
    from: 'Ada Lovelace',
    text: 'Ich möchte einen TERMIN 🦷',
  });
  const { id } = await leadOf(told.commentId);
  for (const kind of ['public', 'private'])
    await replyBecomes(service.database, id, kind, ({ status }) => status === 'sent');
  await meta.settled();
  await pause(1_500);
  expect(await leads()).toMatchObject([
    {
      id,
      state: 'contacted',
      text: 'Ich möchte einen TERMIN 🦷',
      publicReply: { status: 'sent' },
      privateReply: { status: 'sent' },
    },
  ]);
  expect([await meta.count('comment.reply'), await meta.count('page.message')]).toEqual([1, 1]);
  expect((await meta.sent(doctor.instagramId)).map(({ text }) => text)).toEqual(['Book here: 📅']);
});

it('A private reply whose answer is lost is known by the echo that Meta delivers', async () => {
  await setLeads(service.database, doctor.doctorId);
  await meta.control('calls/clear');
  const told = await meta.comment({ instagramId: doctor.instagramId, from: 'Grace Hopper', text: 'book me in' });
  const { id } = await leadOf(told.commentId);
  await meta.fault({ on: 'page.message', kind: 'cut-after' });
  const body = { text: 'Gern – wann passt es Ihnen?' };
  await service.call('POST', `/messenger/leads/${id}/private-reply`, { token, body });
  const reply = await replyBecomes(service.database, id, 'private', ({ status }) => status !== 'pending');
  expect(reply).toMatchObject({ status: 'sent', platform_id: expect.stringMatching(/./) });
  expect(await meta.count('page.message')).toBe(1);
});
