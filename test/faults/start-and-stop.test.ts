import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import PostalMime from 'postal-mime';
import { testServer } from '../support/database.js';
import { addressOf, isAlive, launch, refusalOf, type ServiceProcess, serverPidOf, until } from '../support/process.js';

/** The built service as a newcomer meets it: a process with an embedded database in its own folder, and signals to end it. */

let folder: string;
const launched: ServiceProcess[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(testServer().folder, 'start-'));
});
afterAll(async () => {
  for (const { child } of launched) child.kill('SIGKILL');
  for (const name of readdirSync(folder)) {
    const pid = serverPidOf(join(folder, name));
    if (pid && isAlive(pid)) process.kill(pid, 'SIGINT');
    await until(() => !isAlive(pid));
  }
  rmSync(folder, { recursive: true });
});

const dataDirOf = (name: string) => join(folder, name);

function begin(name: string, variables: Record<string, string> = {}): ServiceProcess {
  const started = launch({ PORT: '0', LOG_LEVEL: 'silent', DATA_DIR: dataDirOf(name), ...variables });
  launched.push(started);
  return started;
}

async function send(url: string, path: string, body?: object, token?: string) {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

/** The logins as the greeting prints them, and nothing that it does not. */
function printedLogins(output: string): { password: string; addresses: string[] } {
  const [, password = ''] = /demo logins +password '(.+)'/.exec(output) ?? [];
  const [, admin = '', first = '', second = ''] =
    /^ +(\S+@\S+)\n +<role>@(\S+) or @(\S+)$/m.exec(output)?.map(String) ?? [];
  const roles = /<role> one of (.+)$/m.exec(output)?.[1]?.split(', ') ?? [];
  return { password, addresses: [admin, ...[first, second].flatMap((host) => roles.map((role) => `${role}@${host}`))] };
}

async function logIn(url: string, output: string, email = 'admin@polyclinic.example'): Promise<string> {
  const { password } = printedLogins(output);
  return (await send(url, '/auth/login', { email, password })).body.accessToken;
}

async function everybody(url: string, output: string): Promise<string[]> {
  const { body } = await send(url, '/users?limit=100', undefined, await logIn(url, output));
  return body.data.map(({ id }: { id: string }) => id).sort();
}

/** Ends it by a signal and says how it went, and what it left. */
async function end(name: string, { child, ended }: ServiceProcess, signal: NodeJS.Signals, longestMs = 5_000) {
  const server = serverPidOf(dataDirOf(name));
  const since = Date.now();
  child.kill(signal);
  const code = await ended;
  const left = readdirSync(dataDirOf(name)).filter((file) => file.endsWith('.pid'));
  return { code, isQuick: Date.now() - since < longestMs, server: isAlive(server), left };
}

const cleanEnd = { code: 0, isQuick: true, server: false, left: [] };

describe('The first start', () => {
  let service: ServiceProcess;
  let url: string;
  beforeAll(async () => {
    service = begin('first');
    url = await addressOf(service);
  });

  it('says where the API, its documentation and its data are, and complains about nothing', async () => {
    expect(service.output).toMatch(/^Polyclinic answers at http:\/\/127\.0\.0\.1:[1-9]\d+\/api\/v1\n/);
    expect(service.output).toContain(`embedded, data in ${dataDirOf('first')}\n`);
    expect(service.errors).toBe('');
    const [, page = ''] = /documentation +(\S+)/.exec(service.output) ?? [];
    expect(await (await fetch(page)).text()).toContain('swagger-ui');
  });

  it('prints demo logins, each of which lets a newcomer in', async () => {
    const { addresses, password } = printedLogins(service.output);
    expect(addresses.length).toBeGreaterThan(15);
    for (const email of addresses) {
      const { status } = await send(url, '/auth/login', { email, password });
      expect([email, status]).toEqual([email, 200]);
    }
  });

  it('names the port that it picked in tokens and in the links of mails', async () => {
    expect(decodeJwt(await logIn(url, service.output)).iss).toBe(url);
    const body = { email: 'new@people.example', password: 'a-long-unusual-phrase', firstName: 'A', lastName: 'B' };
    expect(await send(url, '/auth/register', body)).toMatchObject({ status: 201 });
    expect(await nextMail(join(dataDirOf('first'), 'outbox'))).toContain(`${url}/verify-email#token=`);
  });

  it('lets no other process have its folder, and is not disturbed', async () => {
    const { pid } = service.child;
    expect(await refusalOf({ PORT: '0', DATA_DIR: dataDirOf('first') })).toEqual({
      code: 1,
      output: '',
      errors: `${dataDirOf('first')} is in use by process ${pid}: stop it, or set DATA_DIR to another folder.\n`,
    });
    expect(await everybody(url, service.output)).not.toEqual([]);
  });

  it('lets another run beside it, with data of its own, once that has a port to itself', async () => {
    const { port } = new URL(url);
    expect(await refusalOf({ PORT: port, LOG_LEVEL: 'silent', DATA_DIR: dataDirOf('second') })).toEqual({
      code: 1,
      output: '',
      errors: `Port ${port} is taken: set PORT to another one, or to 0 for any.\n`,
    });
    expect(serverPidOf(dataDirOf('second'))).toBeUndefined();
    const other = begin('second');
    const otherUrl = await addressOf(other);
    const [ours, theirs] = [await everybody(url, service.output), await everybody(otherUrl, other.output)];
    expect(theirs).toHaveLength(printedLogins(other.output).addresses.length);
    expect(ours.filter((id) => theirs.includes(id))).toEqual([]);
    expect(await end('second', other, 'SIGTERM')).toEqual(cleanEnd);
    expect(await everybody(url, service.output)).toEqual(ours);
  });

  it('is ended by Ctrl-C, server included; the next start has the same data and seeds nothing again', async () => {
    const before = await everybody(url, service.output);
    await abandonRequests(url, await logIn(url, service.output));
    expect(await end('first', service, 'SIGINT')).toEqual(cleanEnd);
    const next = begin('first');
    expect(await everybody(await addressOf(next), next.output)).toEqual(before);
    // Its terminal was closed.
    expect(await end('first', next, 'SIGHUP')).toEqual(cleanEnd);
  });
});

/** Requests whose clients went away, at every step of the way: nobody waits for them any more, and no stop may. */
async function abandonRequests(url: string, token: string): Promise<void> {
  const abandon = (afterMs: number) =>
    fetch(`${url}/api/v1/users`, {
      signal: AbortSignal.timeout(afterMs),
      headers: { authorization: `Bearer ${token}` },
    }).then(
      (response) => response.text(),
      () => undefined,
    );
  await Promise.all(Array.from({ length: 150 }, (_, index) => abandon(index % 30)));
}

describe('A service that was killed', () => {
  it('is followed by one that stops the server left behind, and keeps what was committed', async () => {
    const killed = begin('killed');
    const before = await everybody(await addressOf(killed), killed.output);
    const orphan = serverPidOf(dataDirOf('killed'));
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(isAlive(orphan)).toBe(true);
    await endOfEmulator(killed.output);
    const next = begin('killed');
    expect(await everybody(await addressOf(next), next.output)).toEqual(before);
    expect(isAlive(orphan)).toBe(false);
    await expectRecovery(next, before);
  });

  /** It is told by nobody: its own stdin says that whoever started it is gone. */
  async function endOfEmulator(output: string): Promise<void> {
    const [, address = ''] = /emulator of Facebook and Instagram at (\S+)/.exec(output) ?? [];
    expect(address).toMatch(/^http/);
    while (
      await fetch(address).then(
        () => true,
        () => false,
      )
    )
      await pause(20);
  }

  /** As after a power cut: the server is gone too, without a word, and its pid file is still there. */
  async function expectRecovery(running: ServiceProcess, before: string[]): Promise<void> {
    const server = serverPidOf(dataDirOf('killed'));
    running.child.kill('SIGKILL');
    process.kill(server ?? 0, 'SIGKILL');
    await running.ended;
    await until(() => !isAlive(server));
    expect(existsSync(join(dataDirOf('killed'), 'postgres/postmaster.pid'))).toBe(true);
    const next = begin('killed');
    expect(await everybody(await addressOf(next), next.output)).toEqual(before);
    expect(await end('killed', next, 'SIGTERM')).toEqual(cleanEnd);
  }
});

describe('A start that is interrupted', () => {
  it('leaves no server, and the next one has the whole demo', async () => {
    const interrupted = begin('interrupted');
    await until(() => serverPidOf(dataDirOf('interrupted')) !== undefined);
    // The start is finished first, with the migrations and the whole demo.
    expect(await end('interrupted', interrupted, 'SIGINT', 20_000)).toEqual(cleanEnd);
    const cutOff = begin('interrupted');
    await until(() => serverPidOf(dataDirOf('interrupted')) !== undefined);
    cutOff.child.kill('SIGKILL');
    await cutOff.ended;
    const next = begin('interrupted');
    const ids = await everybody(await addressOf(next), next.output);
    expect(ids).toHaveLength(printedLogins(next.output).addresses.length);
    expect(await end('interrupted', next, 'SIGTERM')).toEqual(cleanEnd);
  }, 60_000);
});

async function nextMail(outbox: string): Promise<string> {
  const isMail = (name: string) => name.endsWith('.eml');
  await until(() => existsSync(outbox) && readdirSync(outbox).some(isMail));
  const [name = ''] = readdirSync(outbox).filter(isMail);
  return (await PostalMime.parse(readFileSync(join(outbox, name)))).text ?? '';
}
