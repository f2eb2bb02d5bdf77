import { parseArgs } from 'node:util';
import { MetaEmulator } from './meta-emulator.ts';
import { demoApp } from './tokens.ts';

/** `node test/emulators/meta/main.ts --port 4020`: prints its address, and answers until it is stopped. */
const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const emulator = new MetaEmulator();
const address = await emulator.listen(Number(values.port));
process.stdout.write(`Meta answers at ${address} (app ${demoApp.id}, secret ${demoApp.secret})\n`);
// Whoever starts it with a channel takes it along when they end, however that is.
process.once('disconnect', () => process.exit());
process.channel?.unref();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void emulator.close());
