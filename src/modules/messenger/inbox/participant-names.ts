import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { MetaMessaging } from '../../../integrations/meta/meta-messaging.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { currentStore } from '../../../kernel/tenancy/request-context.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { ConnectedPages, type ConnectedPlace } from '../connections/connected-pages.js';

export const nameJob = 'messenger.name-participants';

/** Of one run; whoever is left is asked for by a run after it, so that no worker is busy with names for long. */
const askedAtOnce = 25;
/** Who is passed over in one run, since their page has asked too often. */
const mostLeft = 1_000;
/** In which Meta may have come back, or let a page ask again. */
const pauseMs = 60_000;
const breathMs = 500;

interface Nameless extends ConnectedPlace {
  id: string;
  participantId: string;
}

/** What one run has done: a page that has asked too often is left alone by it, and Meta as a whole when it does not answer. */
class NamingRound {
  /** For a later run. */
  readonly left: string[] = [];
  isAway = false;
  private asked = 0;
  private readonly limited = new Set<string>();

  mayAsk(place: ConnectedPlace): boolean {
    return !this.isAway && !this.limited.has(keyOf(place));
  }

  note({ id, ...place }: Nameless, failure: MetaFailure | undefined): void {
    this.asked += 1;
    if (failure?.kind === 'rate-limited') this.limited.add(keyOf(place));
    else if (failure?.kind === 'unavailable') this.isAway = true;
    else return;
    this.left.push(id);
  }

  get isOver(): boolean {
    return this.isAway || this.asked >= askedAtOnce || this.left.length >= mostLeft;
  }
}

const keyOf = ({ ownerId, channel, pageId }: ConnectedPlace): string => `${ownerId} ${channel} ${pageId}`;

/**
 * Asks Meta who somebody is that wrote. A conversation is as good without: what Meta does not tell is asked for again
 * when they write again, a day later at the earliest.
 */
@Injectable()
export class ParticipantNames {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly pages: ConnectedPages,
    private readonly messaging: MetaMessaging,
  ) {}

  /** For conversations that the running transaction begins. Not within it: batches would wait for each other's job. */
  askAfterCommit(): void {
    currentStore().transaction.afterCommit.push(() => this.enqueue());
  }

  /** Whether a conversation waits for a name. In the caller's transaction, as the service. */
  async isAnyNameless(): Promise<boolean> {
    return (await this.database.first(findNameless, [1])) !== undefined;
  }

  enqueue(runAt?: Date): Promise<void> {
    return this.asService(() => this.jobs.enqueue(nameJob, {}, { key: nameJob, ...(runAt && { runAt }) }));
  }

  @JobHandler(nameJob, { payload: z.object({}), maxAttempts: 3 })
  async ask(): Promise<void> {
    const round = new NamingRound();
    for (let goesOn = true; goesOn; ) goesOn = await this.askSome(round);
    // Whoever is beyond the number of a run, or was passed over since a batch or an answer holds them just now.
    const isMore = !round.isAway && (await this.asService(() => this.isAnyNameless()));
    if (round.left.length > 0) await this.asService(() => this.database.query(unclaim, [round.left]));
    if (isMore || round.left.length > 0) await this.enqueue(new Date(Date.now() + (isMore ? breathMs : pauseMs)));
  }

  /** @returns whether it goes on: in the stead of people of whom it could not ask it asks for others */
  private async askSome(round: NamingRound): Promise<boolean> {
    // Noted before they are asked for: whoever cannot be named must not be asked for by every run.
    const nameless = await this.asService(() => this.database.query<Nameless>(claimNameless, [askedAtOnce]));
    for (const conversation of nameless) {
      if (round.mayAsk(conversation)) round.note(conversation, await this.name(conversation));
      else round.left.push(conversation.id);
    }
    return nameless.length === askedAtOnce && !round.isOver;
  }

  /** @returns why Meta did not tell, where it did not */
  private async name({ id, participantId, ...place }: Nameless): Promise<MetaFailure | undefined> {
    try {
      const { name, username } = await this.pages.withToken(place, ({ token }) =>
        this.messaging.profile(token, participantId, place.channel),
      );
      if (name ?? username) await this.asService(() => this.database.query(noteName, [id, name ?? username]));
      return undefined;
    } catch (error) {
      if (error instanceof MetaFailure) return error;
      if (error instanceof DomainError) return undefined;
      throw error;
    }
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'process webhooks' }, work);
  }
}

/** Whoever wrote most lately is waited for most. */
const findNameless = `
  SELECT c.id FROM public.conversations c
   WHERE c.participant_name IS NULL AND c.named_at IS NULL
   ORDER BY c.id DESC LIMIT $1`;

const claimNameless = `
  UPDATE public.conversations c SET named_at = now()
   WHERE c.id IN (${findNameless} FOR UPDATE SKIP LOCKED)
  RETURNING c.id, c.owner_id, c.channel, c.page_id, c.participant_id`;

const noteName = 'UPDATE public.conversations SET participant_name = $2 WHERE id = $1';

const unclaim =
  'UPDATE public.conversations SET named_at = NULL WHERE id = ANY ($1::uuid[]) AND participant_name IS NULL';
