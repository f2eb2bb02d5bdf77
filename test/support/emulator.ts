import { type ChildProcess, spawn } from 'node:child_process';

/** One of test/emulators as a process of its own, once it answers. */
export async function startEmulator(name: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [`test/emulators/${name}/main.ts`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    printed += text;
    const [, url] = /answers at (\S+)/.exec(printed) ?? [];
    if (url) return { child, url };
  }
  throw new Error(`The emulator did not start: ${printed}`);
}
