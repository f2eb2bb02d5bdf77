import { demoAddress } from '../../src/demo/demo.js';
import { type OwnServer, startOwnServer } from '../support/own-server.js';
import { type Answer, type Service, startService } from '../support/service.js';

let server: OwnServer;
let service: Service;

beforeAll(async () => {
  server = await startOwnServer();
  service = await startService({ database: server.database, withWorker: true });
});
afterAll(async () => {
  await service.stop();
  await server.stop();
});

describe('200 requests while the database crashes and comes back', () => {
  it('get a right answer or a clear 503, none hangs, and the pool is whole afterwards', async () => {
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const answers: Answer[] = [];
    const ask = async (index: number) => {
      await new Promise((resolve) => setTimeout(resolve, index * 8));
      const isWrite = index % 4 === 0;
      answers.push(
        isWrite
          ? await service.call('POST', '/organisations', {
              token,
              body: { name: `Under load ${index}`, slug: `under-load-${index}` },
            })
          : await service.call('GET', '/auth/me', { token }),
      );
    };
    const all = Promise.all(Array.from({ length: 200 }, (_, index) => ask(index)));
    await new Promise((resolve) => setTimeout(resolve, 400));
    await server.crash();
    await all;

    const wrong = answers.filter(
      ({ status, body }) => ![200, 201].includes(status) && !(status === 503 && body.code === 'database-unavailable'),
    );
    expect(wrong.map(({ text }) => text)).toEqual([]);
    expect(
      answers.filter(({ status }) => status === 503).every(({ headers }) => headers.get('retry-after') === '1'),
    ).toBe(true);
    expect(
      answers
        .filter(({ status }) => status === 200)
        .every(({ body }) => body.email === demoAddress('owner', 'northside')),
    ).toBe(true);

    await expectToRecover(token);
    await expectNothingHalfWritten(answers);
  });

  async function expectToRecover(token: string): Promise<void> {
    const deadline = Date.now() + 10_000;
    let answer = await service.call('GET', '/auth/me', { token });
    while (answer.status !== 200 && Date.now() < deadline) answer = await service.call('GET', '/auth/me', { token });
    const after = await Promise.all(Array.from({ length: 50 }, () => service.call('GET', '/auth/me', { token })));
    expect(after.map(({ status }) => status)).toEqual(Array(50).fill(200));
  }

  /** Whoever was told 201 has an organisation with its owner; nobody has one without. */
  async function expectNothingHalfWritten(answers: Answer[]): Promise<void> {
    const rows = await server.database.sql<{ slug: string; owners: string }>(
      `SELECT o.slug, count(m.id) AS owners FROM organisations o LEFT JOIN organisation_members m ON m.organisation_id = o.id
        WHERE o.slug LIKE 'under-load-%' GROUP BY o.slug`,
    );
    expect(rows.every(({ owners }) => owners === '1')).toBe(true);
    const promised = answers.filter(({ status }) => status === 201).map(({ body }) => body.slug);
    expect(promised.filter((slug) => !rows.some((row) => row.slug === slug))).toEqual([]);
  }

  it('let the worker go on as well: a mail that is asked for afterwards is sent', async () => {
    const answer = await service.call('POST', '/auth/password/forgot', {
      body: { email: demoAddress('owner', 'northside') },
    });
    expect(answer.status).toBe(202);
    const deadline = Date.now() + 15_000;
    let tokens = 0;
    while (tokens === 0 && Date.now() < deadline) {
      const [row] = await server.database.sql<{ count: string }>('SELECT count(*) FROM auth.one_time_tokens');
      tokens = Number(row?.count);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(tokens).toBe(1);
  });
});
