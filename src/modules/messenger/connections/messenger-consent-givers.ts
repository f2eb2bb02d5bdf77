import { Injectable } from '@nestjs/common';
import {
  ForgetsMetaUser,
  HearsOfDeauthorization,
  NeedsMetaConsent,
} from '../../../integrations/meta/meta-data-holders.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { ConnectionHealth } from './health/connection-health.js';
import { Leaving } from './leaving.js';
import { askedScopes } from './purposes.js';

interface HeldPlace {
  pageId: string;
  accountId: string | null;
}

/** The people at Meta on whose consent messages hang: when they go, and whether we need them. */
@Injectable()
export class MessengerConsentGivers {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly leaving: Leaving,
    private readonly health: ConnectionHealth,
  ) {}

  /** Conversations stay, since they are the patients' and not that person's; who consented, names and tokens do not. */
  @ForgetsMetaUser()
  async forget(facebookUserId: string): Promise<void> {
    await this.transactions.runAs({ service: 'forget Meta users' }, async () => {
      const held = await this.database.query<HeldPlace>(readPlaces, [facebookUserId]);
      await this.database.query('SELECT app.forget_messenger_user($1)', [facebookUserId]);
      for (const place of held) await this.leaving.later({ ...place, facebookUserId: null, ownerId: null });
    });
  }

  @HearsOfDeauthorization()
  async hear(facebookUserId: string, heardAt: Date): Promise<void> {
    await this.transactions.runAs({ service: 'forget Meta users' }, () =>
      this.database.query('DELETE FROM public.messenger_pending_connections WHERE facebook_user_id = $1', [
        facebookUserId,
      ]),
    );
    await this.health.noteRemoval(facebookUserId, heardAt);
  }

  @NeedsMetaConsent(askedScopes.instagram)
  async needsConsent(facebookUserId: string): Promise<boolean> {
    const needed = await this.transactions.runAs({ service: 'connect Messenger' }, () =>
      this.database.first<{ isNeeded: boolean }>(readNeed, [facebookUserId]),
    );
    return needed?.isNeeded === true;
  }
}

const readPlaces = `
  SELECT page_id, NULL AS account_id FROM public.messenger_connections WHERE facebook_user_id = $1 AND is_active
  UNION ALL
  SELECT facebook_page_id, instagram_page_id FROM public.doctor_instagram WHERE facebook_user_id = $1`;

const readNeed = `
  SELECT EXISTS (SELECT FROM public.messenger_connections WHERE facebook_user_id = $1 AND is_active)
      OR EXISTS (SELECT FROM public.doctor_instagram WHERE facebook_user_id = $1)
      OR EXISTS (SELECT FROM public.messenger_pending_connections WHERE facebook_user_id = $1 AND expires_at > now())
      AS is_needed`;
