import type { Writable } from 'node:stream';
import type { ClientBase } from 'pg';

/**
 * Sends what `send` asks of the connection in one write. pg writes each query by itself, also when it pipelines, and
 * these writes are the dearest part of a request: one in place of three is a tenth of its time.
 */
export function inOneWrite<T>(client: ClientBase, send: () => T): T {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}
