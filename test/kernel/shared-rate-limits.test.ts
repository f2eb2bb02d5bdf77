import { join } from 'node:path';
import { demoAddress } from '../../src/demo/demo.js';
import { createTestDatabase, type TestDatabase, testServer } from '../support/database.js';
import { expectRefusal, statuses } from '../support/limits.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { type Service, startService } from '../support/service.js';

let database: TestDatabase;
const running: Service[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(() => Promise.all(running.splice(0).map((service) => service.stop())));
afterAll(() => database.drop());

async function limited(variables: Record<string, string>): Promise<Service> {
  const service = await startService({ database, variables });
  running.push(service);
  return service;
}
const owner = (service: Service) => service.tokenOf(demoAddress('owner', 'northside'));

describe('With Redis', () => {
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.stop());

  /** Two instances of one installation, connected, with one person's token. */
  async function pair(limit: string): Promise<{ one: Service; other: Service; token: string }> {
    const keys = join(testServer().folder, 'keys-of-both');
    const variables = { REDIS_URL: redis.url, RATE_LIMIT_USER: limit, DATA_DIR: keys };
    const [one, other] = [await limited(variables), await limited(variables)];
    return { one, other, token: await owner(one) };
  }
  const me = (service: Service, token: string) => service.call('GET', '/auth/me', { token });

  /** Nobody should notice: each answer is there within a second. */
  async function expectToGoOn(service: Service, token: string): Promise<void> {
    for (let index = 0; index < 10; index += 1) {
      const begun = performance.now();
      expect((await me(service, token)).status).toBe(200);
      expect(performance.now() - begun).toBeLessThan(1_000);
    }
  }

  async function remaining(service: Service, token: string): Promise<number> {
    return Number((await me(service, token)).headers.get('ratelimit')?.match(/;r=(\d+)/)?.[1]);
  }

  /** Of two counts no three readings in turn can be a row. */
  async function countTogether(one: Service, other: Service, token: string): Promise<boolean> {
    const first = await remaining(one, token);
    return (await remaining(other, token)) === first - 1 && (await remaining(one, token)) === first - 2;
  }

  it('instances count together', async () => {
    const { one, other, token } = await pair('6');
    expect(await statuses(3, () => me(one, token))).toEqual([200, 200, 200]);
    expect(await statuses(3, () => me(other, token))).toEqual([200, 200, 200]);
    expectRefusal(await me(one, token), 'user', 6);
    expectRefusal(await me(other, token), 'user', 6);
  });

  it('that hangs, requests go on without it, in time', async () => {
    const { one, token } = await pair('1000');
    const { id } = (await one.call('GET', '/clinics', { token })).body.data[0];
    redis.hang();
    const begun = performance.now();
    expect((await one.call('GET', `/clinics/${id}`, { token })).status).toBe(200);
    expect(performance.now() - begun).toBeLessThan(1_000);
    await expectToGoOn(one, token);
    redis.resume();
  });

  it('that dies, requests go on, each instance counting for itself', async () => {
    const { one, other, token } = await pair('20');
    await redis.kill();
    await expectToGoOn(one, token);
    await expectToGoOn(other, token);
    await expectToGoOn(other, token);
    expectRefusal(await me(other, token), 'user', 20);
    expect((await me(one, token)).status).toBe(200);
  });

  it('that comes back, they count together again', async () => {
    const { one, other, token } = await pair('1000');
    await redis.kill();
    expect(await countTogether(one, other, token)).toBe(false);
    await redis.restart();
    const deadline = Date.now() + 10_000;
    let together = false;
    while (!together && Date.now() < deadline) together = await countTogether(one, other, token);
    expect(together).toBe(true);
  });

  it('that is not there at the start, the service starts', async () => {
    await redis.kill();
    const { one, token } = await pair('1000');
    await expectToGoOn(one, token);
  });
});
