import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/** Nest's log calls as lines of pino. Objects become fields, so call sites decide field by field what is logged. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  /** Nest's own chatter about modules and routes; what an operator should see is written through pino itself. */
  log(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  private write(level: 'error' | 'warn' | 'debug' | 'trace', message: unknown, rest: unknown[]): void {
    const words = rest.filter((each): each is string => typeof each === 'string');
    const context = words.at(-1);
    if (typeof message !== 'object' || message === null) this.logger[level]({ context }, String(message));
    else this.logger[level]({ context, ...message }, words.length > 1 ? words[0] : undefined);
  }
}
