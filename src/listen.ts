import { once } from 'node:events';
import { createServer } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { atPort, type Config } from './kernel/config/config.js';

/** The API cannot have the address that HOST and PORT name; the message is for a person. */
export class CannotListen extends Error {
  constructor({ host, port }: Config, cause: unknown) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    super(
      code === 'EADDRINUSE'
        ? `Port ${port} is taken: set PORT to another one, or to 0 for any.`
        : `The API cannot listen on ${host}, port ${port} (${code}): look at HOST and PORT.`,
    );
  }
}

/**
 * The configuration with a port for `PORT=0`. Links in mails and the issuer of tokens name the port, and jobs may send
 * mails before anything listens, so it is picked before the application is built.
 */
export async function withPort(config: Config): Promise<Config> {
  if (config.port !== 0) return config;
  try {
    const probe = createServer().listen(0, config.host);
    await once(probe, 'listening');
    const address = probe.address();
    probe.close();
    await once(probe, 'close');
    return atPort(config, typeof address === 'object' && address ? address.port : 0);
  } catch (error) {
    throw new CannotListen(config, error);
  }
}

export async function listen(application: NestFastifyApplication, config: Config): Promise<void> {
  try {
    await application.listen(config.port, config.host);
  } catch (error) {
    throw new CannotListen(config, error);
  }
}
