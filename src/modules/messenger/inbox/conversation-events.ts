import { Injectable } from '@nestjs/common';
import { AutomaticAnswers, type IncomingMessage } from '../sending/automatic-answers.js';
import { type Echo, Echoes } from '../sending/echoes.js';
import { InboxConversations, type Placed } from './inbox-conversations.js';
import type { Meant } from './inbox-event.js';
import { InboxMessages } from './inbox-messages.js';
import { MessageChanges } from './message-changes.js';
import { ParticipantNames } from './participant-names.js';

/** How old a message may be that is answered without anybody having read it. */
const freshMs = 60 * 60_000;

/** Carries out what befalls conversations. In the transaction of a batch, as the service. */
@Injectable()
export class ConversationEvents {
  constructor(
    private readonly conversations: InboxConversations,
    private readonly messages: InboxMessages,
    private readonly changes: MessageChanges,
    private readonly names: ParticipantNames,
    private readonly echoes: Echoes,
    private readonly answers: AutomaticAnswers,
  ) {}

  /** @returns ids of the events that tell of a message which is not there, or not yet */
  async carryOut(events: readonly Meant[]): Promise<Set<string>> {
    if (events.length === 0) return new Set();
    const { placed, begun } = await this.conversations.place([...events].sort(byTime));
    if (begun > 0) this.names.askAfterCommit();
    const added = await this.messages.keep(placed);
    const echoes = placed.filter((event) => event.kind === 'echo').map(echoOf);
    // Before what befalls them: a message of ours is known by Meta's id only once its echo is settled.
    if (echoes.length > 0) await this.echoes.settle(echoes);
    const missing = await this.changes.apply(placed);
    const answerable = toAnswer(added);
    if (answerable.length > 0) await this.answers.incoming(answerable);
    return new Set([...missing, ...withoutConversation(events, placed)]);
  }
}

function byTime(one: Meant, other: Meant): number {
  return one.at.getTime() - other.at.getTime() || (one.id < other.id ? -1 : 1);
}

function echoOf({ conversationId, party, mid, metadata, appId, text, attachments, at }: Placed<'echo'>): Echo {
  const { ownerId, channel } = party.connected;
  return { conversationId, ownerId, channel, mid, metadata, appId, text, attachments, at };
}

/** The latest of each conversation, unless another app of the page has it in hand. */
function toAnswer(added: readonly Placed<'message' | 'postback'>[]): IncomingMessage[] {
  const oldest = Date.now() - freshMs;
  const fresh = added.filter(({ isStandby, at }) => !isStandby && at.getTime() >= oldest);
  const latest = new Map(fresh.map((event) => [event.conversationId, event]));
  return [...latest.values()].map(({ conversationId, party, at }) => {
    const { ownerId, channel } = party.connected;
    return { conversationId, ownerId, channel, at };
  });
}

/** A reaction to a message of which nothing has come, not even the conversation. Receipts of nothing are nothing. */
function withoutConversation(events: readonly Meant[], placed: readonly Placed[]): string[] {
  const found = new Set(placed.map(({ id }) => id));
  return events.filter(({ id, kind }) => kind === 'reaction' && !found.has(id)).map(({ id }) => id);
}
