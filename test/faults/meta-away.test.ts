import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { type Meta, startMeta } from '../support/meta.js';
import { becomes, type Connected, connect, due, hasten, isPublished, waitsFor } from '../support/publishing.js';
import { expectEachOnce } from '../support/publishing-workers.js';
import { openRelay, type Relay } from '../support/relay.js';
import { type Service, startService } from '../support/service.js';

/**
 * Meta as if its process had been killed: what it knows would be gone with the emulator's, so that the way to it is
 * taken away instead.
 */

const posts = 20;
/** For how long a host is left alone once it does not answer. */
const leftAloneMs = 5_500;
const slowestAnswerMs = 1_000;

let meta: Meta;
let relay: Relay;
let service: Service;
let account: Connected;

beforeAll(async () => {
  meta = await startMeta();
  relay = await openRelay(meta.url);
  const there = { META_GRAPH_URL: relay.url, META_INSTAGRAM_URL: relay.url };
  service = await startService({ withWorker: true, variables: { ...meta.variables, ...there } });
  account = await connect(meta, service, 'Northside');
}, 60_000);
afterAll(async () => {
  await service.stop();
  await relay.stop();
  await meta.stop();
});

/** What people look at, which all of it is here. @returns how long the slowest took */
async function lookAround(): Promise<number> {
  const token = await service.tokenOf(demoAddress('staff', 'northside'));
  const organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
  const social = `/organisations/${organisationId}/social`;
  const paths = ['/clinics', `${social}/posts`, `${social}/posts/upcoming`, `${social}/accounts`];
  let slowest = 0;
  for (let round = 0; round < 5; round += 1)
    for (const path of paths) {
      const begun = performance.now();
      expect((await service.call('GET', path, { token })).status).toBe(200);
      slowest = Math.max(slowest, performance.now() - begun);
    }
  return slowest;
}

describe('Twenty posts that are due while Meta is away', () => {
  it('wait and say why, hold up nobody, and are on the page once when Meta is back', async () => {
    await relay.cut();
    const accountOf = (number: number) => (number % 2 === 0 ? account.page : account.instagram);
    const ids = await Promise.all(
      Array.from({ length: posts }, (_, number) =>
        due(meta, service.database, accountOf(number), { caption: `Kept waiting ${number}` }),
      ),
    );
    expect(await lookAround()).toBeLessThan(slowestAnswerMs);
    for (const id of ids) {
      const post = await becomes(service.database, id, waitsFor('meta-unavailable'));
      expect(post).toMatchObject({ retry_count: 1, publish_started_at: null, error_code: null });
      expect(post.next_attempt_at?.getTime()).toBeGreaterThan(Date.now() - 60_000);
    }
    expect(await lookAround()).toBeLessThan(slowestAnswerMs);
    expect(await meta.published()).toEqual([]);

    await relay.restore();
    await pause(leftAloneMs);
    for (const id of ids) await hasten(service.database, id);
    for (const id of ids) await becomes(service.database, id, isPublished, { hastened: true });
    expect(await expectEachOnce(service, meta, account)).toBe(0);
  }, 60_000);
});
