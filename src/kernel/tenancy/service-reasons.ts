/**
 * Every way around a user's own context, by name: what the service does on its own account or on somebody's behalf.
 * A reason that is not listed here does not compile; each use is found by searching for its words.
 */
export type ServiceReason =
  | 'tick schedules'
  | 'close goals'
  | 'measure goals'
  | 'sweep expired keys'
  | 'sweep sessions'
  | 'count attempts'
  | 'rotate secrets'
  | 'check readiness'
  | 'send mail';
