import { Injectable } from '@nestjs/common';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { eventStream, eventText } from '../../../kernel/http/event-stream.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import type { OpenStream } from './open-stream.js';
import { OpenStreams } from './open-streams.js';
import { StreamChanges } from './stream-changes.js';
import { isAhead, isPosition, type StreamPosition } from './stream-position.js';
import { Turns } from './turns.js';

const retryMs = 3_000;
/** So often it looks by itself: whether the session is still live, and what may have been notified unheard. */
const heartbeatMs = 15_000;
/** Between two looks, so that what comes in by hundreds is told by dozens. */
const gapMs = 100;
/** Between two attempts while the database is away. */
const awayMs = 1_000;
/** For a client that does not take what it is sent. */
const patienceMs = 60_000;
/** What is read and opened at a time. */
const chunkSize = 50;

/** Tells somebody what happens in their conversations, for as long as they listen. */
@Injectable()
export class StreamService {
  constructor(
    private readonly database: Database,
    private readonly streams: OpenStreams,
    private readonly changes: StreamChanges,
    private readonly turns: Turns,
  ) {}

  /** @param lastEventId what the client has read up to, where it was here before */
  open(caller: Caller, lastEventId: string | undefined): StreamedAnswer {
    const stream = this.streams.open(caller.userId);
    const texts = patiently(stream, this.tell(caller, stream, lastEventId));
    const readable = this.database.stream(texts, { objectMode: false });
    stream.bind(readable);
    return eventStream(readable);
  }

  private async *tell(caller: Caller, stream: OpenStream, lastEventId = ''): AsyncGenerator<string> {
    let position = await this.changes.now();
    const isKnown = isPosition(lastEventId) && !isAhead(lastEventId, position);
    if (isKnown) position = lastEventId;
    const isLost = lastEventId !== '' && !isKnown;
    yield eventText({ name: isLost ? 'reset' : 'ready', id: position, retryMs });
    if (isKnown) stream.wake();
    while (!stream.isOver) {
      await stream.nap(heartbeatMs);
      if (stream.isOver) break;
      try {
        for await (const told of this.look(caller, position)) {
          position = told.position;
          yield told.text;
        }
        await stream.pause(gapMs);
      } catch (error) {
        if (!isAway(error)) return yield farewell(error);
        yield eventText({});
        await stream.pause(awayMs);
        stream.wake();
      }
    }
    if (stream.endedBy) yield eventText({ name: 'end', data: { code: stream.endedBy } });
  }

  /**
   * What has changed since. The new position stands on the last of it: whoever is cut off before comes back to the old
   * one, and is told some of it again.
   */
  private async *look(caller: Caller, position: StreamPosition): AsyncGenerator<Told> {
    const round = await this.turns.take(() => this.changes.since(position));
    const { changes } = round;
    if (!changes) return yield { position: round.position, text: eventText({ name: 'reset', id: round.position }) };
    for (let from = 0; from < changes.length; from += chunkSize) {
      const events = await this.turns.take(() => this.changes.events(caller, changes.slice(from, from + chunkSize)));
      if (events.length > 0) yield { position, text: events.map(eventText).join('') };
    }
    yield { position: round.position, text: eventText({ id: round.position }) };
  }
}

interface Told {
  text: string;
  /** What it brings the client up to. */
  position: StreamPosition;
}

/** Of the database, or of its answer in time: both pass. */
const isAway = (error: unknown): boolean => asDomainError(error).definition.status === 503;

/** A session that has ended is told of; a fault of ours cuts the connection, and is logged. */
function farewell(error: unknown): string {
  const known = asDomainError(error);
  if (known.definition.status >= 500) throw error;
  return eventText({ name: 'end', data: { code: known.definition.code } });
}

/**
 * Nothing is kept for a client that takes nothing: it is left, and may come back. By hand and not as a generator, whose
 * end would wait for what it waits for.
 */
function patiently(stream: OpenStream, texts: AsyncGenerator<string>): AsyncIterable<string> {
  let impatience: NodeJS.Timeout | undefined;
  const next = async () => {
    clearTimeout(impatience);
    const result = await texts.next().catch((error: unknown) => {
      stream.leave();
      throw error;
    });
    if (result.done) stream.leave();
    else impatience = setTimeout(() => stream.drop(), patienceMs);
    return result;
  };
  const leave = () => {
    clearTimeout(impatience);
    stream.leave();
    return texts.return(undefined);
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
}
