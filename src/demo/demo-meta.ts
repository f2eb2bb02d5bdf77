import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Config } from '../kernel/config/config.js';

const program = fileURLToPath(new URL('../../../test/emulators/meta/main.ts', import.meta.url));

/** The app that the emulator knows from the start. */
const app = { appId: 'emulator-app', appSecret: 'emulator-secret', appSecrets: ['emulator-secret'] };

/** Of the webhook, where the installation has none. Only a demo has one that is known. */
const verifyToken = 'emulator-verify-token';

/** Meta as a process of its own, for the demo alone: nothing that happens there reaches Facebook or Instagram. */
export interface DemoMeta {
  url: string;
  /** The configuration with the emulator in Meta's place. */
  config: Config;
  stop(): Promise<void>;
}

/** Undefined where an app of Meta is configured, or the sources of the emulator are not at hand. */
export async function startDemoMeta(config: Config): Promise<DemoMeta | undefined> {
  if (config.meta.appId !== undefined || !existsSync(program)) return undefined;
  // Its stdin ends with this process, whatever ends it: then the emulator ends, too.
  const child = spawn(process.execPath, [program, '--until-stdin-ends'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const url = await addressOf(child);
  const meta = {
    ...{ ...config.meta, ...app, graphUrl: url, dialogUrl: url, instagramUrl: url, allowsPrivateMedia: true },
    connectRedirectUrl: `${config.publicUrl}/demo`,
    webhookVerifyToken: config.meta.webhookVerifyToken ?? verifyToken,
  };
  return {
    url,
    config: { ...config, meta },
    stop: async () => {
      const closed = once(child, 'close');
      if (child.kill()) await closed;
    },
  };
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
