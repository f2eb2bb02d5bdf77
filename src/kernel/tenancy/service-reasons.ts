/**
 * Every way around a user's own context, by name: what the service does on its own account or on somebody's behalf.
 * A reason that is not listed here does not compile; each use is found by searching for its words.
 */
export type ServiceReason =
  | 'answer Meta'
  | 'archive audit log'
  | 'change social accounts'
  | 'connect Google'
  | 'check social accounts'
  | 'connect Meta'
  | 'forget Meta users'
  | 'publish posts'
  | 'read social analytics'
  | 'synchronise sheets'
  | 'tick schedules'
  | 'close goals'
  | 'measure goals'
  | 'sweep expired keys'
  | 'sweep sessions'
  | 'count attempts'
  | 'roll up facts'
  | 'make partitions'
  | 'rotate secrets'
  | 'check readiness'
  | 'merge imports'
  | 'run imports'
  | 'undo imports'
  | 'clean up imports'
  | 'mail reports'
  | 'send mail';
