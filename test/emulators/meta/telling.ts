import type { Message, Participant } from './conversations.ts';
import type { MetaState } from './meta-state.ts';
import { isSubscribed } from './subscriptions.ts';
import { deliveryEvent, echoEvent, readEvent, type WebhookEvent } from './webhook-events.ts';

/** Tells the app, where it asked to be told. */
export function tell(state: MetaState, event: WebhookEvent, placeId: string): void {
  if (isSubscribed(state, event, placeId)) state.webhooks.announce(event);
}

/** What follows a message of the app's: its echo, and, where the stage is set so, that it arrived and was read. */
export function tellOfSent(state: MetaState, person: Participant, message: Message): void {
  const { echoes, delivered, read } = state.webhooks.settings;
  const envelope = { person, at: message.at + 1 };
  const isMessenger = person.place.channel === 'messenger';
  const events = [
    ...(echoes ? [echoEvent(person, message, state.tokens.app.id)] : []),
    ...(delivered && isMessenger ? [deliveryEvent(envelope, [message.mid])] : []),
    ...(read ? [readEvent(envelope, message.mid)] : []),
  ];
  for (const event of events) tell(state, event, person.place.id);
}
