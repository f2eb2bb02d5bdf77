import type { GraphCall } from './call.ts';
import { GraphRefusal, invalidParameter, permissionRequired } from './graph-errors.ts';
import { demandPageToken, type MetaState } from './meta-state.ts';
import type { WebhookEvent } from './webhook-events.ts';

/**
 * `/{page}/subscribed_apps` and `/{account}/subscribed_apps`: what Meta tells the app of.
 *
 * A page takes the fields of pages and nothing else: one that it does not know, such as Instagram's `comments`, spoils
 * the whole call. What is told of an Instagram account is chosen in the app's dashboard, and told as soon as its page
 * has any subscription; an account that has one of its own is told of as that says.
 *
 * Sources: https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps,
 * https://developers.facebook.com/docs/graph-api/webhooks/getting-started/webhooks-for-instagram (enable page
 * subscriptions), https://developers.facebook.com/docs/instagram-platform/webhooks, and the words of the refusal in
 * https://github.com/restfb/restfb/issues/1210.
 */

const pageFields = [
  ...['feed', 'mention', 'name', 'picture', 'category', 'description', 'conversations', 'inbox_labels', 'standby'],
  ...['messages', 'message_echoes', 'message_deliveries', 'message_reads', 'message_reactions', 'message_edits'],
  ...['messaging_postbacks', 'messaging_referrals', 'messaging_optins', 'messaging_optouts', 'messaging_handovers'],
  ...['messaging_account_linking', 'messaging_policy_enforcement', 'messaging_feedback', 'leadgen', 'ratings'],
];
const instagramFields = [
  ...['comments', 'live_comments', 'mentions', 'messages', 'message_edit', 'message_reactions', 'messaging_postbacks'],
  ...['messaging_referral', 'messaging_seen', 'messaging_handover', 'messaging_optins', 'standby', 'story_insights'],
];

/** POST: what was subscribed before is replaced. */
export function subscribe(state: MetaState, call: GraphCall): object {
  demandSubscribing(state, call);
  const fields = (call.params.get('subscribed_fields') ?? '').split(',').filter(Boolean);
  if (fields.length === 0) throw invalidParameter('The parameter subscribed_fields is required.');
  const known = state.world.pages.has(call.id) ? pageFields : instagramFields;
  for (const [index, field] of fields.entries()) if (!known.includes(field)) throw unknownField(index, field, known);
  for (const field of fields) {
    const needed = permissionFor(field, known === pageFields);
    if (needed && !call.token.grant?.scopes.has(needed)) throw fieldNeeds(field, needed);
  }
  subscribable(state, call.id).subscribedFields = fields;
  return { success: true };
}

export function subscriptions(state: MetaState, call: GraphCall): object {
  demandSubscribing(state, call);
  const { subscribedFields } = subscribable(state, call.id);
  const app = { id: state.tokens.app.id, name: 'Polyclinic (emulator)', link: 'https://polyclinic.example' };
  return { data: subscribedFields.length > 0 ? [{ ...app, subscribed_fields: subscribedFields }] : [] };
}

/** DELETE: by the app itself, too, which needs nobody's token for it. */
export function unsubscribe(state: MetaState, call: GraphCall): object {
  if (call.token.kind !== 'APP') demandSubscribing(state, call);
  subscribable(state, call.id).subscribedFields = [];
  return { success: true };
}

/** Whether Meta tells the app of it. */
export function isSubscribed({ world }: MetaState, { object, field }: WebhookEvent, placeId: string): boolean {
  if (object === 'page') return world.page(placeId).subscribedFields.includes(field);
  const account = world.instagram.get(placeId);
  if (!account) return false;
  const own = account.subscribedFields;
  return own.length > 0 ? own.includes(field) : world.page(account.pageId).subscribedFields.length > 0;
}

const subscribable = ({ world }: MetaState, id: string): { subscribedFields: string[] } =>
  world.instagram.get(id) ?? world.page(id);

function demandSubscribing(state: MetaState, { token, id, method }: GraphCall): void {
  state.demandReach(token, id, method);
  demandPageToken(token);
  if (!token.grant?.scopes.has('pages_manage_metadata')) throw permissionRequired('pages_manage_metadata');
}

const unknownField = (index: number, field: string, known: string[]): GraphRefusal =>
  invalidParameter(`Param subscribed_fields[${index}] must be one of {${known.join(', ')}} - got "${field}".`);

function permissionFor(field: string, isOfPage: boolean): string | undefined {
  if (/^messag|^standby/.test(field)) return isOfPage ? 'pages_messaging' : 'instagram_manage_messages';
  return !isOfPage && /comments$/.test(field) ? 'instagram_manage_comments' : undefined;
}

const fieldNeeds = (field: string, permission: string): GraphRefusal =>
  new GraphRefusal(
    `(#200) To subscribe to the ${field} field, one of these permissions is needed: ${permission}.`,
    200,
    { status: 403 },
  );
