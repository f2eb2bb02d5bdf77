import { Injectable } from '@nestjs/common';
import { Jobs } from '../../../../kernel/jobs/jobs.js';
import type { SealedPlace } from '../../../../kernel/secrets/vault.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import { Transactions } from '../../../../kernel/tenancy/transactions.js';
import type { HealthFacts, HealthState, Watched } from './health-state.js';

/** Tells one person that a connection needs them; its handler is in `health-mails`. */
export const healthMailJob = 'messenger.mail-health';

interface Seen extends HealthFacts {
  /** Not looked at for five minutes. */
  isStale: boolean;
}

export interface HeldAccess extends Seen {
  sealed: string;
  /** In full precision: tells one consent from the next. */
  consent: string;
}

interface Noted extends HealthState {
  /** Undefined leaves what is known. */
  tokenExpiresAt?: Date | null | undefined;
}

/**
 * How connections are, at rest. The service reads it; what is written is written as the owner, since nobody else may, and
 * of the consent that was looked at alone: one that came meanwhile knows nothing of its predecessor's troubles.
 */
@Injectable()
export class HealthRecords {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  /** What the caller may see of their own, in the running transaction. */
  own(channel: Watched['channel'], ownerId: string): Promise<(Seen & { id: string })[]> {
    return this.database.query(statements[channel].own, [ownerId]);
  }

  /** With its token, sealed; undefined for one that is not active. */
  held({ channel, ownerId, id }: Watched): Promise<HeldAccess | undefined> {
    return this.asService(() => this.database.first<HeldAccess>(statements[channel].held, [id, ownerId]));
  }

  placeOf({ channel, id }: Watched): SealedPlace {
    const { table, token } = tables[channel];
    return { table, column: token, rowId: id };
  }

  /** Not looked at for most of a day, the longest first; of people who may still log in. */
  oldest(most: number): Promise<Watched[]> {
    return this.asService(() => this.database.query<Watched>(findOldest, [most]));
  }

  /** What hangs on the consent of that person at Meta, given by then. */
  ofPerson(facebookUserId: string, by: Date): Promise<(Watched & { consent: string })[]> {
    return this.asService(() => this.database.query<Watched & { consent: string }>(findOfPerson, [facebookUserId, by]));
  }

  /**
   * Writes down how it is. Whoever has to do something hears of it by mail: once when it becomes worrying, once more if it
   * breaks; then not before it was well again.
   */
  note(watched: Watched, consent: string, { level, code, tokenExpiresAt }: Noted): Promise<void> {
    const { channel, ownerId, id } = watched;
    return this.transactions.runAs({ user: ownerId, reason: 'check Messenger health' }, async () => {
      const knows = tokenExpiresAt !== undefined;
      const values = [id, ownerId, consent, level, code, knows, tokenExpiresAt ?? null];
      const noted = await this.database.first<{ isNews: boolean }>(statements[channel].note, values);
      if (noted?.isNews) await this.jobs.enqueue(healthMailJob, { channel, ownerId, id });
    });
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'check Messenger health' }, work);
  }
}

interface Table {
  table: string;
  token: string;
  /** Columns by what they hold. */
  id: string;
  owner: string;
  active: string;
  level: string;
  code: string;
  checked: string;
  mailed: string;
  expires: string;
  sent: string;
}

const tables: Record<Watched['channel'], Table> = {
  messenger: {
    ...{ table: 'public.messenger_connections', token: 'page_access_token_sealed', id: 'id', owner: 'owner_id' },
    ...{ active: 'is_active', level: 'health_level', code: 'health_error_code', checked: 'health_checked_at' },
    ...{ mailed: 'health_mailed_at', expires: 'token_expires_at', sent: 'last_dm_success_at' },
  },
  instagram: {
    ...{ table: 'public.doctor_instagram', token: 'instagram_access_token_sealed', id: 'doctor_id' },
    ...{ owner: 'doctor_id', active: 'true', level: 'instagram_health_level', code: 'instagram_health_error_code' },
    ...{ checked: 'instagram_health_checked_at', mailed: 'instagram_health_mailed_at' },
    ...{ expires: 'instagram_token_expires_at', sent: 'instagram_last_dm_success_at' },
  },
};

