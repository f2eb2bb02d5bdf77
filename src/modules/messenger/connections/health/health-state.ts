import type { TokenInspection } from '../../../../integrations/meta/meta-login.js';
import type { ConnectionHealthBlock, healthLevels } from './health.schemas.js';

/** What is looked after: a page of its owner, or a doctor's Instagram account. */
export interface Watched {
  channel: 'messenger' | 'instagram';
  ownerId: string;
  /** Of the row: a connection's `id`, a doctor's `doctor_id`. */
  id: string;
}

export type KeptLevel = Exclude<(typeof healthLevels)[number], 'not_connected'>;

/** What is known of a connection, as its row has it. */
export interface HealthFacts {
  isActive: boolean;
  level: KeptLevel;
  errorCode: string | null;
  checkedAt: Date | null;
  tokenExpiresAt: Date | null;
  lastDmSuccessAt: Date | null;
  connectedAt: Date;
}

export interface HealthState {
  level: KeptLevel;
  code: HealthCode | null;
}

/** What people read, and whether connecting again helps. */
const sayings = {
  'token-invalid': ['Meta does not take the access any more: it was withdrawn or has expired. Connect it again.', true],
  'token-expired': ['The access has expired. Connect it again.', true],
  'token-unreadable': ['The access does not open here any more. Connect it again.', true],
  'permission-missing': [
    "Meta does not let us send messages there any more. Connect it again, and leave Meta's boxes ticked.",
    true,
  ],
  'token-ends': ['The access ends within a week. Connect it again before it does.', true],
  'data-access-ends': ['Meta wants the consent anew within a week. Connect it again before.', true],
  silent: ['No message was sent there for two weeks. Send one to see that it still works.', false],
  'meta-unavailable': ['Meta could not be asked how it is.', false],
} as const satisfies Record<string, readonly [string, boolean]>;
export type HealthCode = keyof typeof sayings;

const weekMs = 7 * 86_400_000;
const silenceMs = 2 * weekMs;

/** Without it nothing can be sent. */
const neededScope = { messenger: 'pages_messaging', instagram: 'instagram_manage_messages' } as const;

/** What an answer of Meta's means, before the clock is looked at. */
export function verdictOf(channel: Watched['channel'], inspection: TokenInspection, now: Date): HealthState {
  const { isValid, scopes, dataAccessExpiresAt } = inspection;
  if (!isValid) return { level: 'error', code: 'token-invalid' };
  // Some answers name none at all: they say nothing of what was withdrawn.
  if (scopes.length > 0 && !scopes.includes(neededScope[channel]))
    return { level: 'error', code: 'permission-missing' };
  return endsSoon(dataAccessExpiresAt, now)
    ? { level: 'warning', code: 'data-access-ends' }
    : { level: 'ok', code: null };
}

/**
 * How a connection is now: what Meta last said of it, and what time has done to it since. One whose access is over is in
 * error although nobody has asked; one that is in error stays so until Meta says otherwise, or somebody connects it anew.
 */
export function stateOf(facts: HealthFacts, now: Date): HealthState {
  const { level, tokenExpiresAt, lastDmSuccessAt, connectedAt } = facts;
  const code = facts.errorCode !== null && facts.errorCode in sayings ? (facts.errorCode as HealthCode) : null;
  if (level === 'error') return { level, code };
  if (tokenExpiresAt && tokenExpiresAt <= now) return { level: 'error', code: 'token-expired' };
  if (level === 'unknown') return { level, code };
  if (endsSoon(tokenExpiresAt, now)) return { level: 'warning', code: 'token-ends' };
  if (code === 'data-access-ends') return { level: 'warning', code };
  const heardOf = Math.max(connectedAt.getTime(), lastDmSuccessAt?.getTime() ?? 0);
  return now.getTime() - heardOf > silenceMs ? { level: 'warning', code: 'silent' } : { level: 'ok', code: null };
}

/** @param isUnanswered Meta was asked just now, and did not say it in time */
export function blockOf(facts: HealthFacts | undefined, now: Date, isUnanswered = false): ConnectionHealthBlock {
  if (!facts?.isActive) return notConnected;
  const known = stateOf(facts, now);
  const { level, code } = isUnanswered && known.level !== 'error' ? unanswered : known;
  const { checkedAt, tokenExpiresAt, lastDmSuccessAt } = facts;
  const [message, reconnectRecommended] = code ? sayings[code] : [null, level === 'error'];
  return { level, checkedAt, tokenExpiresAt, lastDmSuccessAt, message, reconnectRecommended };
}

export const sayingOf = (code: HealthCode | null): string => (code ? sayings[code][0] : 'Connect it again.');

export const unanswered: HealthState = { level: 'unknown', code: 'meta-unavailable' };

const notConnected: ConnectionHealthBlock = {
  ...{ level: 'not_connected', checkedAt: null, tokenExpiresAt: null, lastDmSuccessAt: null },
  ...{ message: 'Nothing is connected.', reconnectRecommended: false },
};

function endsSoon(end: Date | null, now: Date): boolean {
  return end !== null && end.getTime() - now.getTime() < weekMs;
}
