import type { FastifyReply } from 'fastify';
import { type Cookie, setCookie } from './cookies.js';

/** What a handler returns of a route that declares `redirects`: where the browser goes on to, and what it takes along. */
export class Redirect {
  constructor(
    readonly url: string,
    readonly cookie?: Cookie,
  ) {}
}

/** Sends the browser on. Nobody may keep the address: it leads somewhere only once, and only this browser. */
export function sendOn(reply: FastifyReply, { url, cookie }: Redirect): void {
  reply.header('location', url).header('cache-control', 'no-store');
  if (cookie) setCookie(reply, cookie);
}
