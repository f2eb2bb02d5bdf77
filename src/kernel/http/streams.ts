import { once } from 'node:events';
import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Answer, StreamedAnswer } from './answer.js';
import type { OperationOptions } from './operation.decorator.js';
import { noteProblem } from './problem.filter.js';

/** Takes what a handler returned for a stream of one of the declared types. Anything else is a fault of the route. */
export function asStreamed({ id, streams }: OperationOptions, value: unknown): StreamedAnswer {
  const answer = value as StreamedAnswer;
  // It may fail while the transaction is still being committed: unheard, that would end the process.
  answer.stream.on('error', () => undefined);
  const [type] = answer.contentType.split(';');
  if (streams?.contentTypes.some((declared) => declared.split(';')[0] === type)) return answer;
  answer.stream.destroy();
  throw new Error(`${id} does not declare that it streams ${answer.contentType}.`);
}

/** Lets go of the stream of an answer that will not be sent. */
export function release(answer: Answer | undefined): void {
  const { stream } = (answer?.body ?? {}) as Partial<StreamedAnswer>;
  if (stream instanceof Readable) stream.destroy();
}

/**
 * Readies a stream for sending. What fails before the first byte is still a problem document, so its first part is
 * waited for; what fails later ends the connection, so that nobody takes half of it for the whole.
 */
export async function readied(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: StreamedAnswer,
): Promise<StreamableFile> {
  const { stream, contentType, fileName, headers = {} } = answer;
  if (request.method !== 'HEAD') await firstPartOf(stream, reply);
  reply.headers({ ...headers, 'content-type': contentType });
  if (fileName !== undefined) reply.header('content-disposition', dispositionOf(fileName));
  stream.on('error', (error) => noteProblem(error, request));
  return new StreamableFile(stream).setErrorLogger(() => undefined);
}

/** Throws what the stream throws. A client that has hung up meanwhile ends the stream, and the wait with it. */
async function firstPartOf(stream: Readable, reply: FastifyReply): Promise<void> {
  if (stream.errored) throw stream.errored;
  if (stream.readableLength > 0 || stream.readableEnded || stream.destroyed) return;
  const hungUp = () => stream.destroy();
  const waited = new AbortController();
  const { signal } = waited;
  reply.raw.once('close', hungUp);
  try {
    await Promise.race([
      once(stream, 'readable', { signal }),
      once(stream, 'end', { signal }),
      once(stream, 'close', { signal }),
    ]);
  } finally {
    waited.abort();
    reply.raw.off('close', hungUp);
  }
}

/** RFC 6266: a name in ASCII for old clients, and the name itself (RFC 8187). */
function dispositionOf(fileName: string): string {
  const plain = fileName.replace(/[^\w .()-]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(/['()*]/g, escaped);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

const escaped = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
