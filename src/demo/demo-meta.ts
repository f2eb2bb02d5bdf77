import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Config } from '../kernel/config/config.js';
import { demoConversations, demoParticipantId } from './demo-patients.js';

const program = fileURLToPath(new URL('../../../test/emulators/meta/main.ts', import.meta.url));

/** The app that the emulator knows from the start. */
const app = { appId: 'emulator-app', appSecret: 'emulator-secret', appSecrets: ['emulator-secret'] };

/** Meta as a process of its own, for the demo alone: nothing that happens there reaches Facebook or Instagram. */
export interface DemoMeta {
  url: string;
  /** The configuration with the emulator in Meta's place. */
  config: Config;
  /** From now on the service hears of what people write there. @throws Error unless it proves that the address is its own */
  tellService(serviceUrl: string): Promise<void>;
  stop(): Promise<void>;
}

/** Undefined where an app of Meta is configured, or the sources of the emulator are not at hand. */
export async function startDemoMeta(config: Config): Promise<DemoMeta | undefined> {
  if (config.meta.appId !== undefined || !existsSync(program)) return undefined;
  // Its stdin ends with this process, whatever ends it: then the emulator ends, too.
  const child = spawn(process.execPath, [program, '--until-stdin-ends'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const url = await addressOf(child);
  const meta = settingsFor(config, url);
  await introducePatients(url);
  return {
    url,
    config: { ...config, meta },
    tellService: (serviceUrl) => tell(url, `${serviceUrl}/api/v1/webhooks/meta`, meta.webhookVerifyToken),
    stop: async () => {
      const closed = once(child, 'close');
      if (child.kill()) await closed;
    },
  };
}

function settingsFor(config: Config, url: string) {
  const page = `${config.publicUrl}/demo`;
  return {
    ...{ ...config.meta, ...app, graphUrl: url, dialogUrl: url, instagramUrl: url, allowsPrivateMedia: true },
    // Made anew each time: there is none that is known beforehand, not even here.
    webhookVerifyToken: config.meta.webhookVerifyToken ?? randomBytes(24).toString('hex'),
    connectRedirectUrl: page,
    messengerSettingsUrl: `${page}?of=page`,
    doctorSettingsUrl: `${page}?of=instagram`,
  };
}

/** Asks the emulator for what it does by itself at no call of ours. */
export async function askEmulator<T>(url: string, what: string, given?: object): Promise<T> {
  const asked = given && { method: 'POST', body: JSON.stringify(given) };
  const response = await fetch(`${url}/_control/${what}`, asked);
  if (!response.ok) throw new Error(`The emulator of Meta refuses ${what}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** Whom the seeded conversations of the first practice are with, and when each wrote last. */
async function introducePatients(url: string): Promise<void> {
  const [page] = await askEmulator<{ id: string; instagramId: string }[]>(url, 'pages');
  if (!page) return;
  const events = demoConversations.map((conversation) => {
    const { channel, name, lines } = conversation;
    const minutesAgo = lines.findLast(({ direction }) => direction === 'in')?.minutesAgo ?? 0;
    const at = Date.now() - minutesAgo * 60_000;
    return {
      pageId: channel === 'messenger' ? page.id : page.instagramId,
      from: name,
      participantId: demoParticipantId(0, conversation),
      text: '...',
      at,
      deliver: false,
    };
  });
  await askEmulator(url, 'write/many', { events });
}

async function tell(url: string, callback: string, verifyToken: string): Promise<void> {
  const asked = { url: callback, verifyToken };
  const { verified } = await askEmulator<{ verified: boolean }>(url, 'webhooks/callback', asked);
  if (!verified) throw new Error(`${callback} does not prove itself to the emulator of Meta.`);
  await askEmulator(url, 'webhooks/settings', { delivered: true });
}

async function addressOf(child: ChildProcess): Promise<string> {
  let printed = '';
  child.stdout?.setEncoding('utf8');
  for await (const text of child.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
    printed += text;
    const [, address] = /answers at (\S+)/.exec(printed) ?? [];
    if (address) {
      child.stdout?.resume();
      return address;
    }
  }
  throw new Error('The emulator of Meta did not start.');
}
