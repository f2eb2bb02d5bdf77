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

/** The cookies of the request by their names: each as the client sends it, and not to be trusted for more. */
export const Cookies = createParamDecorator(
  (_: unknown, execution: ExecutionContext): Readonly<Record<string, string | undefined>> =>
    execution.switchToHttp().getRequest<FastifyRequest>().cookies,
);

/** What comes with a cookie is this browser's alone: nobody may keep the answer. */
export function setCookie(reply: FastifyReply, { name, value, path, maxAgeSeconds, isSecure }: Cookie): void {
  reply.header('cache-control', 'no-store');
  reply.setCookie(name, value, { path, maxAge: maxAgeSeconds, secure: isSecure, httpOnly: true, sameSite: 'lax' });
}
