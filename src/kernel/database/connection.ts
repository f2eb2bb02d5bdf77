import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/**
 * Sends what `send` asks of the connection in one write. pg writes each query by itself, also when it pipelines, and
 * these writes are the dearest part of a request: one in place of three is a tenth of its time.
 */
export function inOneWrite<T>(client: ClientBase, send: () => T): T {
  const stream = streamOf(client);
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

/**
 * Waits for the answer to what was sent, and gives the connection up when none comes: the server's own timeouts do not
 * reach us when its host has vanished, and TCP alone waits for a quarter of an hour. Fails as a lost connection does.
 */
export async function answeredWithin<T>(client: ClientBase, milliseconds: number, answer: Promise<T>): Promise<T> {
  const giveUp = () => streamOf(client).destroy(new Error('Connection terminated: the server does not answer'));
  const timer = setTimeout(giveUp, milliseconds);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Sends rows by COPY ... FROM STDIN. pg refuses such streams on a connection that pipelines, because statements that are
 * sent behind one would be read as its rows: so the connection, which must be idle, does not pipeline meanwhile.
 */
export async function copyInto(client: ClientBase, text: string, source: Iterable<string>): Promise<void> {
  await withoutPipelining(client, () =>
    pipeline(Readable.from(source, { objectMode: false }), client.query(copyFrom(text))),
  );
}

/** Hands on what COPY ... TO STDOUT writes, row by row. The bytes are the connection's: they change with the next row. */
export async function copyOut(client: ClientBase, text: string, take: (row: Buffer) => void): Promise<void> {
  await withoutPipelining(
    client,
    () =>
      new Promise<void>((resolve, reject) => {
        client.query({
          submit: (connection: { query(text: string): void }) => connection.query(text),
          handleCopyData: ({ chunk }: { chunk: Buffer }) => take(chunk),
          handleCommandComplete: () => undefined,
          handleReadyForQuery: resolve,
          handleError: reject,
        });
      }),
  );
}

async function withoutPipelining<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  const connection = client as ClientBase & { pipeline: boolean };
  const pipelines = connection.pipeline;
  connection.pipeline = false;
  try {
    return await work();
  } finally {
    connection.pipeline = pipelines;
  }
}

/** The socket, which pg has but does not declare. */
function streamOf(client: ClientBase): Duplex {
  return (client as unknown as { connection: { stream: Duplex } }).connection.stream;
}
