import { Injectable } from '@nestjs/common';
import { ChoiceInvalid } from '../../../integrations/meta/consent.errors.js';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { type ManagedPage, MetaPages } from '../../../integrations/meta/meta-pages.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountMaker, type Choice } from './account-maker.js';
import type { SocialAccount } from './accounts.schemas.js';
import { AccountsService } from './accounts.service.js';
import type { Candidate } from './candidates.js';
import type { PendingConnection } from './connect.schemas.js';
import type { Platform } from './consent-scopes.js';
import { SocialTokens } from './social-tokens.js';

export interface Consent {
  facebookUserId: string;
  /** Long-lived. */
  personToken: string;
  expiresAt: Date | null;
  scopes: string[];
}

/** Whose choice it is: nobody else's, and in the session in which it began. */
export interface ChoiceHolder {
  organisationId: string;
  userId: string;
  sessionId: string;
}

interface PendingRow {
  id: string;
  platform: Platform;
  facebookUserId: string;
  candidates: Candidate[];
  connectedIds: string[];
  expiresAt: Date;
}

/** Choices that a person has yet to make among several pages. Nothing is connected before. */
@Injectable()
export class PendingConnections {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly tokens: SocialTokens,
    private readonly pages: MetaPages,
    private readonly maker: AccountMaker,
    private readonly accounts: AccountsService,
  ) {}

  /** The row is made as the caller; the token comes into it as the service. */
  async keep(
    holder: ChoiceHolder,
    platform: Platform,
    { facebookUserId, personToken, expiresAt, scopes }: Consent,
    candidates: readonly Candidate[],
  ): Promise<PendingConnection> {
    const values = [platform, facebookUserId, JSON.stringify(candidates), scopes];
    const made = await this.database.separately(() =>
      this.database.first<{ id: string }>(insertPending, [...textsOf(holder), ...values]),
    );
    const id = made?.id ?? '';
    await this.transactions.runAs({ service: 'connect Meta' }, () =>
      this.database.query(keepToken, [id, this.tokens.sealPending(id, personToken), expiresAt]),
    );
    return this.get(holder, id);
  }

  async get(holder: ChoiceHolder, pendingId: string): Promise<PendingConnection> {
    const { id, candidates, connectedIds, expiresAt } = await this.read(holder, pendingId);
    return {
      id,
      expiresAt,
      candidates: candidates.map((each) => ({ ...each, alreadyConnected: connectedIds.includes(each.id) })),
    };
  }

  /** Connects what was chosen. When Meta fails, nothing is connected, and the choice can be made again. */
  async choose(holder: ChoiceHolder, pendingId: string, choices: readonly string[]): Promise<SocialAccount[]> {
    const pending = await this.database.separately(() => this.read(holder, pendingId));
    const chosen = chosenOf(pending.candidates, choices);
    const held = await this.transactions.runAs({ service: 'connect Meta' }, () =>
      this.database.first<{ sealed: string | null }>(readToken, [pendingId]),
    );
    if (!held?.sealed) throw new NotFound();
    const personToken = this.tokens.openPending(pendingId, held.sealed);
    const pages = pagesOf(chosen, choices, await forPerson(() => this.pages.list(personToken)));
    const { organisationId, userId } = holder;
    const { platform, facebookUserId } = pending;
    const accounts = await this.connect({ organisationId, userId, platform, facebookUserId, personToken, pages });
    await this.database.query('DELETE FROM public.social_pending_connections WHERE id = $1', [pendingId]);
    return accounts;
  }

  async connect(choice: Choice): Promise<SocialAccount[]> {
    const ids = await forPerson(() => this.maker.connect(choice));
    return this.accounts.listOf(choice.organisationId, ids);
  }

  private async read(holder: ChoiceHolder, pendingId: string): Promise<PendingRow> {
    const row = await this.database.first<PendingRow>(readPending, [...textsOf(holder), pendingId]);
    if (!row) throw new NotFound();
    return row;
  }
}

const textsOf = ({ organisationId, userId, sessionId }: ChoiceHolder) => [organisationId, userId, sessionId];

function chosenOf(candidates: readonly Candidate[], choices: readonly string[]): Candidate[] {
  return choices.map((choice, index) => {
    const candidate = candidates.find(({ id }) => id === choice);
    if (!candidate) throw invalid(index, 'unknown-candidate', 'is not among the candidates');
    if (!candidate.connectable) throw invalid(index, candidate.reason ?? 'not-connectable', 'cannot be connected');
    return candidate;
  });
}

/** As Meta has them now: a page can be lost between the dialog and the choice. */
function pagesOf(chosen: readonly Candidate[], choices: readonly string[], pages: readonly ManagedPage[]) {
  return chosen.map(({ id, pageId, platform }) => {
    const page = pages.find((each) => each.id === pageId);
    if (!page || (platform === 'instagram' && page.instagram?.id !== id))
      throw invalid(choices.indexOf(id), 'candidate-gone', 'is not there any more');
    return page;
  });
}

const invalid = (index: number, code: string, message: string): Error =>
  new ChoiceInvalid(undefined, { errors: [{ path: `choices.${index}`, code, message }] });

/** Asks Meta for somebody who waits for the answer. */
async function forPerson<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asMetaProblem(error);
  }
}

const insertPending = `
  INSERT INTO public.social_pending_connections
    (organisation_id, user_id, session_id, platform, facebook_user_id, candidates, scopes, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, now() + interval '15 minutes')
  RETURNING id`;

const keepToken = `
  UPDATE public.social_pending_connections SET access_token_sealed = $2, token_expires_at = $3 WHERE id = $1`;

const readPending = `
  SELECT p.id, p.platform, p.facebook_user_id, p.candidates, p.expires_at,
         ARRAY(SELECT a.platform_account_id FROM public.social_media_accounts a
                WHERE a.organisation_id = p.organisation_id AND a.platform = p.platform AND a.status = 'active')
           AS connected_ids
    FROM public.social_pending_connections p
   WHERE p.organisation_id = $1 AND p.user_id = $2 AND p.session_id = $3 AND p.id = $4 AND p.expires_at > now()`;

const readToken = 'SELECT access_token_sealed AS sealed FROM public.social_pending_connections WHERE id = $1';
