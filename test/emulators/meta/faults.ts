import type { CallName } from './call.ts';
import { GraphRefusal, invalidToken } from './graph-errors.ts';

/**
 * What goes wrong. Nothing is done by `timeout`, `cut-before`, `internal`, `transient` and the refusals; the call is
 * carried out, and its answer lost, by `slow`, `late`, `cut-after`, `internal-after`, `truncated`, `malformed` and
 * `html`. `late` carries out only after its delay, when the caller has gone.
 */
export const faultKinds = [
  ...['timeout', 'slow', 'late', 'cut-before', 'cut-after', 'truncated', 'malformed', 'html'],
  ...['internal', 'internal-after', 'transient', 'rate-limited', 'page-rate-limited'],
  ...['token-expired', 'token-revoked', 'permission', 'refused', 'not-found'],
  ...['container-error', 'container-expired', 'container-slow'],
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** Which call; every one unless given. The container's faults wait for `instagram.container`. */
  on?: CallName;
  kind: FaultKind;
  /** How many calls it meets; 1 unless given. */
  times?: number;
  /** How many calls are answered well before; 0 unless given. */
  after?: number;
  /** Seconds, of the rate limits. */
  retryAfter?: number;
  /** Of `slow`, `late` and `timeout`. */
  delayMs?: number;
  /** Calls to this page, account, container or post alone. */
  objectId?: string;
  /** Of `container-slow`: how often the container is IN_PROGRESS when it is asked. */
  polls?: number;
  /** Of `permission`: 10 or 200; 10 unless given. */
  code?: number;
}

type WaitingFault = Fault & Required<Pick<Fault, 'times' | 'after'>>;

const ofConnection: readonly FaultKind[] = [
  ...(['timeout', 'slow', 'late', 'cut-before', 'cut-after', 'truncated', 'malformed', 'html'] as const),
];
export const isContainerFault = ({ kind }: Fault): boolean => kind.startsWith('container-');

/** Faults that wait for their call. The first that fits is met. */
export class Faults {
  private waiting: WaitingFault[] = [];

  add(fault: Fault): void {
    if (!faultKinds.includes(fault.kind)) throw new Error(`There is no fault ${fault.kind}.`);
    const on = isContainerFault(fault) ? 'instagram.container' : fault.on;
    this.waiting.push({ times: 1, after: 0, ...fault, on });
  }

  clear(): void {
    this.waiting = [];
  }

  /** @param objectIds what the call is about, and whose that is */
  next(call: CallName, objectIds: string[], isInBatch: boolean): Fault | undefined {
    const fits = ({ on = call, objectId, kind }: Fault) =>
      on === call && (!objectId || objectIds.includes(objectId)) && !(isInBatch && ofConnection.includes(kind));
    const found = this.waiting.find(fits);
    if (!found) return undefined;
    if (found.after > 0) {
      found.after -= 1;
      return undefined;
    }
    found.times -= 1;
    if (found.times <= 0) this.waiting = this.waiting.filter((each) => each !== found);
    return found;
  }
}

/** The answer in the call's place; undefined for faults of the connection and of containers. */
export function refusalFor(fault: Fault, objectId: string): GraphRefusal | undefined {
  switch (fault.kind) {
    case 'internal':
    case 'internal-after':
      return new GraphRefusal('An unexpected error has occurred. Please retry your request later.', 2, { status: 500 });
    case 'transient':
      return new GraphRefusal('Service temporarily unavailable', 2, { status: 503, isTransient: true });
    case 'rate-limited':
      return rateLimited(4, '(#4) Application request limit reached', fault, objectId);
    case 'page-rate-limited':
      return objectRateLimited(fault, objectId);
    case 'token-expired':
      return invalidToken(463);
    case 'token-revoked':
      return invalidToken(460);
    case 'permission':
      return new GraphRefusal(`(#${fault.code ?? 10}) Permission denied`, fault.code ?? 10, { status: 403 });
    case 'refused':
      return new GraphRefusal('(#100) Invalid parameter', 100);
    case 'not-found':
      return new GraphRefusal(`Object with ID '${objectId}' does not exist`, 100, { subcode: 33 });
    default:
      return undefined;
  }
}

function objectRateLimited(fault: Fault, objectId: string): GraphRefusal {
  const isInstagram = objectId.startsWith('178');
  const code = isInstagram ? 80002 : 80001;
  const whom = isInstagram ? 'Instagram account' : 'Page account';
  const message = `(#${code}) There have been too many calls to this ${whom}. Wait a bit and try again.`;
  return rateLimited(code, message, fault, objectId);
}

/** https://developers.facebook.com/docs/graph-api/overview/rate-limiting */
function rateLimited(code: number, message: string, { retryAfter }: Fault, objectId: string): GraphRefusal {
  const usage = { call_count: 100, total_cputime: 25, total_time: 100 };
  const minutes = Math.ceil((retryAfter ?? 60) / 60);
  const type = code === 80001 ? 'pages' : 'instagram';
  const byObject = { [objectId]: [{ type, ...usage, estimated_time_to_regain_access: minutes }] };
  const isTimed = retryAfter !== undefined && retryAfter < 60;
  const headers: Record<string, string> = {
    ...(code === 4 && { 'x-app-usage': JSON.stringify(usage) }),
    ...(!isTimed && (code !== 4 || retryAfter) && { 'x-business-use-case-usage': JSON.stringify(byObject) }),
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
  };
  const subcode = code === 4 ? undefined : 2446079;
  return new GraphRefusal(message, code, { status: code === 4 ? 403 : 400, subcode, headers, isTransient: false });
}
