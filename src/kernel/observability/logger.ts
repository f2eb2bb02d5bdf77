import { type Logger, pino } from 'pino';
import type { Config } from '../config/config.js';

export const LOGGER = Symbol('LOGGER');

/** JSON lines to standard output. */
export function createLogger({ logLevel }: Pick<Config, 'logLevel'>): Logger {
  return pino({
    level: logLevel,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
