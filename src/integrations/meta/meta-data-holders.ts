import { Injectable, type OnModuleInit, SetMetadata } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';

const FORGETS_META_USER = 'polyclinic:forgets-meta-user';
const HEARS_OF_DEAUTHORIZATION = 'polyclinic:hears-of-deauthorization';
const NEEDS_META_CONSENT = 'polyclinic:needs-meta-consent';

/**
 * Makes a method `(facebookUserId: string) => Promise<void>` remove whatever its module holds from Meta about a person
 * who asked Meta for it. It must be idempotent: a job calls it, and calls all of them again when one fails.
 */
export function ForgetsMetaUser(): MethodDecorator {
  return SetMetadata(FORGETS_META_USER, true);
}

/**
 * The same for somebody who removed our app at Meta: their tokens are dead, what they gave may stay. The method is also
 * told when we heard of it, for the job may come late: what they consented to since then is alive.
 */
export function HearsOfDeauthorization(): MethodDecorator {
  return SetMetadata(HEARS_OF_DEAUTHORIZATION, true);
}

/**
 * Makes a method `(facebookUserId: string) => Promise<boolean>` say whether its module still needs what the person
 * consented to. Consent is one for the whole app: it is taken back at Meta when none of them needs it any more, and then
 * all of it (`MetaConsents`).
 *
 * @param scopes what the module asks people for at the dialog
 */
export function NeedsMetaConsent(scopes: readonly string[]): MethodDecorator {
  return SetMetadata(NEEDS_META_CONSENT, scopes);
}

type Holder = (facebookUserId: string, heardAt?: Date) => Promise<void>;
type Need = (facebookUserId: string) => Promise<boolean>;

/** Every module that holds something from Meta, without knowing one of them. */
@Injectable()
export class MetaDataHolders implements OnModuleInit {
  private readonly forgetting: Holder[] = [];
  private readonly hearing: Holder[] = [];
  private readonly needs: Need[] = [];
  private readonly asked = new Set<string>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  onModuleInit(): void {
    for (const { instance } of this.discovery.getProviders()) {
      if (typeof instance !== 'object' || instance === null) continue;
      for (const method of this.scanner.getAllMethodNames(Object.getPrototypeOf(instance)))
        this.register(instance, method);
    }
  }

  /** Lets all of them forget the person. When some fail, the others have done it all the same, and this rejects. */
  forget(facebookUserId: string): Promise<void> {
    return callAll(this.forgetting, (forget) => forget(facebookUserId));
  }

  deauthorized(facebookUserId: string, heardAt: Date): Promise<void> {
    return callAll(this.hearing, (hear) => hear(facebookUserId, heardAt));
  }

  /** Whether anything here still hangs on the person's consent. When one of them cannot say, this rejects. */
  async isNeeded(facebookUserId: string): Promise<boolean> {
    for (const need of this.needs) if (await need(facebookUserId)) return true;
    return false;
  }

  /** What people are asked for by any of them: what the log-in needs is not among it. */
  get scopes(): readonly string[] {
    return [...this.asked];
  }

  private register(instance: object, method: string): void {
    const holder = (instance as Record<string, unknown>)[method];
    if (typeof holder !== 'function') return;
    const marked = (mark: string) => this.reflector.get<true | undefined>(mark, holder) === true;
    const call = (...details: [string, Date?]) => holder.apply(instance, details);
    if (marked(FORGETS_META_USER)) this.forgetting.push(call);
    if (marked(HEARS_OF_DEAUTHORIZATION)) this.hearing.push(call);
    const scopes = this.reflector.get<readonly string[] | undefined>(NEEDS_META_CONSENT, holder);
    if (!scopes) return;
    this.needs.push(call);
    for (const scope of scopes) this.asked.add(scope);
  }
}

/** One after the other: each opens its own transaction. */
async function callAll(holders: readonly Holder[], call: (holder: Holder) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const holder of holders) await call(holder).catch((error: unknown) => failures.push(error));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, 'Some holders of data from Meta failed.');
}
