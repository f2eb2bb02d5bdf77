import type { Config } from '../config/config.js';
import type { Actor } from './actor.js';
import type { RequestContext } from './request-context.js';
import type { Prelude } from './tenant-transaction.js';

/** Settings that bound a transaction; local to it, so that they also hold behind PgBouncer in transaction mode. */
const timeouts = `set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
  set_config('idle_in_transaction_session_timeout', $3, true)`;

const requestText = `SELECT set_config('role', app.begin_request($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16), true), ${timeouts}`;
const workText = `SELECT set_config('role', app.begin_work($4, $5, $6), true), ${timeouts}`;

/** What a request's transaction begins with. The database answers with the role, so a stale token cannot pick one. */
export function requestPrelude(context: RequestContext, config: Config): Prelude {
  const { caller, scope } = context;
  const clinic = scope.kind === 'clinic' ? scope : undefined;
  const organisation = scope.kind === 'organisation' ? scope : undefined;
  return {
    role: context.role,
    readOnly: context.readOnly,
    text: requestText,
    values: [
      ...timeoutValues(config),
      caller?.userId ?? null,
      caller?.sessionId ?? null,
      caller?.userType ?? null,
      clinic?.id ?? null,
      clinic?.role ?? organisation?.clinicRole ?? null,
      organisation?.id ?? null,
      organisation?.role ?? null,
      context.requestId,
      context.address,
      context.route,
      !context.readOnly,
      config.requireVerifiedEmail && !context.allowsUnverified,
      context.allowsInactiveClinic,
    ],
  };
}

/** What a job's transaction begins with: as the service, or as a user who is checked to be enabled. */
export function workPrelude(actor: Actor, requestId: string, config: Config): Prelude {
  const isService = 'service' in actor;
  const values = [...timeoutValues(config), isService ? null : actor.user, isService ? actor.service : actor.reason];
  return { role: isService ? 'service_role' : 'user', readOnly: false, text: workText, values: [...values, requestId] };
}

function timeoutValues({ database }: Config): string[] {
  return [database.statementTimeoutMs, database.lockTimeoutMs, database.idleInTransactionTimeoutMs].map(String);
}
