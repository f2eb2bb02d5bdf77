import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';
import { asRefusal } from '../../../kernel/http/problem-mapping.js';
import { SealBroken } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { NotConnected } from '../messenger.errors.js';
import { ConnectionHealth } from './health/connection-health.js';
import { MessengerTokens, type TokenHolder } from './messenger-tokens.js';

/** Whose messages a page or account gets, as conversations name it. */
export interface ConnectedPlace {
  ownerId: string;
  channel: MessagingChannel;
  /** The page's id, or that of the Instagram account: what a conversation has as its `page_id`. */
  pageId: string;
}

export interface Connected extends ConnectedPlace {
  clinicId: string | null;
  /** Through which messages of both channels leave. */
  facebookPageId: string;
  /** No automatic answers. */
  isPaused: boolean;
}

interface FoundEntry extends Connected {
  entryId: string;
}

interface HeldToken extends Connected {
  holder: TokenHolder;
  rowId: string;
  sealed: string;
}

/** Who answers where, and with which token. For the service; people see their own connections through the routes. */
@Injectable()
export class ConnectedPages {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly tokens: MessengerTokens,
    private readonly health: ConnectionHealth,
  ) {}

  /**
   * Whose the entries of a delivery are, by the ids that Meta names; an id that nobody has connected is not in the map.
   * A page is its connection's, else that of the doctor whose account is linked with it; an account is the doctor's, by
   * its own id or by that of its page, since Meta sends either. Nobody gets what is not named, however few there are.
   *
   * Runs in the caller's transaction, as the service.
   */
  async byEntry(object: 'page' | 'instagram', entryIds: readonly string[]): Promise<Map<string, Connected>> {
    const statement = object === 'page' ? findPages : findAccounts;
    const found = await this.database.query<FoundEntry>(statement, [[...new Set(entryIds)]]);
    return new Map(found.map(({ entryId, ...connected }) => [entryId, connected]));
  }

  /**
   * Makes calls with the token of an active connection; no transaction of this is open meanwhile. When Meta does not take
   * the token any more, the connection is in error and its owner hears of it, before the failure goes on to the caller.
   *
   * @throws NotConnected where nothing is connected any more, or the token does not open
   * @throws MetaFailure of the work
   */
  async withToken<T>(of: ConnectedPlace, work: (connected: Connected & { token: string }) => Promise<T>): Promise<T> {
    const held = await this.read(of);
    if (!held) throw new NotConnected();
    const { holder, rowId, sealed, ...connected } = held;
    try {
      return await work({ ...connected, token: this.open(holder, rowId, sealed) });
    } catch (error) {
      if (error instanceof MetaFailure && error.kind === 'token-invalid') await this.noteDeadToken(held);
      throw error;
    }
  }

  /** A message was taken there. Written down as the owner, at most once a minute. */
  async noteSuccess({ ownerId, channel, pageId }: ConnectedPlace): Promise<void> {
    const values = [ownerId, pageId];
    const note = async () => {
      const isOnPage = channel === 'messenger' && (await this.database.first(findOnPage, values)) !== undefined;
      await this.database.query(isOnPage ? noteOnPage : noteOnAccount, values);
    };
    await unlessDisabled(() => this.transactions.runAs({ user: ownerId, reason: 'check Messenger health' }, note));
  }

  /** The channel tells in which table the row stands: a doctor's account also answers what is written to its page. */
  private noteDeadToken({ holder, ownerId, rowId, sealed }: HeldToken): Promise<void> {
    const channel = holder === 'connection' ? 'messenger' : 'instagram';
    return unlessDisabled(() => this.health.noteDeadToken({ channel, ownerId, id: rowId }, sealed));
  }

  private read({ ownerId, channel, pageId }: ConnectedPlace): Promise<HeldToken | undefined> {
    return this.transactions.runAs({ service: 'connect Messenger' }, () =>
      this.database.first<HeldToken>(readToken, [ownerId, channel, pageId]),
    );
  }

  private open(holder: TokenHolder, rowId: string, sealed: string): string {
    try {
      return this.tokens.openPage(holder, rowId, sealed);
    } catch (error) {
      throw error instanceof SealBroken ? new NotConnected() : error;
    }
  }
}

/** As an owner who was disabled nothing can be written down; what it was about happened all the same. */
async function unlessDisabled(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    asRefusal(error);
  }
}

const ofConnection = `'messenger' AS channel, c.owner_id, c.clinic_id, c.page_id, c.page_id AS facebook_page_id, c.is_paused`;

const ofDoctor = (channel: string, pageId: string) => `
  ${channel} AS channel, d.doctor_id AS owner_id, d.clinic_id, ${pageId} AS page_id, d.facebook_page_id,
  coalesce(s.instagram_receptionist_paused, false) AS is_paused`;

const doctors = `
  public.doctor_instagram d LEFT JOIN public.doctor_settings s ON s.doctor_id = d.doctor_id`;

/** An owner has one active connection at most: the owner names it. */
const findPages = `
  SELECT entry.id AS entry_id, ${ofConnection}
    FROM unnest($1::text[]) AS entry (id)
    JOIN public.messenger_connections c ON c.owner_id = public.get_owner_by_page_id(entry.id) AND c.is_active
  UNION ALL
  SELECT d.facebook_page_id, ${ofDoctor(`'messenger'`, 'd.facebook_page_id')}
    FROM ${doctors}
   WHERE d.facebook_page_id = ANY ($1::text[])
     AND NOT EXISTS (SELECT FROM public.messenger_connections c WHERE c.page_id = d.facebook_page_id AND c.is_active)`;

/** By its own id first. That the page of one is the account of another cannot be; both are ids of one space at Meta. */
const findAccounts = `
  SELECT DISTINCT ON (entry.id) entry.id AS entry_id, ${ofDoctor(`'instagram'`, 'd.instagram_page_id')}
    FROM unnest($1::text[]) AS entry (id)
    JOIN (${doctors}) ON entry.id IN (d.instagram_page_id, d.facebook_page_id)
   ORDER BY entry.id, d.instagram_page_id <> entry.id`;

/** What is written to a page goes to its connection, else to the doctor whose account is linked with it. */
const readToken = `
  SELECT 'connection' AS holder, c.id AS row_id, c.page_access_token_sealed AS sealed, ${ofConnection}
    FROM public.messenger_connections c
   WHERE $2 = 'messenger' AND c.owner_id = $1 AND c.page_id = $3 AND c.is_active
  UNION ALL
  SELECT 'doctor', d.doctor_id, d.instagram_access_token_sealed, ${ofDoctor('$2', '$3')}
    FROM ${doctors}
   WHERE d.doctor_id = $1 AND $3 = CASE $2 WHEN 'instagram' THEN d.instagram_page_id ELSE d.facebook_page_id END
   ORDER BY holder LIMIT 1`;

const findOnPage = `
  SELECT FROM public.messenger_connections WHERE owner_id = $1 AND page_id = $2 AND is_active`;

const noteOnPage = `
  UPDATE public.messenger_connections SET last_dm_success_at = now()
   WHERE owner_id = $1 AND page_id = $2 AND is_active
     AND (last_dm_success_at IS NULL OR last_dm_success_at < now() - interval '1 minute')`;

const noteOnAccount = `
  UPDATE public.doctor_instagram SET instagram_last_dm_success_at = now()
   WHERE doctor_id = $1 AND $2 IN (instagram_page_id, facebook_page_id)
     AND (instagram_last_dm_success_at IS NULL OR instagram_last_dm_success_at < now() - interval '1 minute')`;
