import { hash } from 'node:crypto';
import { asJson, type DeliveredEvent, idOf, type Json, type MetaObject } from './delivery.js';

/**
 * What tells an event from every other: two deliveries of one have the same key, however Meta batched and spelt them.
 *
 * A message has an id of its own, which it keeps if Meta writes more about it the second time. But what happens to a message
 * (a reaction, its deletion, that it was read) bears the id of that message: such an event is known by all that it says.
 */
export function keyOf(object: MetaObject, { pageId, field, event }: DeliveredEvent): string {
  const own = field === 'changes' ? undefined : ownIdOf(event);
  return hash('sha256', JSON.stringify([object, pageId, field, own ?? event]), 'base64url');
}

function ownIdOf({ message, postback }: Json): readonly [kind: string, mid: string] | undefined {
  const { mid, is_echo: isEcho, is_deleted: isDeleted } = asJson(message) ?? {};
  if (isId(mid) && isDeleted !== true) return [isEcho === true ? 'echo' : 'message', mid];
  const { mid: pressed } = asJson(postback) ?? {};
  return isId(pressed) ? ['postback', pressed] : undefined;
}

const isId = (value: unknown): value is string => typeof value === 'string' && value !== '';

/**
 * A number of 31 bits that all events of one conversation share, which are processed one after the other. It is made of
 * the participant alone, whose id belongs to the one page or account anyway: for Instagram Meta names either the account or
 * the page that it is linked with.
 */
export function laneOf({ pageId, field, event }: DeliveredEvent): number {
  const subject = field === 'changes' ? commentOf(event) : participantOf(pageId, event);
  return Number.parseInt(hash('sha256', subject ?? pageId, 'hex').slice(0, 8), 16) >>> 1;
}

/** Whoever the page talks with: the one who wrote, unless it was the page itself. */
function participantOf(pageId: string, { sender, recipient, message }: Json): string | undefined {
  const [from, to] = [idOf(asJson(sender)?.id), idOf(asJson(recipient)?.id)];
  const isOurs = asJson(message)?.is_echo === true || from === pageId;
  return (isOurs ? to : from) ?? from ?? to;
}

function commentOf({ value }: Json): string | undefined {
  return idOf(asJson(value)?.id);
}
