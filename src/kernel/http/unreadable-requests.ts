import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyServerOptions } from 'fastify';
import { uuidv7 } from 'uuidv7';
import type { ProblemClass } from '../errors/domain-error.js';
import { HeadersTooLarge, InvalidRequest, RequestTimedOut } from './http.errors.js';
import type { ProblemFilter } from './problem.filter.js';
import { problemDocument, problemType } from './problem-document.js';

type Options = Pick<FastifyServerOptions, 'frameworkErrors' | 'clientErrorHandler'>;

/** Problem documents for what fails before a route is looked for, where no hook and no filter of Nest is reached. */
export function unreadableRequests(filter: ProblemFilter): Options {
  return {
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      filter.answer(error, request, reply);
    },
    clientErrorHandler: answerSocket,
  };
}

/** What the parser of HTTP reports, by Node's codes. */
const kinds: ReadonlyMap<string, ProblemClass> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', RequestTimedOut],
  ['HPE_HEADER_OVERFLOW', HeadersTooLarge],
]);

/** There is no request yet, so the answer is written by hand. */
function answerSocket(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const kind = kinds.get(error.code ?? '') ?? InvalidRequest;
  const requestId = uuidv7();
  const body = JSON.stringify(problemDocument(new kind(), '/', requestId));
  const { status } = kind.definition;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy(error);
}
