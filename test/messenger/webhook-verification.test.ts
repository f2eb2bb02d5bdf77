import { type Meta, startMeta } from '../support/meta.js';
import { captureLog } from '../support/probe.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { verifyToken, webhookVariables } from '../support/webhooks.js';

/** The address of the webhook, as Meta verifies it when it is entered in the app's dashboard. */

let service: Service;
let meta: Meta;
let log: Record<string, unknown>[];
beforeAll(async () => {
  meta = await startMeta();
  service = await startService({
    variables: { ...webhookVariables, LOG_LEVEL: 'trace' },
    beforeListening: (application) => {
      log = captureLog(application);
    },
  });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const right = { 'hub.mode': 'subscribe', 'hub.challenge': '1158201444', 'hub.verify_token': verifyToken };
const verify = (query: Record<string, string>, at: Service = service): Promise<Answer> =>
  at.call('GET', `/webhooks/meta?${new URLSearchParams(query)}`);

describe('The verification of the webhook', () => {
  it('answers the challenge as it is, as text', async () => {
    const answer = await verify(right);
    expect([answer.status, answer.text]).toEqual([200, '1158201444']);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
  });

  it('is what Meta asks for', async () => {
    await meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, verifyToken);
    await expect(meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, 'another token')).rejects.toThrow('403');
  });

  it.each([
    ['another token', { 'hub.verify_token': 'another token' }],
    ['a part of the token', { 'hub.verify_token': verifyToken.slice(0, -1) }],
    ['the token and more', { 'hub.verify_token': `${verifyToken} ` }],
    ['no token', { 'hub.verify_token': '' }],
  ])('refuses %s, and does not answer the challenge', async (_, wrong) => {
    const answer = await verify({ ...right, ...wrong });
    expect([answer.status, answer.body.code]).toEqual([403, 'webhook-token-refused']);
    expect(answer.text).not.toContain('1158201444');
  });

  it.each([
    ['another mode', { 'hub.mode': 'unsubscribe' }],
    ['a challenge that a browser could take for a page', { 'hub.challenge': '<script>alert(1)</script>' }],
    ['no challenge', { 'hub.challenge': '' }],
  ])('refuses %s', async (_, wrong) => {
    const answer = await verify({ ...right, ...wrong });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid-request']);
  });

  it('refuses parameters that are missing or come twice', async () => {
    expect((await service.call('GET', '/webhooks/meta')).status).toBe(400);
    const twice = `${new URLSearchParams(right)}&hub.verify_token=another`;
    expect((await service.call('GET', `/webhooks/meta?${twice}`)).status).toBe(400);
  });

  it('leaves the token in no line of the log', () => {
    const lines = JSON.stringify(log);
    expect(lines).toContain('/api/v1/webhooks/meta');
    expect(lines).not.toContain(verifyToken);
    expect(lines).not.toContain(encodeURIComponent(verifyToken));
    expect(lines).not.toContain(verifyToken.replaceAll(' ', '+'));
  });
});

describe('An installation without a verify token', () => {
  it('verifies nothing: there is no token that works by itself', async () => {
    const { META_WEBHOOK_VERIFY_TOKEN: _, ...variables } = webhookVariables;
    const without = await startService({ variables });
    try {
      for (const token of ['', 'undefined', 'null', verifyToken, 'polyclinic']) {
        const answer = await verify({ ...right, 'hub.verify_token': token }, without);
        expect([answer.status, answer.body.code]).toEqual([503, 'webhook-not-configured']);
      }
    } finally {
      await without.stop();
    }
  });
});
