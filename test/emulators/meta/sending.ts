import type { GraphCall } from './call.ts';
import type { Comment } from './comments.ts';
import type { Attachment, Channel, Message, Participant } from './conversations.ts';
import { type Node, select } from './fields.ts';
import { GraphRefusal, invalidParameter, unknownObject } from './graph-errors.ts';
import { demandPageToken, type MetaState } from './meta-state.ts';
import { tellOfSent } from './telling.ts';

/**
 * The Send API of pages and of the Instagram accounts behind them, and who the people are who write.
 *
 * Sources: https://developers.facebook.com/docs/messenger-platform/reference/send-api (2,000 characters),
 * https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message (1,000 bytes of UTF-8),
 * https://developers.facebook.com/docs/messenger-platform/instagram/features/private-replies (once, within seven days;
 * the person's window stays shut), https://developers.facebook.com/docs/messenger-platform/error-codes, and
 * https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/user-profile.
 */

const hour = 3_600_000;
const windowMs = { RESPONSE: 24 * hour, HUMAN_AGENT: 7 * 24 * hour };
const privateReplyMs = 7 * 24 * hour;
const longestMetadata = 1000;

interface Asked {
  recipient: { id?: string; comment_id?: string };
  text: string | undefined;
  attachments: Attachment[];
  metadata: string | undefined;
  tag: 'HUMAN_AGENT' | undefined;
}

/** POST /{page}/messages: for both channels, with the page's token. */
export function sendMessage(state: MetaState, call: GraphCall): object {
  const { token, id, method } = call;
  state.demandReach(token, id, method);
  demandPageToken(token);
  state.demandTask(id, 'MESSAGING');
  const asked = askedOf(call.params);
  if (asked.recipient.comment_id !== undefined) return replyPrivately(state, call, asked);
  return sendTo(state, call, asked);
}

function sendTo(state: MetaState, { id, token, method }: GraphCall, asked: Asked): object {
  const person = state.conversations.participants.get(asked.recipient.id ?? '');
  const channel = person?.place.channel ?? 'messenger';
  state.demandScopes(token, method, channel === 'messenger' ? 'pages_messaging' : 'instagram_manage_messages');
  if (person?.place.pageId !== id || person.lastWroteAt === undefined) throw noSuchPerson(channel);
  demandLength(asked.text, channel);
  if (person.hasBlocked) throw notAvailable();
  if (state.world.now() - person.lastWroteAt > windowMs[asked.tag ?? 'RESPONSE']) throw outsideWindow(channel);
  return sent(state, person, asked);
}

/** To the person who commented, who need not have written: once for each comment. */
function replyPrivately(state: MetaState, { id, token, method }: GraphCall, asked: Asked): object {
  state.demandScopes(token, method, 'instagram_manage_comments', 'pages_messaging');
  const comment = state.comments.all.get(asked.recipient.comment_id ?? '');
  const isOfPage = comment && state.world.instagram.get(comment.accountId)?.pageId === id;
  const person = state.conversations.participants.get(comment?.from.id ?? '');
  const isOld = comment && state.world.now() - comment.at > privateReplyMs;
  if (!isOfPage || !person || isOld || comment.privateReplyMid) throw invalidForPrivateReply();
  demandLength(asked.text, 'instagram');
  if (person.hasBlocked) throw notAvailable();
  return sent(state, person, asked, comment);
}

function sent(state: MetaState, person: Participant, asked: Asked, comment?: Comment): object {
  const { text, attachments, metadata, tag } = asked;
  const given = { direction: 'out' as const, text, attachments, metadata, tag, commentId: comment?.id };
  const message: Message = state.conversations.add(person, given);
  if (comment) comment.privateReplyMid = message.mid;
  tellOfSent(state, person, message);
  return { recipient_id: person.id, message_id: message.mid };
}

function askedOf(params: URLSearchParams): Asked {
  const recipient = objectIn(params, 'recipient') as Asked['recipient'];
  const message = objectIn(params, 'message') as { text?: unknown; attachment?: Attachment; metadata?: string };
  if (!recipient.id === !recipient.comment_id) throw invalidParameter('Param recipient must have exactly one id');
  const { text, attachment, metadata } = message;
  if (text !== undefined && typeof text !== 'string') throw invalidParameter('Param message[text] must be a string');
  if (!text && !attachment)
    throw invalidParameter('Message cannot be empty, must provide valid attachment or text', 2018034);
  if (text !== undefined && attachment) throw invalidParameter('Cannot send both text and an attachment in a message');
  if ((metadata ?? '').length > longestMetadata) throw tooLong('metadata', longestMetadata);
  return { recipient, text, attachments: attachment ? [checked(attachment)] : [], metadata, tag: tagOf(params) };
}

