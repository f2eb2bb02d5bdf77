import { setTimeout as pause } from 'node:timers/promises';
import { MetaLogin } from '../../src/integrations/meta/meta-login.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { ConnectedPages } from '../../src/modules/messenger/connections/connected-pages.js';
import { CommentEvents } from '../../src/modules/messenger/leads/comment-events.js';
import type { TestDatabase } from './database.js';
import { insertInstagram } from './messenger.js';
import type { Meta } from './meta.js';
import type { Service } from './service.js';

/** A doctor whose Instagram account is connected as the emulator has it. */
export interface ConnectedDoctor {
  email: string;
  doctorId: string;
  pageId: string;
  instagramId: string;
  username: string;
}

const scopes = [
  ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement', 'business_management'],
  ...['instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
];
const redirectUri = 'https://app.example/instagram';
const longestWaitMs = 20_000;

export async function connectDoctor(
  service: Service,
  meta: Meta,
  email: string,
  withheld: string[] = [],
): Promise<ConnectedDoctor> {
  const username = email.replace(/[^a-z]+/g, '.');
  const personId = await meta.person(email);
  const { id: pageId, instagramId } = await meta.page({ personId, name: username, instagram: { username } });
  const login = service.application.get(MetaLogin, { strict: false });
  const asked = scopes.filter((scope) => !withheld.includes(scope));
  const code = (await meta.consent(login.dialogUrl({ redirectUri, state: 'any', scopes: asked }), { personId })).get(
    'code',
  );
  const { accessToken } = await login.extend((await login.exchange({ code: code ?? '', redirectUri })).accessToken);
  const pages = service.application.get(MetaPages, { strict: false });
  const [page] = await pages.list(accessToken);
  await pages.subscribe(page?.accessToken ?? '', pageId, ['messages', 'message_echoes']);
  const { doctorId } = await insertInstagram(service, email, {
    ...{ token: page?.accessToken ?? '', instagram_page_id: instagramId, facebook_page_id: pageId },
    instagram_username: username,
  });
  return { email, doctorId, pageId, instagramId: instagramId ?? '', username };
}

/** As if the doctor had set it; what is not given is as it was at first. */
export async function setLeads(
  database: TestDatabase,
  doctorId: string,
  { keywords = [], publicReply = null, privateReply = null, isPaused = false }: LeadSettings = {},
): Promise<void> {
  await database.sql(
    `INSERT INTO doctor_settings (doctor_id, lead_keywords, lead_public_reply, lead_private_reply, instagram_receptionist_paused)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (doctor_id) DO UPDATE SET lead_keywords = excluded.lead_keywords,
       lead_public_reply = excluded.lead_public_reply, lead_private_reply = excluded.lead_private_reply,
       instagram_receptionist_paused = excluded.instagram_receptionist_paused`,
    [doctorId, keywords, publicReply, privateReply, isPaused],
  );
}

interface LeadSettings {
  keywords?: string[];
  publicReply?: string | null;
  privateReply?: string | null;
  isPaused?: boolean;
}

/** Hands changes of the account on as the inbox does, all in one batch. */
export async function tell(
  { application }: Service,
  instagramId: string,
  changes: readonly unknown[],
  at?: Date,
): Promise<void> {
  const events = application.get(CommentEvents, { strict: false });
  await application.get(Transactions, { strict: false }).runAs({ service: 'process webhooks' }, async () => {
    const pages = await application.get(ConnectedPages, { strict: false }).byEntry('instagram', [instagramId]);
    const connected = pages.get(instagramId);
    if (!connected) throw new Error('Nobody has connected this account.');
    await events.handle(changes.map((change) => ({ connected, change, ...(at && { at }) })));
  });
}

/** Somebody comments on Instagram, and the service hears of it. */
export async function comment(
  service: Service,
  meta: Meta,
  { instagramId }: ConnectedDoctor,
  given: { text: string; from?: string },
): Promise<{ commentId: string; change: unknown }> {
  const told = await meta.comment({ from: 'Ada Lovelace', ...given, instagramId, deliver: false });
  const [entry] = told.payload.entry as { changes: unknown[] }[];
  const change = entry?.changes[0];
  await tell(service, instagramId, [change]);
  return { commentId: told.commentId, change };
}

export interface ReplyRow extends Record<string, unknown> {
  id: string;
  lead_id: string;
  kind: string;
  status: string;
  sent_by: string;
  text_sealed: string | null;
  platform_id: string | null;
  error_code: string | null;
  started_at: Date | null;
  next_attempt_at: Date;
}

export async function replyRow(database: TestDatabase, leadId: string, kind: string): Promise<ReplyRow | undefined> {
  const [row] = await database.sql<ReplyRow>('SELECT * FROM comment_replies WHERE lead_id = $1 AND kind = $2', [
    leadId,
    kind,
  ]);
  return row;
}

/** The reply once it is so; fails when it does not become so in time. */
export async function replyBecomes(
  database: TestDatabase,
  leadId: string,
  kind: string,
  isSo: (row: ReplyRow) => boolean,
): Promise<ReplyRow> {
  const end = Date.now() + longestWaitMs;
  for (;;) {
    const row = await replyRow(database, leadId, kind);
    if (row && isSo(row)) return row;
    if (Date.now() > end) throw new Error(`The reply stays ${JSON.stringify(row)}`);
    await pause(25);
  }
}

/** As if that much time had passed since the reply was begun or put off, and a worker came for it now. */
export async function hastenReply(database: TestDatabase, replyId: string, passed = '0 seconds'): Promise<void> {
  await database.sql(
    `UPDATE comment_replies
        SET next_attempt_at = now() - interval '1 second', started_at = started_at - $2::interval, asked_at = asked_at - $2::interval
      WHERE id = $1 AND status = 'pending'`,
    [replyId, passed],
  );
  await database.sql(
    `SELECT graphile_worker.add_job('messenger.reply-to-comment', json_build_object('replyId', $1::text),
       job_key => 'messenger.reply-to-comment:' || $1, max_attempts => 10)`,
    [replyId],
  );
}
