/** For what somebody is sent to Meta's dialog, what is asked of them there, and what of it is needed. */

export const purposes = ['page', 'instagram'] as const;
export type Purpose = (typeof purposes)[number];

const ofPages = [
  'pages_show_list',
  'pages_manage_metadata',
  'pages_messaging',
  'pages_read_engagement',
  'business_management',
];

/** https://developers.facebook.com/docs/permissions */
export const askedScopes: Record<Purpose, readonly string[]> = {
  page: ofPages,
  instagram: [...ofPages, 'instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
};

/** Without these no message comes or goes. What else is withheld takes leads, or pages that a business owns. */
const neededScopes: Record<Purpose, readonly string[]> = {
  page: ['pages_show_list', 'pages_manage_metadata', 'pages_messaging'],
  instagram: [
    ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging'],
    ...['instagram_basic', 'instagram_manage_messages'],
  ],
};

export const missingScopes = (purpose: Purpose, given: readonly string[]): string[] =>
  neededScopes[purpose].filter((scope) => !given.includes(scope));

/**
 * What Meta is to tell of a page. Echoes, too: they settle what became of a message whose answer was lost.
 *
 * https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps
 */
export const pageFields = [
  ...['messages', 'messaging_postbacks', 'message_deliveries', 'message_reads', 'message_echoes'],
  'message_reactions',
] as const;

/**
 * What Meta is to tell of an account, by its own edge: https://developers.facebook.com/docs/instagram-platform/webhooks.
 * A page knows no such field as `comments`, and refuses the whole call for it.
 */
export const accountFields = (scopes: readonly string[]): string[] => [
  ...['messages', 'messaging_postbacks', 'messaging_seen', 'message_reactions'],
  ...(scopes.includes('instagram_manage_comments') ? ['comments'] : []),
];
