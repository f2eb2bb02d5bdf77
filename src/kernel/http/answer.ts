import type { Readable } from 'node:stream';
import type { Cookie } from './cookies.js';

/** What leaves once the transaction is committed: already cut down to the route's schema. */
export interface Answer {
  status: number;
  body: unknown;
  location?: string;
  cookie?: Cookie;
  /** It was stored by an earlier request with the same Idempotency-Key. */
  replayed?: boolean;
}

/**
 * What a handler returns of a route that declares `streams`. The stream is read after the commit, so it must not lean on
 * the request's transaction any more: `Database.stream` makes one whose parts are fetched in transactions of their own.
 */
export interface StreamedAnswer {
  stream: Readable;
  /** One of those that the route declares; parameters such as a charset may follow. */
  contentType: string;
  /** Under which a client saves it. */
  fileName?: string;
  /** Of this answer alone, in lower case. */
  headers?: Record<string, string>;
}

/** A body that goes out under another status than the one its route declares for success. */
export class AnswerWithStatus {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {}
}

/** A body that goes out together with a cookie. */
export class AnswerWithCookie {
  constructor(
    readonly body: unknown,
    readonly cookie: Cookie,
  ) {}
}

/** For a handler of a route that declares `setsCookie`: the body, and what the browser keeps beside it. */
export function withCookie(body: unknown, cookie: Cookie): AnswerWithCookie {
  return new AnswerWithCookie(body, cookie);
}

/** For a handler: answers one of the statuses that its route declares under `alsoAnswers`, e.g. 207. */
export function withStatus(status: number, body: unknown): AnswerWithStatus {
  return new AnswerWithStatus(status, body);
}
