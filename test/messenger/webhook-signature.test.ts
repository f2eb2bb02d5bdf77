import { createHmac } from 'node:crypto';
import { type Style, signed, styled } from '../emulators/meta/callbacks.js';
import { type Service, startService } from '../support/service.js';
import { appSecret, entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** Whose a delivery is: the signature over its bytes says it, and nothing else does. */

let service: Service;
let webhook: Webhook;
beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
});
afterAll(() => service.stop());
beforeEach(() => service.database.sql('DELETE FROM webhook_events'));

const text = 'Grüße, 你好 👩🏽‍⚕️ \u2028 "quoted" \\ / <b>\u0007';
const page = '100000000000001';
let next = 0;
const message = () => {
  next += 1;
  return { object: 'page', entry: [entryOf(page, fromPerson(page, '200', { message: { mid: `m_${next}`, text } }))] };
};
const kept = async () => (await webhook.kept()).length;
const header = (value: string) => ({ 'x-hub-signature-256': value });
const codeOf = ({ body }: { body: string }) => (JSON.parse(body) as { code: string }).code;

async function expectRefused(body: Buffer, headers: Record<string, string>): Promise<void> {
  const answer = await webhook.send(body, headers);
  expect([answer.status, codeOf(answer)]).toEqual([401, 'webhook-signature-refused']);
  expect(await kept()).toBe(0);
}

describe('A delivery that Meta signed', () => {
  it.each<Style>(['compact', 'pretty', 'escaped'])('is taken in its own bytes: %s', async (style) => {
    expect(await webhook.deliver(message(), style)).toEqual({ status: 200, body: 'EVENT_RECEIVED' });
    const [event] = await webhook.kept();
    expect(event?.payload.event).toMatchObject({ message: { text } });
  });

  it('is not the same when its JSON is spelt otherwise', async () => {
    const payload = message();
    const signature = signed(styled(payload, 'escaped'), appSecret);
    await expectRefused(styled(payload, 'compact'), signature);
    await expectRefused(styled(payload, 'pretty'), signature);
    expect((await webhook.send(styled(payload, 'escaped'), signature)).status).toBe(200);
  });

  it('is refused when one bit of its body is another, wherever it stands', async () => {
    const body = styled(message(), 'escaped');
    const signature = signed(body, appSecret);
    for (let bit = 0; bit < body.length * 8; bit += 97) {
      const spoilt = Buffer.from(body);
      spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect((await webhook.send(spoilt, signature)).status).toBe(401);
    }
    await expectRefused(Buffer.concat([body, Buffer.from('\n')]), signature);
    await expectRefused(body.subarray(0, -1), signature);
    await expectRefused(Buffer.alloc(0), signature);
  });

  it('is refused when one bit of its signature is another, wherever it stands', async () => {
    const body = styled(message(), 'escaped');
    const digest = createHmac('sha256', appSecret).update(body).digest();
    for (let bit = 0; bit < 256; bit += 1) {
      const spoilt = Buffer.from(digest);
      spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect((await webhook.send(body, header(`sha256=${spoilt.toString('hex')}`))).status).toBe(401);
    }
    expect(await kept()).toBe(0);
  });

  it('is taken up to 1 MiB, and refused above', async () => {
    const payload = message();
    const room = 1024 * 1024 - styled({ ...payload, filler: '' }, 'compact').length;
    expect((await webhook.deliver({ ...payload, filler: 'x'.repeat(room) }, 'compact')).status).toBe(200);
    const refused = await webhook.deliver({ ...message(), filler: 'x'.repeat(room + 10) }, 'compact');
    expect([refused.status, codeOf(refused)]).toEqual([413, 'payload-too-large']);
    expect(await kept()).toBe(1);
  });
});

describe('A delivery that Meta did not sign', () => {
  const body = styled(message(), 'escaped');
  const digest = createHmac('sha256', appSecret).update(body).digest();
  const sha1 = createHmac('sha1', appSecret).update(body).digest('hex');

  it.each<[string, Record<string, string>]>([
    ['has no signature', {}],
    ['has an empty signature', header('')],
    ['has a signature of another secret', signed(body, 'another secret')],
    ['is signed with an empty secret', signed(body, '')],
    ['names no algorithm', header(digest.toString('hex'))],
    ['names another algorithm', header(`sha1=${sha1}`)],
    ['has the older signature alone', { 'x-hub-signature': `sha1=${sha1}` }],
    ['has half of a signature', header(`sha256=${digest.toString('hex').slice(0, 32)}`)],
    ['has a signature and more', header(`sha256=${digest.toString('hex')}00`)],
    ['has a signature in Base64', header(`sha256=${digest.toString('base64')}`)],
    ['has a signature of something else', signed(Buffer.from('{}'), appSecret)],
  ])('is refused and leaves nothing, though it looks like a message: it %s', async (_, headers) => {
    await expectRefused(body, headers);
  });

  it('is refused in any other type than JSON', async () => {
    const answer = await webhook.send(body, { ...signed(body, appSecret), 'content-type': 'text/plain' });
    expect([answer.status, codeOf(answer)]).toEqual([415, 'unsupported-media-type']);
  });

  it('is refused whatever it is, and counted', async () => {
    const before = await webhook.counted('deliveries', 'refused');
    for (const other of ['', '{', 'null', '{"object":"page","entry":[]}']) await expectRefused(Buffer.from(other), {});
    expect(await webhook.counted('deliveries', 'refused')).toBe(before + 4);
  });
});

describe('While the secret of the app is being changed', () => {
  it('both are taken, and none beside them', async () => {
    const rotating = await startService({
      variables: { ...webhookVariables, META_APP_SECRET_PREVIOUS: 'the old one' },
    });
    try {
      const { send } = webhookOf(rotating);
      const body = styled(message(), 'escaped');
      const statuses = await Promise.all(
        [appSecret, 'the old one', 'one before'].map(async (each) => (await send(body, signed(body, each))).status),
      );
      expect(statuses).toEqual([200, 200, 401]);
    } finally {
      await rotating.stop();
    }
  });
});

describe('An installation without an app', () => {
  it('takes nothing, whatever it is signed with', async () => {
    const without = await startService();
    try {
      const body = styled(message(), 'escaped');
      for (const secret of ['', 'undefined', 'null', appSecret])
        expect((await webhookOf(without).send(body, signed(body, secret))).status).toBe(401);
    } finally {
      await without.stop();
    }
  });
});

describe('Somebody who guesses', () => {
  it('is slowed down by address, while Meta, from the same one, is not', async () => {
    const strict = await startService({ variables: { ...webhookVariables, RATE_LIMIT_ADDRESS: '5' } });
    try {
      const { send, deliver } = webhookOf(strict);
      const statuses: number[] = [];
      for (let tries = 0; tries < 8; tries += 1) statuses.push((await send(Buffer.from('{}'))).status);
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
      for (let tries = 0; tries < 20; tries += 1) expect((await deliver(message())).status).toBe(200);
    } finally {
      await strict.stop();
    }
  });
});
