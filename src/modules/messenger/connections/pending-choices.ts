import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { ChoiceInvalid } from '../../../integrations/meta/consent.errors.js';
import { asMetaProblem } from '../../../integrations/meta/meta.errors.js';
import { MetaPages } from '../../../integrations/meta/meta-pages.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { PendingChoice } from './connect.schemas.js';
import { ConnectionMaker } from './connection-maker.js';
import { MessengerTokens } from './messenger-tokens.js';
import { type Candidate, pageOf } from './page-candidates.js';
import type { Purpose } from './purposes.js';

/** Whose consent it is, and for what it was asked. */
export interface Consent {
  purpose: Purpose;
  userId: string;
  clinicId: string | null;
  facebookUserId: string;
  /** Long-lived. */
  personToken: string;
}

interface PendingRow {
  id: string;
  clinicId: string | null;
  facebookUserId: string;
  candidates: Candidate[];
  expiresAt: Date;
}

/** Choices that a person has yet to make among several pages. Nothing is connected before. */
@Injectable()
export class PendingChoices {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly tokens: MessengerTokens,
    private readonly pages: MetaPages,
    private readonly maker: ConnectionMaker,
  ) {}

  /** As the person whose choice it is, in a transaction of theirs. */
  async keep(consent: Consent, candidates: readonly Candidate[]): Promise<string> {
    const { userId, clinicId, purpose, facebookUserId, personToken } = consent;
    const id = uuidv7();
    const sealed = this.tokens.sealPending(id, personToken);
    const values = [id, userId, clinicId, purpose, facebookUserId, JSON.stringify(candidates), sealed];
    await this.database.query(insertPending, values);
    return id;
  }

  async get(userId: string, purpose: Purpose, choiceId: string): Promise<PendingChoice> {
    const { id, candidates, expiresAt } = await this.read(userId, purpose, choiceId);
    const connected = await this.database.query<{ id: string }>(readConnected[purpose], [userId]);
    const connectedIds = connected.map((each) => each.id);
    return {
      id,
      expiresAt,
      candidates: candidates.map((each) => ({ ...each, alreadyConnected: connectedIds.includes(each.id) })),
    };
  }

  /**
   * Connects what was chosen. When Meta fails, nothing is connected, and the choice can be made again; of two at once one
   * finds it made.
   */
  async choose(userId: string, purpose: Purpose, choiceId: string, chosenId: string): Promise<void> {
    const pending = await this.database.separately(() => this.read(userId, purpose, choiceId));
    const candidate = pending.candidates.find(({ id }) => id === chosenId);
    if (!candidate) throw invalid('unknown-candidate', 'is not among the candidates');
    const personToken = await this.openToken(choiceId);
    try {
      const page = pageOf(purpose, candidate, await this.pages.list(personToken));
      if (!page) throw invalid('candidate-gone', 'is not there any more');
      const { clinicId, facebookUserId } = pending;
      const choice = { purpose, userId, clinicId, facebookUserId, page };
      const use = () => this.use(choiceId);
      await this.maker.connect(choice, (work) => this.database.separately(work), use);
    } catch (error) {
      throw asMetaProblem(error);
    }
  }

  private async openToken(choiceId: string): Promise<string> {
    const held = await this.transactions.runAs({ service: 'connect Messenger' }, () =>
      this.database.first<{ sealed: string }>(readToken, [choiceId]),
    );
    if (!held) throw new NotFound();
    return this.tokens.openPending(choiceId, held.sealed);
  }

  private async use(choiceId: string): Promise<void> {
    const used = await this.database.first(deletePending, [choiceId]);
    if (!used) throw new NotFound();
  }

  private async read(userId: string, purpose: Purpose, choiceId: string): Promise<PendingRow> {
    const row = await this.database.first<PendingRow>(readPending, [userId, purpose, choiceId]);
    if (!row) throw new NotFound();
    return row;
  }
}

const invalid = (code: string, message: string): Error =>
  new ChoiceInvalid(undefined, { errors: [{ path: 'choice', code, message }] });

const insertPending = `
  INSERT INTO public.messenger_pending_connections
    (id, user_id, clinic_id, purpose, facebook_user_id, candidates, access_token_sealed)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7)`;

const readPending = `
  SELECT id, clinic_id, facebook_user_id, candidates, expires_at FROM public.messenger_pending_connections
   WHERE user_id = $1 AND purpose = $2 AND id = $3 AND expires_at > now()`;

const readConnected: Record<Purpose, string> = {
  page: 'SELECT page_id AS id FROM public.messenger_connections WHERE owner_id = $1 AND is_active',
  instagram: 'SELECT instagram_page_id AS id FROM public.doctor_instagram WHERE doctor_id = $1',
};

const readToken = 'SELECT access_token_sealed AS sealed FROM public.messenger_pending_connections WHERE id = $1';

const deletePending = 'DELETE FROM public.messenger_pending_connections WHERE id = $1 RETURNING id';
