import { demoAddress } from '../../src/demo/demo.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Road } from '../support/road.js';
import { type Service, startService } from '../support/service.js';

let database: TestDatabase;
let road: Road;
let service: Service;
beforeAll(async () => {
  database = await createTestDatabase();
  road = new Road(new URL(database.apiUrl));
  await road.open();
  service = await startService({
    database: { ...database, apiUrl: road.leadingTo(database.apiUrl) },
    variables: { STATEMENT_TIMEOUT_MS: '200', DATABASE_POOL_SIZE: '2' },
  });
});
afterAll(async () => {
  await service.stop();
  await road.cut();
  await database.drop();
});

describe('A database whose host has vanished without a word', () => {
  it('is given up: requests get a 503 in time, and the pool is whole when it is back', async () => {
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const read = () => service.call('GET', '/clinics', { token });
    expect((await Promise.all([read(), read()])).map(({ status }) => status)).toEqual([200, 200]);

    road.silence();
    const begun = performance.now();
    const answers = await Promise.all([
      read(),
      read(),
      service.call('POST', '/organisations', { token, body: { name: 'Silence' } }),
    ]);
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
      Array(3).fill([503, 'database-unavailable']),
    );
    expect(performance.now() - begun).toBeLessThan(20_000);

    await road.cut();
    await road.open();
    const after = await Promise.all(Array.from({ length: 10 }, read));
    expect(after.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(await database.sql(`SELECT FROM organisations WHERE name = 'Silence'`)).toEqual([]);
  });
});
