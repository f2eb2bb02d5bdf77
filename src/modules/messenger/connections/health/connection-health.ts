import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../../integrations/meta/meta-failure.js';
import { MetaLogin } from '../../../../integrations/meta/meta-login.js';
import { asRefusal } from '../../../../kernel/http/problem-mapping.js';
import { SealBroken, Vault } from '../../../../kernel/secrets/vault.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import type { ConnectionHealthBlock } from './health.schemas.js';
import { HealthRecords, type HeldAccess } from './health-records.js';
import { blockOf, stateOf, unanswered, verdictOf, type Watched } from './health-state.js';

export type { Watched };

/** Whoever looks waits no longer than this for Meta; what it says then is there the next time. */
const patienceMs = 3_000;

/** How connections are: asked of Meta once within five minutes, written down as their owner. */
@Injectable()
export class ConnectionHealth {
  private readonly running = new Map<string, Promise<void>>();

  constructor(
    private readonly database: Database,
    private readonly login: MetaLogin,
    private readonly vault: Vault,
    private readonly records: HealthRecords,
  ) {}

  /**
   * Of the caller's own pages, by the connection's id; one that is not active is `not_connected`. Comes first in a
   * handler: Meta is asked while no connection to the database is held, for three seconds at most.
   */
  ofOwnPages(userId: string): Promise<Map<string, ConnectionHealthBlock>> {
    return this.ofOwn('messenger', userId);
  }

  /** The same of the caller's Instagram account; `not_connected` where there is none. */
  async ofOwnInstagram(userId: string): Promise<ConnectionHealthBlock> {
    const blocks = await this.ofOwn('instagram', userId);
    return blocks.get(userId) ?? blockOf(undefined, new Date());
  }

  /**
   * Asks Meta what the token is still worth, and writes it down, unless that was done within five minutes; whoever comes
   * while it is being asked hears the same.
   *
   * @throws MetaFailure when Meta does not say, which is written down too, unless it is that we ask too often
   */
  check(watched: Watched): Promise<void> {
    const key = `${watched.channel} ${watched.id}`;
    const begun = this.running.get(key);
    if (begun) return begun;
    const asked = this.ask(watched).finally(() => this.running.delete(key));
    this.running.set(key, asked);
    return asked;
  }

  /**
   * Meta does not take the token any more: the connection is in error, and its owner hears of it, once. Opens
   * transactions of its own.
   *
   * @param sealed the token that Meta refused, as it rests; a consent that came meanwhile is left alone
   */
  async noteDeadToken(watched: Watched, sealed: string): Promise<void> {
    const held = await this.records.held(watched);
    if (held?.sealed !== sealed) return;
    await this.records.note(watched, held.consent, { level: 'error', code: 'token-invalid' });
  }

  /** The person who consented removed our app at Meta: what hung on it by then is in error. */
  async noteRemoval(facebookUserId: string, removedAt: Date): Promise<void> {
    for (const { consent, ...watched } of await this.records.ofPerson(facebookUserId, removedAt)) {
      try {
        await this.records.note(watched, consent, { level: 'error', code: 'token-invalid' });
      } catch (error) {
        // As somebody who was disabled nothing can be written; the others must hear of it all the same.
        asRefusal(error);
      }
    }
  }

  private async ofOwn(channel: Watched['channel'], ownerId: string): Promise<Map<string, ConnectionHealthBlock>> {
    const seen = await this.database.separately(() => this.records.own(channel, ownerId));
    const stale = seen.filter(({ isStale }) => isStale).map(({ id }) => ({ channel, ownerId, id }));
    const silent = new Set(await this.askWithPatience(stale));
    const now = new Date();
    const rows = await this.records.own(channel, ownerId);
    return new Map(rows.map((row) => [row.id, blockOf(row, now, silent.has(row.id))]));
  }

  /** @returns the ids of those of which Meta did not say anything in time */
  private async askWithPatience(stale: readonly Watched[]): Promise<string[]> {
    const answered = new Set<string>();
    const asked = stale.map((each) =>
      this.check(each).then(
        () => answered.add(each.id),
        () => undefined,
      ),
    );
    if (asked.length > 0) await Promise.race([Promise.all(asked), pause(patienceMs, undefined, { ref: false })]);
    return stale.map(({ id }) => id).filter((id) => !answered.has(id));
  }

  private async ask(watched: Watched): Promise<void> {
    const held = await this.records.held(watched);
    // Somebody else's look may have ended while this one began.
    if (!held?.isStale) return;
    const token = this.open(watched, held);
    if (token === undefined)
      return this.records.note(watched, held.consent, { level: 'error', code: 'token-unreadable' });
    try {
      const inspection = await this.login.inspect(token);
      const now = new Date();
      const { level, code } = verdictOf(watched.channel, inspection, now);
      // Of a dead token Meta says no end: the one that was known tells when it died.
      const tokenExpiresAt = inspection.isValid ? inspection.expiresAt : held.tokenExpiresAt;
      const state =
        level === 'error' ? { level, code } : stateOf({ ...held, tokenExpiresAt, level, errorCode: code }, now);
      await this.records.note(watched, held.consent, { ...state, tokenExpiresAt });
    } catch (error) {
      if (error instanceof MetaFailure && error.kind !== 'rate-limited')
        await this.records.note(watched, held.consent, unanswered);
      throw error;
    }
  }

  /** Undefined for one that does not open, after a key was lost or a row was moved. */
  private open(watched: Watched, { sealed }: HeldAccess): string | undefined {
    try {
      return this.vault.open(sealed, this.records.placeOf(watched));
    } catch (error) {
      if (error instanceof SealBroken) return undefined;
      throw error;
    }
  }
}
