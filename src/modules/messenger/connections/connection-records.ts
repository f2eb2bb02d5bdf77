import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import type { ManagedPage } from '../../../integrations/meta/meta-pages.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { UnresolvedEvents } from '../inbox/unresolved-events.js';
import { Leaving, type Left } from './leaving.js';
import { MessengerTokens } from './messenger-tokens.js';

/** What somebody chose, and what Meta gave for it. */
export interface Access {
  userId: string;
  /** Null: none is named, and one of before stays. */
  clinicId: string | null;
  facebookUserId: string;
  page: ManagedPage;
  tokenExpiresAt: Date | null;
}

interface Former extends Left {
  id: string;
  clinicId: string | null;
  isActive: boolean;
}

/**
 * Writes down what is connected, as its owner and in the caller's transaction, with what follows from it: what waited for
 * the page is processed, and what was left for it is told to Meta.
 *
 * Somebody else's page is refused by the database (PC409 `page-already-linked`), whoever sees it first: nothing is taken
 * over. Ids are made here, since a token is sealed for the row in which it rests.
 */
@Injectable()
export class ConnectionRecords {
  constructor(
    private readonly database: Database,
    private readonly tokens: MessengerTokens,
    private readonly leaving: Leaving,
    private readonly unresolved: UnresolvedEvents,
  ) {}

  /** The owner's earlier page is let go of in the same transaction, by trigger; the same page keeps its row. */
  async keepPage(access: Access): Promise<string> {
    const { userId, clinicId, facebookUserId, page, tokenExpiresAt } = access;
    const formers = await this.formersOf(userId, findPages);
    const same = formers.find(({ pageId }) => pageId === page.id);
    const stays = same !== undefined && (clinicId === null || clinicId === same.clinicId);
    if (same && !stays) await this.database.query(deletePage, [same.id]);
    const id = stays ? same.id : uuidv7();
    const given = [id, page.name, this.tokens.sealPage('connection', id, page.accessToken), facebookUserId];
    if (stays) await this.database.query(updatePage, [...given, tokenExpiresAt]);
    else await this.database.query(insertPage, [...given, tokenExpiresAt, userId, clinicId, page.id]);
    await this.followUp(formers, { pageId: page.id, accountId: null, facebookUserId, ownerId: userId });
    return id;
  }

  /** A doctor has one account: another one takes its place. */
  async keepAccount(access: Access, { id: accountId, username }: { id: string; username: string }): Promise<void> {
    const { userId, clinicId, facebookUserId, page, tokenExpiresAt } = access;
    const formers = await this.formersOf(userId, findAccount);
    const [former] = formers;
    const stays = former !== undefined && (clinicId === null || clinicId === former.clinicId);
    if (former && !stays) await this.database.query(deleteAccount, [userId]);
    const sealed = this.tokens.sealPage('doctor', userId, page.accessToken);
    const given = [userId, accountId, page.id, page.name, facebookUserId, sealed, username, tokenExpiresAt];
    if (stays) await this.database.query(updateAccount, given);
    else await this.database.query(insertAccount, [...given, clinicId]);
    await this.followUp(formers, { pageId: page.id, accountId, facebookUserId, ownerId: userId });
  }

  /** Two consents of one person at once come one after the other: neither sees what the other has not yet committed. */
  private async formersOf(userId: string, statement: string): Promise<Former[]> {
    await this.database.query(waitForOthers, [userId]);
    return this.database.query<Former>(statement, [userId]);
  }

  private async followUp(formers: readonly Former[], now: Left): Promise<void> {
    for (const former of formers) if (former.isActive && !isSame(former, now)) await this.leaving.later(former);
    await this.leaving.lookAgain(now);
    await this.unresolved.pageConnected([now.pageId, now.accountId].filter((id) => id !== null));
  }
}

const isSame = (one: Left, other: Left): boolean =>
  one.pageId === other.pageId && one.accountId === other.accountId && one.facebookUserId === other.facebookUserId;

const waitForOthers = `SELECT pg_advisory_xact_lock(hashtextextended('messenger owner ' || $1, 0))`;

const findPages = `
  SELECT id, clinic_id, page_id, NULL AS account_id, facebook_user_id, owner_id, is_active
    FROM public.messenger_connections WHERE owner_id = $1`;

const findAccount = `
  SELECT doctor_id AS id, clinic_id, facebook_page_id AS page_id, instagram_page_id AS account_id, facebook_user_id,
         doctor_id AS owner_id, true AS is_active
    FROM public.doctor_instagram WHERE doctor_id = $1`;

const deletePage = 'DELETE FROM public.messenger_connections WHERE id = $1';

const insertPage = `
  INSERT INTO public.messenger_connections
    (id, page_name, page_access_token_sealed, facebook_user_id, token_expires_at, owner_id, clinic_id, page_id,
     health_level, health_checked_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'ok', now())`;

/** It works again: what was wrong with it is over. Whether it is paused is the owner's own wish, and stays. */
const updatePage = `
  UPDATE public.messenger_connections
     SET page_name = $2, page_access_token_sealed = $3, facebook_user_id = $4, token_expires_at = $5, is_active = true,
         connected_at = now(), health_level = 'ok', health_error_code = NULL, health_checked_at = now(),
         health_mailed_at = NULL
   WHERE id = $1`;

const deleteAccount = 'DELETE FROM public.doctor_instagram WHERE doctor_id = $1';

const insertAccount = `
  INSERT INTO public.doctor_instagram
    (doctor_id, instagram_page_id, facebook_page_id, facebook_page_name, facebook_user_id, instagram_access_token_sealed,
     instagram_username, instagram_token_expires_at, clinic_id, instagram_health_level, instagram_health_checked_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'ok', now())`;

/** When a message was last sent is known of the account that is there now, and of no other. */
const updateAccount = `
  UPDATE public.doctor_instagram
     SET instagram_page_id = $2, facebook_page_id = $3, facebook_page_name = $4, facebook_user_id = $5,
         instagram_access_token_sealed = $6, instagram_username = $7, instagram_token_expires_at = $8,
         connected_at = now(), instagram_health_level = 'ok', instagram_health_error_code = NULL,
         instagram_health_checked_at = now(), instagram_health_mailed_at = NULL,
         instagram_last_dm_success_at = CASE WHEN instagram_page_id = $2 THEN instagram_last_dm_success_at END
   WHERE doctor_id = $1`;
