import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { uuidv7 } from 'uuidv7';

const saneId = /^[A-Za-z0-9._-]{8,64}$/;
/** An id that is all zeros is no id. */
const traceParent = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** The caller's `X-Request-Id` where it is sane, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && saneId.test(given) ? given : uuidv7();
}

/** Our own span in the caller's trace (W3C Trace Context), or undefined when there is none. */
export function childTraceParent(request: IncomingMessage): string | undefined {
  const header = request.headers.traceparent;
  const match = typeof header === 'string' ? header.match(traceParent) : null;
  if (!match) return undefined;
  return `00-${match[1]}-${randomBytes(8).toString('hex')}-${match[2]}`;
}
