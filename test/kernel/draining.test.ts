import { connect } from 'node:net';
import { type Probe, startProbe } from '../support/probe.js';
import { openSocket, readAnswer } from '../support/raw-http.js';

let probe: Probe;
let stopped: Promise<void> | undefined;
beforeEach(async () => {
  stopped = undefined;
  probe = await startProbe();
});
afterEach(async () => {
  await stopped;
  await probe.stop();
});

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A request that keeps its connection to the database for a while. */
function sleepFor(seconds: number, signal?: AbortSignal): Promise<Response> {
  return fetch(`${probe.url}/sql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: `SELECT pg_sleep(${seconds})` }),
    signal: signal ?? null,
  });
}

/** Until the database really works on it. */
async function untilItSleeps(): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const rows = await probe.database.sql(
      `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'
          AND datname = current_database()`,
    );
    if (rows.length > 0) return;
    await pause(10);
  }
  throw new Error('The slow request did not reach the database.');
}

function newConnection(): Promise<string> {
  const { hostname, port } = new URL(probe.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.destroy();
      resolve('let in');
    });
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
}

describe('While the service stops', () => {
  it('what runs is finished and answered, and nobody new is let in', async () => {
    const slow = sleepFor(1);
    await untilItSleeps();
    const begun = performance.now();
    stopped = probe.close();
    await pause(50);
    expect(await newConnection()).toBe('ECONNREFUSED');
    const answer = await slow;
    expect([answer.status, performance.now() - begun > 300]).toEqual([204, true]);
    await stopped;
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  it('what was written is committed before the pool is closed', async () => {
    await probe.database.sql('CREATE TABLE public.kept (id int); GRANT INSERT ON public.kept TO anon');
    const slow = fetch(`${probe.url}/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: 'INSERT INTO public.kept SELECT 1 FROM pg_sleep(0.5)' }),
    });
    await pause(200);
    stopped = probe.close();
    expect((await slow).status).toBe(204);
    expect(await probe.database.sql('SELECT id FROM public.kept')).toEqual([{ id: 1 }]);
  });

  it('connections that are idle do not hold it up', async () => {
    const idle = await openSocket(probe.url);
    const answer = readAnswer(idle);
    idle.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    const silent = await openSocket(probe.url);
    const closed = readAnswer(silent);
    await pause(100);
    const begun = performance.now();
    stopped = probe.close();
    await stopped;
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect((await answer).status).toBe(200);
    await closed;
  });

  it('a client that has hung up is not waited for', async () => {
    const impatient = new AbortController();
    const slow = sleepFor(2, impatient.signal).catch(() => undefined);
    await untilItSleeps();
    impatient.abort();
    await slow;
    const unfinished = await openSocket(probe.url);
    unfinished.write('POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
    await pause(100);
    unfinished.destroy();
    await pause(100);
    const begun = performance.now();
    stopped = probe.close();
    await stopped;
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
