import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ConnectStateInvalid } from '../../../integrations/meta/consent.errors.js';
import { AuthorizationStates } from '../../../kernel/secrets/authorization-states.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { Purpose } from './purposes.js';

interface Begun {
  state: string;
  codeChallenge: string;
  expiresAt: Date;
}

/** Whose consent came back, and for what. */
export interface Used {
  userId: string;
  clinicId: string | null;
  codeVerifier: string;
}

interface UsedRow {
  id: string;
  userId: string;
  clinicId: string | null;
  isSignedIn: boolean;
}

/**
 * Who was sent to Meta's dialog, from which browser and for what. The state says nothing of them: it is a random number,
 * signed together with the browser's cookie, and the row under its hash is used up with its first use.
 */
@Injectable()
export class Authorizations {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly states: AuthorizationStates,
  ) {}

  /** As the caller, who has ten minutes; the database refuses a clinic in which they do not work. */
  async begin(
    purpose: Purpose,
    { userId, sessionId }: Caller,
    { clinicId, browser }: { clinicId: string | null; browser: string },
  ): Promise<Begun> {
    const { state, hash, codeChallenge } = this.states.make([purpose, browser]);
    const values = [userId, sessionId, clinicId, purpose, hash, sha256(browser)];
    const row = await this.database.first<{ expiresAt: Date }>(insertAuthorization, values);
    return { state, codeChallenge, expiresAt: row?.expiresAt ?? new Date() };
  }

  /**
   * Once, by the browser that began, while the person is still signed in there: the browser that Meta sends back brings
   * no token of ours. As long as the work goes on, the person counts as on the way.
   *
   * @throws ConnectStateInvalid
   */
  async use<Result>(
    { purpose, state, browser }: { purpose: Purpose; state: string; browser: string },
    work: (used: Used) => Promise<Result>,
  ): Promise<Result> {
    const opened = this.states.open(state, [purpose, browser]);
    if (!opened) throw new ConnectStateInvalid();
    const used = await this.asService(() =>
      this.database.first<UsedRow>(useAuthorization, [opened.hash, sha256(browser), purpose]),
    );
    if (!used) throw new ConnectStateInvalid();
    try {
      if (!used.isSignedIn) throw new ConnectStateInvalid();
      return await work({ userId: used.userId, clinicId: used.clinicId, codeVerifier: opened.codeVerifier });
    } finally {
      await this.end(used.id);
    }
  }

  /** Until when the person may come back from a dialog, or make a choice; null where nothing is under way. */
  async underWayUntil(userId: string): Promise<Date | null> {
    const row = await this.asService(() => this.database.first<{ until: Date | null }>(readUnderWay, [userId]));
    return row?.until ?? null;
  }

  /** What came of it stands, whether or not this can be written down; it is swept away once its time is over. */
  private async end(id: string): Promise<void> {
    await this.asService(() => this.database.query(deleteAuthorization, [id])).catch(() => undefined);
  }

  private asService<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.transactions.runAs({ service: 'connect Messenger' }, work);
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

const insertAuthorization = `
  INSERT INTO public.messenger_authorizations (user_id, session_id, clinic_id, purpose, state_hash, browser_hash)
  VALUES ($1, $2, $3, $4, $5, $6)
  RETURNING expires_at`;

/** Of two at once one finds it. */
const useAuthorization = `
  UPDATE public.messenger_authorizations a SET used_at = now()
   WHERE a.state_hash = $1 AND a.browser_hash = $2 AND a.purpose = $3 AND a.used_at IS NULL AND a.expires_at > now()
  RETURNING a.id, a.user_id, a.clinic_id,
            EXISTS (SELECT FROM auth.sessions s
                     WHERE s.id = a.session_id AND s.revoked_at IS NULL AND s.expires_at > now()) AS is_signed_in`;

const deleteAuthorization = 'DELETE FROM public.messenger_authorizations WHERE id = $1';

/** A browser that has come back is at its end within moments, unless its process was killed. */
const readUnderWay = `
  SELECT greatest(
    (SELECT max(CASE WHEN used_at IS NULL THEN expires_at ELSE least(expires_at, now() + interval '3 seconds') END)
       FROM public.messenger_authorizations WHERE user_id = $1 AND expires_at > now()),
    (SELECT max(expires_at) FROM public.messenger_pending_connections WHERE user_id = $1 AND expires_at > now())
  ) AS until`;
