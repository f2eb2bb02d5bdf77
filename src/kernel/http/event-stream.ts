import type { Readable } from 'node:stream';
import type { StreamedAnswer } from './answer.js';

export const eventStreamType = 'text/event-stream';

/** One event of a stream; with neither name nor data it is a comment, which keeps the connection open. */
interface ServerSentEvent {
  name?: string;
  /** Sent as JSON. */
  data?: unknown;
  /** From where a client that comes back goes on: it sends this as `Last-Event-ID`. One line. */
  id?: string;
  /** How long it waits before it comes back. */
  retryMs?: number;
}

/** An event as the wire has it (HTML Living Standard, section 9.2.6). JSON is one line: it has no line breaks of its own. */
export function eventText({ name, data, id, retryMs }: ServerSentEvent): string {
  const lines = [
    ...(retryMs === undefined ? [] : [`retry: ${retryMs}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(name === undefined ? [': still here'] : [`event: ${name}`, `data: ${JSON.stringify(data ?? {})}`]),
  ];
  return `${lines.join('\n')}\n\n`;
}

/** The answer of a route that streams events: nobody on the way may keep it back or keep it. */
export function eventStream(stream: Readable): StreamedAnswer {
  const headers = { 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
  return { stream, contentType: `${eventStreamType}; charset=utf-8`, headers };
}