const factsOf = (t: Table): string => `
  ${t.active} AS is_active, ${t.level} AS level, ${t.code} AS error_code, ${t.checked} AS checked_at,
  ${t.expires} AS token_expires_at, ${t.sent} AS last_dm_success_at, connected_at,
  ${t.active} AND (${t.checked} IS NULL OR ${t.checked} < now() - interval '5 minutes') AS is_stale`;

const statementsOf = (t: Table) => ({
  own: `
    SELECT ${t.id} AS id, ${factsOf(t)}
      FROM ${t.table} WHERE ${t.owner} = $1`,
  held: `
    SELECT ${factsOf(t)}, ${t.token} AS sealed, connected_at::text AS consent
      FROM ${t.table} WHERE ${t.id} = $1 AND ${t.owner} = $2 AND ${t.active}`,
  // That Meta could not be asked says nothing new of what is broken already.
  note: `
    WITH present AS (
      SELECT ${t.id} AS id, ${t.mailed} AS mailed_at, ${t.level} AS level,
             $4 = 'error' AND (${t.level} <> 'error' OR ${t.mailed} IS NULL)
               OR $4 = 'warning' AND ${t.mailed} IS NULL AS is_news
        FROM ${t.table}
       WHERE ${t.id} = $1 AND ${t.owner} = $2 AND ${t.active} AND connected_at::text = $3 FOR UPDATE
    )
    UPDATE ${t.table} AS kept
       SET ${t.level} = CASE WHEN $4 = 'unknown' AND present.level = 'error' THEN 'error' ELSE $4 END,
           ${t.code} = CASE WHEN $4 = 'unknown' AND present.level = 'error' THEN kept.${t.code} ELSE $5 END,
           ${t.checked} = now(),
           ${t.expires} = CASE WHEN $6::boolean THEN $7::timestamptz ELSE kept.${t.expires} END,
           ${t.mailed} = CASE WHEN $4 = 'ok' THEN NULL WHEN present.is_news THEN now() ELSE present.mailed_at END
      FROM present WHERE kept.${t.id} = present.id
    RETURNING present.is_news`,
});

const statements = { messenger: statementsOf(tables.messenger), instagram: statementsOf(tables.instagram) };

/** As whom it is written must be enabled: others' connections wait until they are. Each table is read by its index. */
const lateOf = (channel: Watched['channel'], t: Table): string => `
  SELECT '${channel}' AS channel, ${t.owner} AS owner_id, ${t.id} AS id, ${t.checked} AS checked_at
    FROM ${t.table} c
   WHERE ${t.active} AND (${t.checked} IS NULL OR ${t.checked} < now() - interval '20 hours')
     AND EXISTS (SELECT FROM auth.users u WHERE u.id = c.${t.owner} AND u.disabled_at IS NULL)
   ORDER BY ${t.checked} NULLS FIRST LIMIT $1`;

const findOldest = `
  SELECT channel, owner_id, id
    FROM ((${lateOf('messenger', tables.messenger)}) UNION ALL (${lateOf('instagram', tables.instagram)})) late
   ORDER BY checked_at NULLS FIRST, id LIMIT $1`;

const consentsOf = (channel: Watched['channel'], t: Table): string => `
  SELECT '${channel}' AS channel, ${t.owner} AS owner_id, ${t.id} AS id, connected_at::text AS consent
    FROM ${t.table}
   WHERE facebook_user_id = $1 AND ${t.active} AND date_trunc('milliseconds', connected_at) <= $2::timestamptz`;

const findOfPerson = `${consentsOf('messenger', tables.messenger)} UNION ALL ${consentsOf('instagram', tables.instagram)}`;
