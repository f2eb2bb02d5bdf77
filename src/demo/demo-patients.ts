/** People of the demo who write to a practice, and what was said. None of them is anybody. */

export interface Line {
  direction: 'in' | 'out';
  /** None of a picture, and of what was taken back. */
  text?: string;
  picture?: string;
  kind?: 'message' | 'postback';
  status: 'delivered' | 'read' | 'sent' | 'failed';
  errorCode?: string;
  sentBy?: 'user' | 'automation';
  reaction?: string;
  isDeleted?: boolean;
  minutesAgo: number;
}

export interface Conversation {
  channel: 'messenger' | 'instagram';
  name: string;
  status: 'open' | 'snoozed' | 'closed';
  unread: number;
  isAssigned: boolean;
  /** From the first to the last. */
  lines: Line[];
}

const hour = 60;
const day = 24 * hour;

function heard(minutesAgo: number, text: string, more: Partial<Line> = {}): Line {
  return { direction: 'in', status: 'read', text, minutesAgo, ...more };
}
function said(minutesAgo: number, text: string, more: Partial<Line> = {}): Line {
  return { direction: 'out', status: 'read', sentBy: 'user', text, minutesAgo, ...more };
}

const welcome = 'Good day! We answer within the hour.';

export const demoConversations: readonly Conversation[] = [
  {
    ...{ channel: 'messenger', name: 'Mara Lindqvist', status: 'open', unread: 2, isAssigned: false },
    lines: [
      heard(3 * day, 'Hello, do you treat children, too?'),
      said(3 * day - 1, welcome, { sentBy: 'automation' }),
      said(3 * day - 25, 'We do, from their first tooth on.'),
      heard(22, 'My son’s tooth hurts 😟 Is there anything free this week?', { status: 'delivered' }),
      heard(21, 'Thursday would be best.', { status: 'delivered' }),
    ],
  },
  {
    ...{ channel: 'messenger', name: 'Jonas Petrov', status: 'open', unread: 0, isAssigned: false },
    lines: [
      heard(5 * hour, 'Book an appointment', { kind: 'postback' }),
      said(5 * hour - 1, welcome, { sentBy: 'automation' }),
      said(4 * hour, 'Would Monday at nine suit you?', { reaction: '👍' }),
      heard(3 * hour, 'Monday at nine, thank you!'),
      said(2 * hour, 'See you on Monday.', { status: 'delivered' }),
    ],
  },
  {
    ...{ channel: 'messenger', name: 'Aylin Demir', status: 'closed', unread: 0, isAssigned: false },
    lines: [
      heard(20 * day, 'Is the car park open on Saturdays?'),
      said(20 * day - hour, 'It is, until two.', { status: 'sent' }),
    ],
  },
  {
    ...{ channel: 'messenger', name: 'Tom Okafor', status: 'snoozed', unread: 0, isAssigned: true },
    lines: [
      heard(6 * day, 'The filling came out. Is this normal?', { picture: 'https://media.example/filling.jpg' }),
      said(2 * day, 'Please come by tomorrow at eight.', { status: 'failed', errorCode: 'outside-messaging-window' }),
    ],
  },
  {
    ...{ channel: 'instagram', name: 'Lea Brandt', status: 'open', unread: 1, isAssigned: false },
    lines: [
      heard(day, 'Hi! What does whitening cost?'),
      said(day - 1, welcome, { sentBy: 'automation' }),
      said(day - 40, 'From 200 euros; we look at your teeth first.'),
      heard(35, 'Sounds good ✨ When can I come?', { status: 'delivered' }),
    ],
  },
  {
    ...{ channel: 'instagram', name: 'Noah Silva', status: 'open', unread: 0, isAssigned: false },
    lines: [
      { direction: 'in', status: 'read', isDeleted: true, minutesAgo: 9 * day },
      heard(9 * day - 2, 'Sorry, wrong chat!'),
      said(9 * day - 30, 'No harm done.', { sentBy: undefined }),
    ],
  },
];

export const demoLeads = [
  {
    ...{ username: 'mila.anders', text: 'How do I book with you?', state: 'new', hoursAgo: 2 },
    replies: [],
  },
  {
    ...{ username: 'theo.k', text: 'Any appointment before Christmas?', state: 'new', hoursAgo: 9 },
    replies: ['public'],
  },
  {
    ...{ username: 'ines.moreau', text: 'Price for a check-up, please 🙏', state: 'contacted', hoursAgo: 30 },
    replies: ['public', 'private'],
  },
  {
    ...{ username: 'sunny.deals', text: 'Book your followers here!!!', state: 'dismissed', hoursAgo: 75 },
    replies: [],
  },
] as const;

/** Whom a conversation of the demo is with, as Meta numbers people at a practice: the emulator is told the same. */
export function demoParticipantId(practice: number, conversation: Conversation): string {
  const base = conversation.channel === 'messenger' ? 24_599_000_000_000_000n : 1_299_000_000_000_000n;
  return String(base + BigInt(practice * 1_000 + demoConversations.indexOf(conversation) + 1));
}
