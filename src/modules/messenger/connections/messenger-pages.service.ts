import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { NotConnected } from '../messenger.errors.js';
import { ConnectionHealth } from './health/connection-health.js';
import type { ConnectionHealthBlock } from './health/health.schemas.js';
import { Leaving } from './leaving.js';
import type { MessengerPage, MessengerPages } from './messenger-pages.schemas.js';

const purpose = 'messenger pages';

interface ListedPage extends MessengerPage {
  position: string;
}

/** The pages that a person has connected: one that is active, and those of before. */
@Injectable()
export class MessengerPagesService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly health: ConnectionHealth,
    private readonly leaving: Leaving,
  ) {}

  /** The one that was connected last comes first. Meta is asked how it is, unless it was within five minutes. */
  async list(
    userId: string,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<MessengerPages> {
    const [before, beforeId] = cursor ? this.cursors.decode(cursor, purpose) : [null, null];
    const health = await this.health.ofOwnPages(userId);
    const rows = await this.database.query<ListedPage>(listPages, [userId, before, beforeId, limit + 1]);
    const listed = toPage(rows, limit, ({ position, id }) => this.cursors.encode([position, id], purpose));
    return { ...listed, data: listed.data.map((page) => ({ ...page, health: health.get(page.id) ?? notConnected })) };
  }

  /** Of the caller; somebody else's is not there. */
  async get(userId: string, pageConnectionId: string): Promise<MessengerPage> {
    const page = await this.database.first<MessengerPage>(readPage, [userId, pageConnectionId]);
    if (!page) throw new NotFound();
    return page;
  }

  /** The page that the caller is connected to now. */
  async active(userId: string): Promise<MessengerPage> {
    const page = await this.database.first<MessengerPage>(readActive, [userId]);
    if (!page) throw new NotFound();
    return page;
  }

  async setPaused(userId: string, pageConnectionId: string, isPaused: boolean): Promise<MessengerPage> {
    const values = [userId, pageConnectionId, isPaused];
    const page = await this.database.first<MessengerPage>(pausePage, values);
    if (page) return page;
    await this.get(userId, pageConnectionId);
    throw new NotConnected();
  }

  /** The token is forgotten at once, by trigger; a job tells Meta. Nothing happens to one that was let go of already. */
  async disconnect(userId: string, pageConnectionId: string): Promise<void> {
    const { connected } = await this.get(userId, pageConnectionId);
    if (!connected) return;
    const left = await this.database.first<{ pageId: string; facebookUserId: string | null }>(disconnectPage, [
      ...[userId, pageConnectionId],
    ]);
    if (left) await this.leaving.later({ ...left, accountId: null, ownerId: userId });
  }
}

const notConnected: ConnectionHealthBlock = {
  level: 'not_connected',
  checkedAt: null,
  tokenExpiresAt: null,
  lastDmSuccessAt: null,
  message: null,
  reconnectRecommended: false,
};

const columns = `
  id, page_id, page_name AS name, clinic_id, is_active AS connected, connected_at, is_paused, created_at, updated_at`;

/** A cursor keeps the time as text: a Date would lose its microseconds. */
const listPages = `
  SELECT ${columns}, connected_at::text AS position
    FROM public.messenger_connections
   WHERE owner_id = $1 AND ($2::text IS NULL OR (connected_at, id) < ($2::timestamptz, $3::uuid))
   ORDER BY connected_at DESC, id DESC LIMIT $4`;

const readPage = `SELECT ${columns} FROM public.messenger_connections WHERE owner_id = $1 AND id = $2`;

const readActive = `SELECT ${columns} FROM public.messenger_connections WHERE owner_id = $1 AND is_active`;

const pausePage = `
  UPDATE public.messenger_connections SET is_paused = $3 WHERE owner_id = $1 AND id = $2 AND is_active
  RETURNING ${columns}`;

const disconnectPage = `
  UPDATE public.messenger_connections
     SET is_active = false, health_level = 'unknown', health_error_code = NULL, health_mailed_at = NULL
   WHERE owner_id = $1 AND id = $2 AND is_active
  RETURNING page_id, facebook_user_id`;
