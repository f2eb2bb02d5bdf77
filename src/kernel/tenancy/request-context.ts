import { AsyncLocalStorage } from 'node:async_hooks';
import type { ClinicRole, DatabaseRole, OrganisationRole, UserType } from './actor.js';
import type { TenantTransaction } from './tenant-transaction.js';

/** Who is behind a verified access token. What they may do is asked of the database at each request. */
export interface Caller {
  userId: string;
  sessionId: string;
  userType: UserType;
}

/** The tenant that a route names in its path, and the least role it asks for there. */
export type Scope =
  | { kind: 'none' }
  | { kind: 'clinic'; id: string; role: ClinicRole }
  | { kind: 'organisation'; id: string; role: OrganisationRole | null; clinicRole: ClinicRole | null };

/** Everything that `app.begin_request` is told. Decided by the guard, before the handler runs. */
export interface RequestContext {
  role: DatabaseRole;
  caller: Caller | null;
  scope: Scope;
  requestId: string;
  address: string | null;
  /** `GET /clinics/:clinicId`: the route's pattern, never the address as called, which may hold ids or a query. */
  route: string;
  readOnly: boolean;
  /** The route may be used before the caller's e-mail address is verified. */
  allowsUnverified: boolean;
  /** The route may change an inactive clinic (only the one that makes it active again). */
  allowsInactiveClinic: boolean;
}

interface Store {
  context: RequestContext;
  transaction: TenantTransaction;
  /** How many attempts this work stands in, one within the other. */
  attempts?: number;
}

const storage = new AsyncLocalStorage<Store>();

export function runInContext<T>(store: Store, work: () => T): T {
  return storage.run(store, work);
}

/** The running request or job. Throws outside of one: without a context there is no way to data. */
export function currentStore(): Store {
  const store = storage.getStore();
  if (!store) throw new Error('No request or job is running here: use Transactions.runAs().');
  return store;
}

/** The same items, each fetched within the request or job that runs now, whoever asks for them and when. */
export function inThisContext<Item>(items: AsyncIterable<Item>): AsyncIterable<Item> {
  const store = currentStore();
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = items[Symbol.asyncIterator]();
      return {
        next: () => storage.run(store, () => iterator.next()),
        return: async (value?: unknown) =>
          (await storage.run(store, () => iterator.return?.(value))) ?? { done: true, value },
      };
    },
  };
}