function tagOf(params: URLSearchParams): 'HUMAN_AGENT' | undefined {
  const type = params.get('messaging_type') ?? 'RESPONSE';
  const tag = params.get('tag');
  if (!['RESPONSE', 'UPDATE', 'MESSAGE_TAG'].includes(type))
    throw invalidParameter('Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}');
  if (type !== 'MESSAGE_TAG' && !tag) return undefined;
  if (type !== 'MESSAGE_TAG' || tag !== 'HUMAN_AGENT')
    throw invalidParameter('Param tag must be HUMAN_AGENT, with messaging_type MESSAGE_TAG');
  return tag;
}

function objectIn(params: URLSearchParams, name: string): object {
  try {
    const value = JSON.parse(params.get(name) ?? '') as unknown;
    if (typeof value === 'object' && value !== null) return value;
  } catch {}
  throw invalidParameter(`The parameter ${name} is required`);
}

function checked(attachment: Attachment): Attachment {
  const { type, payload } = attachment;
  if (!['image', 'audio', 'video', 'file'].includes(type))
    throw invalidParameter('Param message[attachment][type] must be one of {IMAGE, AUDIO, VIDEO, FILE}');
  const url = payload?.url ?? '';
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw invalidParameter('Failed to fetch the file from the url', 2018008);
  return { type, payload: { url } };
}

/** Messenger counts characters, Instagram bytes. */
function demandLength(text: string | undefined, channel: Channel): void {
  if (text === undefined) return;
  const [length, most] = channel === 'messenger' ? [[...text].length, 2000] : [Buffer.byteLength(text), 1000];
  if (length > most) throw tooLong('message[text]', most);
}

const tooLong = (name: string, most: number) =>
  invalidParameter(`Length of param ${name} must be less than or equal to ${most}`);

const noSuchPerson = (channel: Channel) =>
  channel === 'messenger'
    ? invalidParameter('No matching user found', 2018001)
    : new GraphRefusal('The requested user cannot be found.', 100, { subcode: 2534014 });

const notAvailable = () => new GraphRefusal("(#551) This person isn't available right now.", 551, { subcode: 1545041 });

const outsideWindow = (channel: Channel) =>
  new GraphRefusal(
    '(#10) This message is sent outside of allowed window. Learn more about the new policy here: ' +
      'https://developers.facebook.com/docs/messenger-platform/policy-overview',
    10,
    { subcode: channel === 'messenger' ? 2018278 : 2534022 },
  );

const invalidForPrivateReply = () =>
  new GraphRefusal('The comment is invalid for a private reply', 100, { subcode: 2534025 });

/** GET /{psid} and /{igsid}: of who has written; to comment is not to allow it. */
export function readParticipant(state: MetaState, call: GraphCall): object {
  const { token, id, method, params } = call;
  const person = state.conversations.participants.get(id);
  if (!person) throw unknownObject(id, method);
  state.demandReach(token, person.place.pageId, method);
  demandPageToken(token);
  const isMessenger = person.place.channel === 'messenger';
  state.demandScopes(token, method, isMessenger ? 'pages_messaging' : 'instagram_manage_messages');
  if (person.lastWroteAt === undefined || person.hasBlocked)
    throw new GraphRefusal('User consent is required to access user profile', 230, { status: 403 });
  const fields = params.get('fields');
  return isMessenger
    ? select(messengerNode(person), fields, 'first_name,last_name,profile_pic,id', 'User')
    : select(instagramNode(person), fields, 'name,profile_pic,id', 'IGBusinessScopedUser');
}

function messengerNode({ id, name }: Participant): Node {
  const [first = name, ...others] = name.split(' ');
  return {
    id: () => id,
    name: () => name,
    first_name: () => first,
    last_name: () => others.join(' ') || undefined,
    profile_pic: () => `https://scontent.example/participants/${id}.jpg`,
  };
}

function instagramNode({ id, name, username }: Participant): Node {
  return {
    id: () => id,
    name: () => name,
    username: () => username,
    profile_pic: () => `https://scontent.example/participants/${id}.jpg`,
    is_verified_user: () => false,
    follower_count: () => 10,
    is_user_follow_business: () => true,
    is_business_follow_user: () => false,
  };
}
