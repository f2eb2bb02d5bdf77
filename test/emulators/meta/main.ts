import { parseArgs } from 'node:util';
import { MetaEmulator } from './meta-emulator.ts';
import { demoApp } from './tokens.ts';

/**
 * `node test/emulators/meta/main.ts --port 4020`: prints its address, and answers until it is stopped; with
 * `--until-stdin-ends` also until whoever started it is gone, however that came about.
 */
const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, 'until-stdin-ends': { type: 'boolean' } },
});
const emulator = new MetaEmulator();
const address = await emulator.listen(Number(values.port));
process.stdout.write(`Meta answers at ${address} (app ${demoApp.id}, secret ${demoApp.secret})\n`);
// A stdin that is listened to would keep the process from its end.
const stop = () => void emulator.close().then(() => process.stdin.destroy());
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
if (values['until-stdin-ends']) process.stdin.resume().once('end', stop);
