import { parseArgs } from 'node:util';
import { demoClient, GoogleEmulator } from './google-emulator.ts';

/** `node test/emulators/google/main.ts --port 4010`: prints its address, and answers until it is stopped. */
const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const emulator = new GoogleEmulator();
const address = await emulator.listen(Number(values.port));
process.stdout.write(
  `Google answers at ${address} (client ${demoClient.clientId}, secret ${demoClient.clientSecret})\n`,
);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void emulator.close());
