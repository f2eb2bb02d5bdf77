import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** HttpOnly and SameSite=Lax: no script reads it, and it comes along when a link leads a person here from elsewhere. */
export interface Cookie {
  name: string;
  value: string;
  /** The only paths, with those below it, that the browser sends it to. */
  path: string;
  maxAgeSeconds: number;
  /** Sent over https alone. */
  isSecure: boolean;
}

/** What a handler returns of a route that declares `redirects`: where the browser goes on to, and what it takes along. */
export class Redirect {
  constructor(
    readonly url: string,
    readonly cookie?: Cookie,
  ) {}
}

/** The cookies of the request by their names: each as the client sends it, and not to be trusted for more. */
export const Cookies = createParamDecorator(
  (_: unknown, execution: ExecutionContext): Readonly<Record<string, string | undefined>> =>
    execution.switchToHttp().getRequest<FastifyRequest>().cookies,
);

/** Sends the browser on. Nobody may keep the address: it leads somewhere only once, and only this browser. */
export function sendOn(reply: FastifyReply, { url, cookie }: Redirect): void {
  reply.header('location', url).header('cache-control', 'no-store');
  if (!cookie) return;
  const { name, value, path, maxAgeSeconds, isSecure } = cookie;
  reply.setCookie(name, value, { path, maxAge: maxAgeSeconds, secure: isSecure, httpOnly: true, sameSite: 'lax' });
}
